"""Smoke tests of the parts that measure how cost grows: backlog, archive, fairness; twenty seconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.benchmarks.part import Bench
from tests.benchmarks.parts import archive, backlog, fairness

if TYPE_CHECKING:
    from pathlib import Path


def test_backlogs_of_all_sizes_are_measured(tmp_path: Path) -> None:
    """A maintainer sees what a backlog costs, and how long a newcomer waits beside it."""
    result = backlog.measure(Bench(tmp_path, 2, quick=True))
    first, memory, rate, newcomer = result.rows
    assert 0 < first.reached < 30
    assert abs(memory.reached) < 30
    assert rate.reached > 0
    assert newcomer.reached > 0
    (table,) = result.tables
    assert [line[0] for line in table.lines] == ["25", "50", "300"]
    assert [curve.name for curve in result.curves] == [
        "backlog-first",
        "backlog-rate",
        "backlog-memory",
        "backlog-cost",
    ]


def test_a_full_done_folder_is_measured_beside_an_empty_one(tmp_path: Path) -> None:
    """A maintainer sees whether years of delivered invoices slow down the next."""
    result = archive.measure(Bench(tmp_path, 1, quick=True))
    assert [row.reached > 0 for row in result.rows] == [True]
    assert [line[0] for line in result.tables[0].lines] == ["empty", "1,000 files"]
    assert len(os.listdir(tmp_path / "full" / "drop" / "done")) == 1_000 + 2 * 51


def test_the_wait_of_either_owner_is_measured(tmp_path: Path) -> None:
    """A maintainer sees how long one owner's document waits beside another's flood; who is not root reads why not."""
    result = fairness.measure(Bench(tmp_path, 1, quick=True))
    if os.geteuid():
        assert result.void == ["fairness: only root can make files of two owners"]
        return
    (row,) = result.rows
    assert 0 < row.reached < 30
    assert [line[:2] for line in result.tables[0].lines] == [["who floods", "60"], ["the other", "3"]]
