"""Smoke tests of the parts that measure a daemon with little to do: memory, idle, start; twenty seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.part import Bench
from tests.benchmarks.parts import idle, memory, start

if TYPE_CHECKING:
    from pathlib import Path


def test_memory_is_measured_at_rest_and_at_its_peak(tmp_path: Path) -> None:
    """A maintainer sees what a worker costs, and that no document was left out."""
    result = memory.measure(Bench(tmp_path, 1, quick=True))
    rest, peak = result.rows
    assert 1 < rest.reached < 3
    assert peak.what == "memory for each of 2 workers, all on 200 kB documents"
    assert 0 <= peak.reached < 10
    (table,), (curve,) = result.tables, result.curves
    assert len(table.lines) == 3
    assert [len(points) for points in curve.lines.values()] == [2]


def test_waiting_is_counted_in_wake_ups_and_cpu_up_to_a_week(tmp_path: Path) -> None:
    """A maintainer sees what a week of waiting costs, with a watchdog and metrics and without."""
    result = idle.measure(Bench(tmp_path, 1, quick=True))
    assert [row.unit for row in result.rows] == ["", " s", "", " s"]
    (table,) = result.tables
    assert len(table.lines) == 3
    for _, wake_ups, cpu, weekly, _ in table.lines:
        assert float(weekly.replace(",", "")) >= float(wake_ups) * 600_000
        assert float(cpu) < 60_000


def test_the_start_is_measured_beside_bare_processes(tmp_path: Path) -> None:
    """A maintainer sees how much of the start is the libraries' and how much the interpreter's."""
    result = start.measure(Bench(tmp_path, 1, quick=True))
    ratio, absolute = result.rows
    assert ratio.reached > 0.5
    assert absolute.reached > 0.05
    (table,) = result.tables
    ours, theirs, interpreter = (float(line[1]) for line in table.lines)
    assert interpreter < theirs
    assert interpreter < ours
