"""The report's forms: what a spreadsheet, a program and a person read is what the receipts say, and nothing more."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invoice_watcher.escaping import encodable, escape
from invoice_watcher.report import Line, as_csv, as_json, as_table, as_text, ledger, total_lines
from invoice_watcher.report.forms import safe_cell
from invoice_watcher.report.ledger import Widths

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = Line(
    order_id="12345",
    file="2026-11/12345.pdf",
    state="delivered",
    received_at="2026-11-22T10:15:00.123Z",
    finished_at="2026-11-22T10:15:02.456Z",
    size=30211,
    sha256="9f86",
    attempts=1,
    in_doubt=False,
    owner="anna",
    http_status=200,
    error_code=None,
    error_reason=None,
    remark=None,
)
FAILED = LINE._replace(state="failed", file="1.pdf", order_id=None, error_code=100, error_reason="bad_name", size=5)
HOSTILE = "\x1b[31m\u202e=\r\n\t\x00,\"';é"

SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # those of full width too
TEXTS = st.text() | st.sampled_from(["=1+1", "+1", "-rf", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "", HOSTILE])
LINES = st.builds(
    LINE._replace, order_id=st.none() | TEXTS, file=TEXTS, owner=TEXTS, error_reason=TEXTS, in_doubt=st.booleans()
)


def read_csv(lines: Iterable[Line]) -> list[dict[str, str]]:
    """Return what a program reads that knows nothing but the standard."""
    return list(csv.DictReader(io.StringIO("".join(as_csv(lines)), newline=""), strict=True))


def unguarded(cell: str) -> str:
    """Take away the apostrophe in front, where there is one."""
    return cell.removeprefix("'")


@given(st.lists(LINES, max_size=3))
@example([LINE._replace(file=HOSTILE, owner='"=1"\n')])
def test_csv_gives_back_what_was_put_in(lines: list[Line]) -> None:
    """Every cell comes back as the text it was, with what does not print escaped, whatever it holds."""
    rows = read_csv(lines)
    assert len(rows) == len(lines)
    for line, row in zip(lines, rows, strict=True):
        for column in ("order_id", "file", "owner", "error_reason"):
            content = getattr(line, column) or ""
            assert unguarded(row[column]).replace(r"\x3b", ";") == escape(content).replace(r"\x3b", ";")
        assert row["in_doubt"] == ("true" if line.in_doubt else "false")
        assert (row["size"], row["error_code"]) == ("30211", "")


@given(TEXTS)
@example('1;"=1')
@example("\uff1d1+1")
@example("1;\uff201")
def test_no_cell_is_a_formula(text: str) -> None:
    """A file called =cmd|… is text to a spreadsheet; also in a country where semicolons part the cells."""
    cell = safe_cell(text)
    assert not cell.startswith((*SIGNS, "\t", "\r"))
    assert cell.isprintable()
    (row,) = list(as_csv([LINE._replace(file=text)]))[1:]
    assert not any(part.lstrip().startswith(SIGNS) for part in next(csv.reader([row], delimiter=";"))[1:])


@given(st.lists(LINES, max_size=3))
def test_csv_has_one_line_for_each_invoice(lines: list[Line]) -> None:
    """RFC 4180: a header, one line each, all ended by CR LF; nothing else in it ends a line, or moves a cursor."""
    text = "".join(as_csv(lines))
    assert text.endswith("\r\n")
    rows = text.removesuffix("\r\n").split("\r\n")
    assert rows[0] == ",".join(Line._fields)
    assert len(rows) == len(lines) + 1
    assert all(row.isprintable() for row in rows)


@given(st.lists(LINES, max_size=3))
def test_json_gives_back_what_was_put_in(lines: list[Line]) -> None:
    """One document, one invoice a line, ASCII throughout; names are whole, for a program that looks for the files."""
    lines = [Line._make(encodable(value) if isinstance(value, str) else value for value in line) for line in lines]
    with ledger(None) as book:
        book.fill((line, False) for line in lines)
        text = "".join(as_json(book, lines))
    found = json.loads(text)
    assert [Line(**one) for one in found["invoices"]] == lines
    assert text.isascii()
    assert len(text.splitlines()) == len(lines) + 3
    assert all(line.isprintable() for line in text.splitlines())


def test_json_totals() -> None:
    """Totals as JSON: documents and bytes of each state, also of an empty one, and how often each reason."""
    with ledger(None) as book:
        book.fill([(LINE, False), (FAILED, True), (FAILED._replace(error_reason=None), False)])
        totals = json.loads("".join(as_json(book, book.lines())))["totals"]
    assert totals == {
        "delivered": {"count": 1, "bytes": 30211},
        "failed": {"count": 2, "bytes": 10},
        "taken_away": {"count": 0, "bytes": 0},
        "reasons": {"bad_name": 1, "unknown": 1},
        "unreadable": 1,
    }


def test_text() -> None:
    """The report in a pipe has tabs between its columns, so that `cut` works, and a dash where there is no order."""
    replaced = LINE._replace(replaced_by="2.pdf", in_doubt=True)
    assert list(as_text([replaced, FAILED])) == [
        "2026-11-22T10:15:02.456Z\tdelivered\t12345\t2026-11/12345.pdf\t30211\treplaced by 2.pdf; in doubt",
        "2026-11-22T10:15:02.456Z\tfailed\t-\t1.pdf\t5\t100 bad_name",
    ]


@given(LINES)
def test_hostile_text_stays_in_its_column(line: Line) -> None:
    """No name starts a line, adds a column or moves a cursor, in a pipe or on a terminal."""
    (text,) = as_text([line])
    assert len(text.split("\t")) == 6
    assert text.replace("\t", "").isprintable()
    assert all(row.isprintable() for row, _ in as_table([line], Widths(10, 10, 10)))


def test_table() -> None:
    """The report on a terminal is aligned under a header; what is too long for its column is cut."""
    rows = [row for row, _ in as_table([LINE, FAILED._replace(file="x" * 99)], Widths(5, 99, 5))]
    assert rows == [
        f"finished (UTC)       state       order  {'file':40}  bytes",
        f"2026-11-22 10:15:02  delivered   12345  {'2026-11/12345.pdf':40}  30211",
        f"2026-11-22 10:15:02  failed      -      {'x' * 39}…      5  100 bad_name",
    ]


@pytest.mark.parametrize("taken", [0, 1])
def test_totals_in_words(taken: int) -> None:
    """The report ends with how many, how many bytes, and why they failed; an escape in a reason does nothing."""
    with ledger(None) as book:
        lines = [LINE, FAILED, FAILED._replace(error_reason="\x1b[2J"), *[LINE._replace(state="taken_away")] * taken]
        book.fill((line, False) for line in lines)
        told = list(total_lines(book))
    assert told[:2] == ["1 delivered, 30,211 bytes", "2 failed, 10 bytes"]
    assert told[2 : 2 + taken] == ["1 taken away, 30,211 bytes"] * taken
    assert told[2 + taken :] == ["  1 failed: \\x1b[2J", "  1 failed: bad_name"]
