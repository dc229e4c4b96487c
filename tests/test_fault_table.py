"""The table of faults/README.md: each fault has a test, or the reason why it has none."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
FAULTS = TESTS / "faults"
TABLE = (FAULTS / "README.md").read_text(encoding="utf-8").split("## The table")[1].split("## The means")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "---" not in line and "| fault |" not in line]
_TEST = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
_REASON = "not tested"


def test_each_fault_has_a_test_or_a_reason() -> None:
    """Nobody can add a row to the table and leave it at that."""
    assert len(ROWS) > 30
    assert [row for row in ROWS if not _TEST.search(row) and _REASON not in row] == []


def test_each_test_that_is_named_is_there() -> None:
    """Whoever doubts a row can run the test that stands in it."""
    named = set(_TEST.findall(TABLE))
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (TESTS / path).is_file() or f"def {name}(" not in (TESTS / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_each_test_here_stands_in_the_table() -> None:
    """Whoever looks for what is proved of a fault finds all of it in one row."""
    written = {
        (str(path.relative_to(TESTS)), name)
        for path in FAULTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert sorted(written - set(_TEST.findall(TABLE))) == []
