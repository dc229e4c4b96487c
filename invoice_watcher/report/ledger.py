"""All lines of a report, sorted by time, and what they come to; however many they are, memory stays flat.

The lines lie in a scratch database: sorting them, and finding the delivery that replaced another, takes all of them.
Raises FolderUnavailableError (see `scratch`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.report.lines import DELIVERED, FAILED, TAKEN_AWAY, Line
from invoice_watcher.scratch import Scratch, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COLUMNS = ("wrong", *Line._fields[:-1])  # the last one, `replaced_by`, is found when all lines are there
_TABLE = f"CREATE TABLE lines ({', '.join(_COLUMNS)})"
_INSERT = f"INSERT INTO lines VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - question marks
_DELIVERIES = "CREATE INDEX deliveries ON lines (order_id, finished_at, file) WHERE state = 'delivered'"
_SORTED = """SELECT this.*, (
        SELECT later.file FROM lines AS later
        WHERE later.state = 'delivered' AND later.order_id = this.order_id
        AND (later.finished_at, later.file) > (this.finished_at, this.file)
        ORDER BY later.finished_at, later.file LIMIT 1
    ) FROM lines AS this WHERE finished_at GLOB ? ORDER BY finished_at, file"""
_WRONG = "SELECT file, state, remark FROM lines WHERE wrong AND finished_at GLOB ? ORDER BY finished_at, file"
_STATES = "SELECT state, count(*), sum(size) FROM lines WHERE finished_at GLOB ? GROUP BY state"
_REASONS = """SELECT error_reason, count(*) FROM lines WHERE state = 'failed' AND finished_at GLOB ?
    GROUP BY error_reason ORDER BY count(*) DESC, error_reason"""
_WIDTHS = "SELECT max(length(order_id)), max(length(file)), max(length(size)) FROM lines WHERE finished_at GLOB ?"


class Sum(NamedTuple):
    """How many documents, and their bytes."""

    documents: int = 0
    size: int = 0


class Widths(NamedTuple):
    """The longest order id, file and size, in characters."""

    order_id: int
    file: int
    size: int


class Ledger:
    """The lines; read once they are all in it, those of one month, or all."""

    def __init__(self, room: Scratch, month: str | None) -> None:
        """Begin with none.

        Args:
            room: an empty database.
            month: `2026-11`, for those of that month, in UTC; later deliveries count as replacing them all the same.
        """
        self._room = room
        self._month = (f"{month}-*" if month else "*",)
        room.execute(_TABLE)

    def fill(self, lines: Iterable[tuple[Line, bool]]) -> None:
        """Take in the lines, each with whether something is wrong there."""
        self._room.executemany(_INSERT, ((wrong, *line[:-1]) for line, wrong in lines))
        self._room.execute(_DELIVERIES)

    @property
    def count(self) -> int:
        """How many lines there are to read."""
        return sum(one.documents for one in self.sums().values())

    def lines(self) -> Iterator[Line]:
        """Iterate over the lines, by the time at which each was decided."""
        for row in self._room.execute(_SORTED, self._month):
            line = Line(*row[1:])
            yield line if line.in_doubt is None else line._replace(in_doubt=bool(line.in_doubt))

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Iterate over the documents with which something is wrong, each with what it is."""
        for file, state, remark in self._room.execute(_WRONG, self._month):
            yield f"{'done' if state == DELIVERED else 'failed'}/{file}", remark

    def sums(self) -> dict[str, Sum]:
        """Return what the lines come to, by their states; also of those in which there are none."""
        found = {state: Sum(*found) for state, *found in self._room.execute(_STATES, self._month)}
        return {DELIVERED: Sum(), FAILED: Sum(), TAKEN_AWAY: Sum()} | found

    def reasons(self) -> Iterator[tuple[str | None, int]]:
        """Iterate over the reasons of those that failed, the most frequent first, each with how often it is."""
        yield from self._room.execute(_REASONS, self._month)

    def widths(self) -> Widths:
        """Return how wide a table has to be."""
        return Widths(*(found or 0 for found in self._room.execute(_WIDTHS, self._month).fetchone()))


@contextmanager
def ledger(month: str | None) -> Iterator[Ledger]:
    """Open a ledger for the length of a block."""
    with scratch() as room:
        yield Ledger(room, month)
