"""The ledger: in order of time, with what replaced what, and flat memory however much there is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.errors import FolderUnavailableError
from invoice_watcher.report import ledger
from invoice_watcher.report.ledger import Sum
from tests.integration.program import ROOT
from tests.report.test_forms import FAILED, LINE

if TYPE_CHECKING:
    from invoice_watcher.report import Line


def delivery(file: str, finished_at: str, order_id: str | None = "1", state: str = "delivered") -> Line:
    """Return a line that differs in what matters here."""
    return LINE._replace(file=file, finished_at=finished_at, order_id=order_id, state=state)


def listed(lines: list[Line], month: str | None = None) -> list[tuple[str, str | None]]:
    """Return the files in the order in which they are told, each with what replaced it."""
    with ledger(month) as book:
        book.fill((line, False) for line in lines)
        return [(line.file, line.replaced_by) for line in book.lines()]


def test_lines_are_told_by_their_time() -> None:
    """Whatever order the folder has: the first decision is told first, and in one instant by name."""
    lines = [delivery("b", "2026-11-02", None), delivery("a", "2026-11-02", None), delivery("c", "2026-11-01", None)]
    assert [file for file, _ in listed(lines)] == ["c", "a", "b"]


def test_a_later_delivery_replaces_an_earlier_one() -> None:
    """The API takes the second upload for an order as an update: each is replaced by the next, the last by none."""
    lines = [delivery(str(day), f"2026-11-0{day}") for day in (3, 1, 2)] + [delivery("other", "2026-11-09", "2")]
    assert listed(lines) == [("1", "2"), ("2", "3"), ("3", None), ("other", None)]


def test_what_failed_replaces_nothing_but_is_made_good() -> None:
    """A failure leaves the API's document as it was; a later delivery is what went through in its place."""
    lines = [delivery("1", "2026-11-01"), delivery("2", "2026-11-02", state="failed"), delivery("3", "2026-11-03")]
    assert listed(lines) == [("1", "3"), ("2", "3"), ("3", None)]
    assert listed(lines[:2]) == [("1", None), ("2", None)]


def test_documents_of_no_order_replace_none() -> None:
    """Two documents whose order nobody knows have nothing to do with each other."""
    found = listed([delivery("1", "2026-11-01", None), delivery("2", "2026-11-02", None)])
    assert [replaced_by for _, replaced_by in found] == [None, None]


def test_one_month() -> None:
    """`report` for a month tells and sums that month's; what was delivered later replaces them all the same."""
    lines = [delivery(month, f"{month}-15T10:00:00.000Z") for month in ("2026-10", "2026-11", "2026-12")]
    with ledger("2026-11") as book:
        book.fill((line._replace(remark="odd"), True) for line in lines)
        assert [(line.file, line.replaced_by) for line in book.lines()] == [("2026-11", "2026-12")]
        assert book.sums()["delivered"] == Sum(1, LINE.size)
        assert book.count == 1
        assert list(book.wrong()) == [("done/2026-11", "odd")]


def test_what_is_wrong_is_named_with_its_folder() -> None:
    """What is wrong in done or failed is named with its folder, so that somebody finds it."""
    with ledger(None) as book:
        book.fill([(LINE._replace(remark="odd"), True), (LINE, False), (FAILED._replace(remark="bad"), True)])
        assert sorted(book.wrong()) == [("done/2026-11/12345.pdf", "odd"), ("failed/1.pdf", "bad")]


def test_an_empty_ledger() -> None:
    """Where nothing was ever filed the report is empty, its totals nought, and that is no fault."""
    with ledger(None) as book:
        book.fill([])
        assert not [*book.lines(), *book.wrong(), *book.reasons()]
        assert (book.count, book.widths()) == (0, (0, 0, 0))
        assert book.sums() == {"delivered": Sum(), "failed": Sum(), "taken_away": Sum()}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans()), max_size=20, unique=True))
def test_replacing_agrees_with_a_plain_search(found: list[tuple[int, int, bool]]) -> None:
    """For any mixture of orders, times and failures: the next delivery of the same order, or none."""
    lines = [
        delivery(f"{order}-{day}-{ok}", f"{day}", str(order), "delivered" if ok else "failed")
        for order, day, ok in found
    ]
    for file, replaced_by in listed(lines):
        (this,) = (line for line in lines if line.file == file)
        later = [
            (line.finished_at, line.file)
            for line in lines
            if line.order_id == this.order_id
            and line.state == "delivered"
            and (line.finished_at, line.file) > (this.finished_at, this.file)
        ]
        assert replaced_by == (min(later)[1] if later else None)


_MANY = """
import resource
from tests.report.test_forms import LINE
from invoice_watcher.report import as_csv, ledger
def line(number):
    return LINE._replace(order_id=str(number % 1000), finished_at=str(number * 7919 % 10_007)), False
def peak(number):
    with ledger(None) as book:
        book.fill(map(line, range(number)))
        assert sum(1 for _ in as_csv(book.lines())) == number + 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
few, many = peak(20_000), peak(100_000)
print(many - few)
"""


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    """Five times as many receipts take no more memory than the few did: SQLite's 8 MiB, and a little."""
    done = subprocess.run([sys.executable, "-c", _MANY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12 * 1024  # KiB


def test_a_full_disk_for_temporary_files_is_told() -> None:
    """What does not fit ends in a sentence that says where to make room, and no traceback."""

    def fill() -> None:
        with ledger(None) as book:
            book._room.execute("PRAGMA max_page_count = 10")
            book.fill((LINE._replace(file=str(number) * 100), False) for number in range(10_000))

    with pytest.raises(FolderUnavailableError, match=r"\$SQLITE_TMPDIR"):
        fill()
