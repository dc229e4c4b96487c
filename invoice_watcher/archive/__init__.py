"""The archive: what lies in the done and the failed folder, each document with the receipt that tells of it.

Only looked at, never changed, without a lock, by whoever may read there. Documents and receipts are told apart by what
is in them, for a receipt may be an invoice like any other: people move one back together with its document, and it is
then rejected for its name. So

    N.json     is the receipt of N when it says so; and whatever lies under that name beside N is its receipt, readable
               or not, unless it has a receipt of its own
    N          is a document in all other cases

Guarantees: no link is followed, nothing but a regular file of at most 64 KiB is read, and where others may write, no
receipt is believed that they may have written (the same rule as the spool's); memory stays flat, however much is filed;
files that come and go meanwhile do no harm. Raises FolderError and its kin for a folder that cannot be read, but for
`Failed`, which says so.
"""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

from invoice_watcher.archive.room import Filing, opened
from invoice_watcher.errors import FolderError
from invoice_watcher.pacing import Looks, Pace
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from invoice_watcher.naming import Naming

__all__ = ["Failed", "FailedNow", "Filing", "filed", "filing", "last_delivered", "order_of", "shelves_of"]


class FailedNow(Record, frozen=True):
    """What lies in the failed folder.

    Attributes:
        count: documents; None when the folder cannot be read.
        newest: those that were filed last, the newest first, as many as were asked for.
        trouble: why nothing is known, in words; None when the folder can be read.
    """

    count: int | None
    newest: tuple[Filing, ...]
    trouble: str | None = None


def filed(folder: Path, *, months: bool = True) -> Iterator[Filing]:
    """Iterate over all that is filed in a done or a failed folder, in no order.

    What is filed, taken away or put back meanwhile may be left out.

    Args:
        folder: done or failed.
        months: whether to look into the folders of the months too, as there are in a done folder.
    """
    with opened(folder) as room:
        yield from room.filings()
        inner = room.months() if months else []
    for month in inner:
        with opened(folder / month) as room:
            yield from room.filings()


def filing(folder: Path, name: str) -> Filing | None:
    """Return what lies under one name, or what is left of it, its receipt; None when there is neither."""
    with opened(folder) as room:
        return room.filing(name) or room.filing(name + SUFFIX)


def shelves_of(done: Path) -> list[Path]:
    """Return the folders in which delivered documents lie: done itself, and those of the months, the newest first."""
    with opened(done) as room:
        return [done, *(done / month for month in sorted(room.months(), reverse=True))]


def last_delivered(done: Path, most: int, rest: Callable[[float], object] = time.sleep) -> list[Filing]:
    """Return the deliveries that were filed last, the newest first, at most so many; some documents have no receipt.

    In a folder with very many this takes minutes, for the daemon that asks has uploads to make: a twentieth of a
    processor is spent on it.

    Args:
        done: the done folder.
        most: how many.
        rest: waits for so many seconds; what it raises ends the look.
    """
    pace = Pace(rest)
    with opened(done, pace) as room:
        newest = room.newest(most)[1]
        months = sorted(room.months(), reverse=True)
    of_months: list[Filing] = []
    for month in months:
        if len(of_months) >= most:
            break
        with opened(done / month, pace) as room:
            of_months += room.newest(most)[1]
    return heapq.nlargest(most, [*newest, *of_months], key=lambda filing: filing.changed)


def order_of(filing: Filing, naming: Naming) -> str | None:
    """Return the order of something that is filed: as its receipt tells, or, without one, as its name does."""
    if filing.receipt is not None:
        return filing.receipt.order_id
    return naming.read(filing.name).order if filing.name is not None else None


class Failed:
    """The failed folder, cheap to ask about again and again: it is read anew only when something in it changed.

    Where a look takes long, for very much failed, none is taken again for twenty times as long. It is the caller's part
    to ask where nobody has to wait for the answer.
    """

    def __init__(self, folder: Path, most: int) -> None:
        """Look at this folder, when asked; tell of so many of the newest."""
        self._folder = folder
        self._most = most
        self._known: FailedNow | None = None
        self._looks = Looks()

    def now(self) -> FailedNow:
        """Return what lies there. Raises nothing: a folder that is away is told as such."""
        if self._known is not None and self._looks.rests:
            return self._known
        try:
            with opened(self._folder) as room, self._looks.at(room.fd) as has_changed:
                if self._known is None or has_changed:
                    count, newest = room.newest(self._most)
                    self._known = FailedNow(count, tuple(newest))
                return self._known
        except FolderError as error:
            self._known = None
            return FailedNow(None, (), str(error))
