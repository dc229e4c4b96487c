"""`python -m tests.benchmarks`: the daemon beside its peers, in one interleaved run.

The rounds go A B C, A B C, … so that the drift of the machine meets all alike; absolute figures belong to
the machine, the ratios are what may be quoted. Exit status: 0 when every figure stands; 1 when one is void (a
peer failed, or did not do its work right); 2 for a wrong command line. Needs about five minutes, and a disk
under the folder it works in (`build/` in this checkout; a memory file system would flatter everybody).
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from tests.benchmarks import table
from tests.benchmarks.load import SIZE, VoidError
from tests.benchmarks.measure import Figures, Plan, turn
from tests.benchmarks.peers import PEERS, Peer, Place
from tests.benchmarks.sink import ROOT, Sink, ceiling

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = [peer.name for peer in PEERS]
# A sender that takes more of the sink than this is measured together with it.
_FREE = 0.5

Results = dict[str, list[Figures | None]]


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often each peer runs.")
@click.option("--files", default=2_000, show_default=True, type=click.IntRange(2), help="Documents in a burst.")
@click.option("--paced", default=200, show_default=True, type=click.IntRange(2), help="Documents at 20 a second.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds the sink takes to answer.")
@click.option("--workers", default=4, show_default=True, help="The daemon's api.workers.")
@click.option("--peer", "names", multiple=True, type=click.Choice(_NAMES), help="Only this one; may be repeated.")
@click.option("--quick", is_flag=True, help="A smoke run: 1 round, 100 files, 20 paced. Its figures mean little.")
@click.option("--folder", default=ROOT / "build", type=click.Path(path_type=Path), help="Work under this folder.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the table here too.")
def main(  # noqa: PLR0913 - click hands over one argument for each option
    *,
    rounds: int,
    files: int,
    paced: int,
    latency: float,
    workers: int,
    names: tuple[str, ...],
    quick: bool,
    folder: Path,
    markdown: Path | None,
) -> None:
    """Measure the daemon beside the naive script and a shell loop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if quick:
        rounds, files, paced = 1, 100, 20
    plan = Plan(rounds, files, paced, workers, latency)
    peers = _present([peer for peer in PEERS if not names or peer.name in names])
    if not peers:
        sys.exit("nothing to measure")
    with Sink(latency) as sink:
        most = ceiling(sink, SIZE) if not latency else None
        about = _about(plan, most)
        click.echo(about)
        results = _measured(peers, sink, plan, folder)
    cells = table.rows(results, {peer.name: peer.title for peer in peers})
    Console(width=None if sys.stdout.isatty() else 140).print(table.terminal(cells))
    if markdown:
        markdown.write_text(f"{table.markdown(cells)}\n{about}\n")
    _warn_of_sink(results, most)
    sys.exit(not all(all(turns) for turns in results.values()))


def _present(peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers that can run here, saying which cannot."""
    for peer in peers:
        if missing := peer.missing():
            click.echo(f"skipped: {peer.title} ({' and '.join(missing)} not installed)")
    return [peer for peer in peers if not peer.missing()]


def _measured(peers: Sequence[Peer], sink: Sink, plan: Plan, folder: Path) -> Results:
    results: Results = {peer.name: [] for peer in peers}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=folder) as root:
        for number in range(1, plan.rounds + 1):
            for peer in peers:
                place = Place(Path(root) / f"{peer.name}-{number}", sink.base_url, plan.workers)
                results[peer.name].append(_reported(peer, place, sink, plan))
    return results


def _reported(peer: Peer, place: Place, sink: Sink, plan: Plan) -> Figures | None:
    """Take one turn and say in a line what came of it; None when it is void."""
    try:
        figures = turn(peer, place, sink, plan)
    except VoidError as error:
        click.echo(f"{place.root.name}: VOID: {error}")
        return None
    click.echo(
        f"{place.root.name}: {figures.rate:,.0f} files/s, {figures.cpu_ms:.2f} CPU ms/file, "
        f"{figures.p50_ms:.1f} / {figures.p99_ms:.1f} ms, {figures.idle_mb:.0f} / {figures.peak_mb:.0f} MB"
    )
    return figures


def _about(plan: Plan, most: float | None) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("requests", "urllib3", "watchdog"))
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    sink = f"sink ceiling: {most:,.0f} req/s" if most else f"sink latency: {plan.latency * 1000:g} ms"
    return (
        f"{machine}, {packages}; {plan.files:,} files of {SIZE // 1000} kB in a burst, {plan.paced} at "
        f"{plan.rate:g}/s, medians of {plan.rounds} interleaved rounds; daemon: settle.quiet 0, "
        f"{plan.workers} workers; {sink}"
    )


def _warn_of_sink(results: Results, most: float | None) -> None:
    fastest = max((figures.rate for turns in results.values() for figures in turns if figures), default=0.0)
    if most and fastest > most * _FREE:
        click.echo(f"The sink is too near: {fastest:,.0f} files/s reached {fastest / most:.0%} of its ceiling.")


if __name__ == "__main__":
    main()
