"""`python -m tests.benchmarks`: the daemon beside its peers, its ceilings and its targets.

Runs the parts one after another; within a part the contenders take turns, so that the drift of the machine meets all
alike. Absolute figures belong to the machine, ratios are what may be quoted. Prints each part's tables, then the
targets, and writes all of it as Markdown with plots. Needs a quiet machine, and a disk under the folder it works in
(`build/` in this checkout; a memory file system would flatter everybody). Exit status: 0 when every figure stands,
also one that misses its target; 1 when one is void (a contender failed, did not do its work right, or is not
installed); 2 for a wrong command line.
"""

from __future__ import annotations

import os
import platform
import shlex
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console

from tests.benchmarks import plots, report
from tests.benchmarks.load import VoidError
from tests.benchmarks.part import Bench, Result
from tests.benchmarks.parts import PARTS
from tests.benchmarks.sink import ROOT

_BUILD = ROOT / "build"
_PACKAGES = ("requests", "urllib3", "watchdog", "msgspec")
_WIDTH = 140
_PATH = click.Path(path_type=Path, resolve_path=True)


@click.command()
@click.option("--part", "names", multiple=True, type=click.Choice(list(PARTS)), help="Only this one; may be repeated.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often each contender runs.")
@click.option("--quick", is_flag=True, help="A smoke run: one round, all as small as can be. Its figures mean little.")
@click.option("--folder", default=_BUILD, type=_PATH, help="Work under this folder.")
@click.option("--output", default=_BUILD / "benchmarks", type=_PATH, help="Write the report here.")
def main(*, names: tuple[str, ...], rounds: int, quick: bool, folder: Path, output: Path) -> None:
    """Measure the daemon beside its peers, its ceilings and its targets."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    rounds = 1 if quick else rounds
    about = _about(rounds, quick=quick)
    click.echo(about)
    for made in (folder, output):
        made.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=folder) as root:
        benches = {
            name: Bench(Path(root) / name, rounds, quick, click.echo) for name in PARTS if name in (names or PARTS)
        }
        results = {name: _measured(name, bench, console) for name, bench in benches.items()}
    everything = report.joined(results)
    _write(output, about, everything)
    console.print(report.drawn(report.targets(everything.rows)))
    for sentence in everything.void:
        click.echo(f"VOID: {sentence}")
    sys.exit(bool(everything.void))


def _measured(name: str, bench: Bench, console: Console) -> Result:
    """Run a part and show its tables."""
    click.echo(f"{name}:")
    bench.folder.mkdir()
    try:
        result = PARTS[name](bench)
    except VoidError as error:
        result = Result(void=[str(error)])
    for table in result.tables:
        console.print(report.drawn(table))
    return result


def _write(output: Path, about: str, everything: Result) -> None:
    """Write the report and the plots, or say why there are no plots."""
    report.write(output, about, everything)
    click.echo(f"written: {output / report.FILE}")
    try:
        plots.draw(output, everything.curves)
    except ModuleNotFoundError:
        click.echo("no plots: matplotlib is not installed (pip install -e '.[bench]')")


def _about(rounds: int, *, quick: bool) -> str:
    """Return on what, with what and how this was measured."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    command = shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]])
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, {packages}"
    turns = f"medians of {rounds} interleaved rounds" if rounds > 1 else "one round"
    smoke = " (a smoke run: its figures mean little)" if quick else ""
    return f"{machine}; {turns}; `{command}`{smoke}"


if __name__ == "__main__":
    main()
