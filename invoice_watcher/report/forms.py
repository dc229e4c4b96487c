r"""The report's four forms: CSV for a spreadsheet, JSON for a program, a table for a terminal, plain lines for a pipe.

Each is written line by line, and holds one invoice a line. Names and reasons come from strangers, so in none of them
can they start a line, move a cursor, or (in CSV) become a formula. Pure; raises nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape
from invoice_watcher.report.lines import TAKEN_AWAY, Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoice_watcher.report.ledger import Ledger, Widths

# What makes a spreadsheet compute a cell. The apostrophe is the one that we put in front of these: where there is one
# already it gets a second, so that taking one away always gives back the text. The signs of full width count where
# people write so.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r'")
# A spreadsheet of a country whose lists are parted by semicolons would begin a new cell here.
_SECOND_CELL = re.compile(r";(?=[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_LONGEST = {"order_id": 24, "file": 40}
_MOMENT = len("2026-11-22T10:15:02")


def as_csv(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the lines of a CSV file: RFC 4180, with a header."""
    row = io.StringIO()
    writer = csv.writer(row)  # whose defaults are those of RFC 4180
    for cells in _rows(lines):
        writer.writerow(cells)
        yield row.getvalue()
        row.seek(0)
        row.truncate()


def _rows(lines: Iterable[Line]) -> Iterator[tuple[object, ...]]:
    yield Line._fields
    for line in lines:
        yield tuple(_cell(one) for one in line)


def _cell(content: str | int | None) -> object:
    if isinstance(content, bool):
        return "true" if content else "false"
    return safe_cell(content) if isinstance(content, str) else content


def safe_cell(text: str) -> str:
    r"""Return text that no spreadsheet takes for a formula, with all that does not print as an escape.

    One that begins with `=`, `+`, `-`, `@`, a tab or a carriage return (or with an apostrophe) gets an apostrophe in
    front (OWASP, CSV injection).
    """
    shown = _SECOND_CELL.sub(r"\\x3b", escape(text))
    return f"'{shown}" if text.startswith(_FORMULA) else shown


def as_json(ledger: Ledger, lines: Iterable[Line]) -> Iterator[str]:
    r"""Yield one JSON document: the invoices, and what they come to; all that is not ASCII as `\uXXXX`."""
    yield '{"invoices": ['
    comma = "\n"
    for line in lines:
        yield f"{comma}{json.dumps(line._asdict())}"
        comma = ",\n"
    yield f'\n],\n"totals": {json.dumps(_totals(ledger))}}}\n'


def _totals(ledger: Ledger) -> dict[str, object]:
    sums = {state: {"count": found.documents, "bytes": found.size} for state, found in ledger.sums().items()}
    reasons = {reason or "unknown": count for reason, count in ledger.reasons()}
    return {**sums, "reasons": reasons, "unreadable": sum(1 for _ in ledger.wrong())}


def as_text(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a line for each, parted by tabs: time, state, order, file, bytes, and what else there is to say."""
    for line in lines:
        cells = (line.finished_at, line.state, line.order_id or "-", line.file, str(line.size), _detail(line))
        yield "\t".join(map(escape, cells))


def as_table(lines: Iterable[Line], widths: Widths) -> Iterator[tuple[str, str]]:
    """Yield the lines of a table, each with its state; the first is the header's, with none."""
    order, file = (min(width, longest) for width, longest in zip(widths[:2], _LONGEST.values(), strict=True))
    order, file, size = max(order, 5), max(file, 4), max(widths.size, 5)
    yield f"{'finished (UTC)':{_MOMENT}}  {'state':10}  {'order':{order}}  {'file':{file}}  {'bytes':>{size}}", ""
    for line in lines:
        moment = escape(line.finished_at)[:_MOMENT].replace("T", " ")
        cells = f"{_fit(line.order_id or '-', order)}  {_fit(line.file, file)}  {line.size:>{size}}"
        yield (
            f"{moment:{_MOMENT}}  {line.state.replace('_', ' '):10}  {cells}  {escape(_detail(line))}".rstrip(),
            line.state,
        )


def _fit(text: str, width: int) -> str:
    shown = escape(text)
    return f"{shown:{width}}" if len(shown) <= width else f"{shown[: width - 1]}…"


def _detail(line: Line) -> str:
    parts = []
    if line.error_reason is not None:
        parts.append(f"{line.error_code} {line.error_reason}" if line.error_code is not None else line.error_reason)
    if line.replaced_by is not None:
        parts.append(f"replaced by {line.replaced_by}")
    if line.in_doubt:
        parts.append("in doubt")
    if line.remark is not None:
        parts.append(line.remark)
    return "; ".join(parts)


def total_lines(ledger: Ledger) -> Iterator[str]:
    """Yield, in words, what the lines come to."""
    for state, found in ledger.sums().items():
        if not found.documents and state == TAKEN_AWAY:
            continue
        yield f"{found.documents:,} {state.replace('_', ' ')}, {found.size:,} bytes"
    for reason, count in ledger.reasons():
        yield f"  {count:,} failed: {escape(reason or 'for a reason that is not known')}"
