"""Smoke tests of the benchmark: the command, and the parts `burst`, `duel`, `held` and `large`, at their smallest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.part import Bench
from tests.benchmarks.parts import burst, duel, large

if TYPE_CHECKING:
    from tests.benchmarks.part import Result

ROOT = Path(__file__).resolve().parents[2]
_no_curl = shutil.which("curl") is None
_no_inotifywait = shutil.which("inotifywait") is None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A smoke run."""
    return Bench(tmp_path, rounds=1, quick=True)


def _reached(result: Result) -> dict[str, float]:
    return {row.what: row.reached for row in result.rows}


def test_the_command_writes_a_report_with_the_targets_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    """A maintainer sees within seconds that the benchmark works, and finds all of it in one file, with its plots."""
    output, folder = tmp_path / "output", tmp_path / "work"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--part", "held"]
    run = subprocess.run(
        [*command, "--folder", str(folder), "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert run.returncode == _no_curl, run.stdout + run.stderr
    report = (output / "report.md").read_text()
    assert "`python -m tests.benchmarks --quick --part held" in report
    assert "| what | target | reached | measured | met? |" in report
    assert "| API latency 50 ms, 8 workers, of the ideal | ≥ 0.95 | 0." in report
    assert "![Throughput against API latency and workers](throughput.svg)" in report
    assert (output / "throughput.svg").exists() == ("no plots" not in run.stdout)
    assert list(folder.iterdir()) == []


def test_what_is_no_part_is_refused(tmp_path: Path) -> None:
    """The command refuses what is no part, so nobody waits for figures that do not come."""
    command = [sys.executable, "-m", "tests.benchmarks", "--part", "nothing", "--output", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "nothing" in run.stderr


@pytest.mark.skipif(_no_curl or _no_inotifywait, reason="needs curl and inotifywait")
def test_a_burst_compares_the_daemon_with_what_people_write(bench: Bench) -> None:
    """Each peer does the same work, all of it; a request comes before all is done, and after the quiet time."""
    result = burst.measure(bench)
    assert result.void == []
    reached = _reached(result)
    assert reached["burst, 4 workers, against inotifywait + curl + mv"] > 0.5
    # A file's own time may be one tick of the kernel's clock too early, 10 ms at most.
    assert 990 <= reached["the same, settle.quiet 1s: p50"] <= reached["the same, settle.quiet 1s: p99"]
    request, done = (curve.lines["invoice-watcher"] for curve in result.curves)
    assert 0 < request[50][0] < done[50][0]


def test_a_duel_compares_the_daemon_with_the_naive_script(bench: Bench) -> None:
    """Both do the same work, and one line of the table is the other's measure."""
    result = duel.measure(bench)
    assert not result.void
    reached = _reached(result)
    assert reached["burst, 4 workers, against naive watchdog + requests"] > 0.1
    assert 0 < reached["CPU per file, against naive watchdog + requests"] < 10
    (table,) = result.tables
    assert table.lines[1][2] == table.lines[1][4] == "1.00"


@pytest.mark.skipif(_no_curl, reason="needs curl")
def test_large_documents_are_compared_with_loops_that_only_upload(bench: Bench) -> None:
    """Every sender delivers every large document whole, or there would be no figure of it."""
    result = large.measure(bench)
    assert result.void == []
    (table,) = result.tables
    assert [line[0] for line in table.lines] == ["invoice-watcher", "bare requests loop", "curl -Z"]
    assert all(float(line[1]) > 0 for line in table.lines)
