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

import errno
import heapq
import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoice_watcher.errors import FolderError, FolderUnavailableError
from invoice_watcher.escaping import encodable
from invoice_watcher.naming import Naming
from invoice_watcher.receipt import SUFFIX, Receipt, ReceiptError, decode
from invoice_watcher.spool.filing import LARGEST_RECEIPT, trusted
from invoice_watcher.spool.folders import Folder, open_folder
from invoice_watcher.spool.shelves import MONTH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LITTER = Naming.of("")  # whose built-in patterns are all that is asked for
# A change within one tick of the file system's clock leaves its time as it is; network file systems have the coarsest.
_TICK_NS = 2_000_000_000
_LONG = 0.05  # seconds; after a look that took longer,
_REST = 20  # times as long as that there is none
_DAMAGED = "its receipt is damaged, or that of another file"
_FOREIGN = "its receipt was written by somebody else, and is not believed"


@dataclass(frozen=True, slots=True)
class Filing:
    """One thing in the archive: a document, a receipt, or both.

    Attributes:
        folder: done, failed, or a month's folder in done.
        file: the name of the file there: the document, or the receipt where somebody took the document away.
        name: the document's; None where only its receipt is left.
        receipt: None when there is none, or when it cannot be believed.
        size: bytes of that file.
        changed: when it was filed, or changed since, seconds since the epoch.
        fault: why the receipt that lies there cannot be used, in words; None when nothing is wrong.
    """

    folder: Path
    file: str
    name: str | None
    receipt: Receipt | None
    size: int
    changed: float
    fault: str | None = None

    @property
    def path(self) -> Path:
        """Where that file lies."""
        return self.folder / self.file


@dataclass(frozen=True, slots=True)
class FailedNow:
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
    with _opened(folder) as room:
        yield from room.filings()
        inner = room.months() if months else []
    for month in inner:
        with _opened(folder / month) as room:
            yield from room.filings()


def filing(folder: Path, name: str) -> Filing | None:
    """Return what lies under one name, or what is left of it, its receipt; None when there is neither."""
    with _opened(folder) as room:
        return room.filing(name) or room.filing(name + SUFFIX)


def shelves_of(done: Path) -> list[Path]:
    """Return the folders in which delivered documents lie: done itself, and those of the months, the newest first."""
    with _opened(done) as room:
        return [done, *(done / month for month in sorted(room.months(), reverse=True))]


def last_delivered(done: Path, most: int) -> list[Filing]:
    """Return the deliveries that were filed last, the newest first, at most so many; some documents have no receipt."""
    with _opened(done) as room:
        newest = room.newest(most)[1]
        months = sorted(room.months(), reverse=True)
    of_months: list[Filing] = []
    for month in months:
        if len(of_months) >= most:
            break
        with _opened(done / month) as room:
            of_months += room.newest(most)[1]
    return heapq.nlargest(most, [*newest, *of_months], key=lambda filing: filing.changed)


def order_of(filing: Filing, naming: Naming) -> str | None:
    """Return the order of something that is filed: as its receipt tells, or, without one, as its name does."""
    if filing.receipt is not None:
        return filing.receipt.order_id
    order_id = naming.read(filing.name).order_id if filing.name is not None else None
    return None if order_id is None else str(order_id)  # JSON knows no other kind of text


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
        self._state: tuple[int, ...] = ()
        self._rest_until = 0.0

    def now(self) -> FailedNow:
        """Return what lies there. Raises nothing: a folder that is away is told as such."""
        started = time.monotonic()
        if self._known is not None and started < self._rest_until:
            return self._known
        try:
            with _opened(self._folder) as room:
                return self._look(room, started)
        except FolderError as error:
            self._known = None
            return FailedNow(None, (), str(error))

    def _look(self, room: _Room, started: float) -> FailedNow:
        state = room.state()
        if self._known is not None and state == self._state:
            return self._known
        looked_ns = time.time_ns()
        count, newest = room.newest(self._most)
        self._known = FailedNow(count, tuple(newest))
        # A change in the same tick as the one before would leave the folder's time as it is.
        self._state = state if state[-1] < looked_ns - _TICK_NS else ()
        took = time.monotonic() - started
        self._rest_until = started + _REST * took if took > _LONG else started
        return self._known


class _Room:
    """One folder of the archive, open: done, failed, or a month of done."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        others_write = os.fstat(folder.fd).st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        self._believed = trusted(folder) if others_write else None

    def state(self) -> tuple[int, ...]:
        """Return what changes when something comes, goes or gets another name; its time is the last."""
        return (*self._folder.identity, os.fstat(self._folder.fd).st_mtime_ns)

    def months(self) -> list[str]:
        """Return the names of the folders in it that hold a month's documents."""
        with os.scandir(self._folder.fd) as entries:
            return [one.name for one in entries if MONTH.fullmatch(one.name) and one.is_dir(follow_symlinks=False)]

    def filings(self) -> Iterator[Filing]:
        """Iterate over all that lies here."""
        return (found for name in self._names() if (found := self.filing(name)) is not None)

    def newest(self, most: int) -> tuple[int, list[Filing]]:
        """Return how many documents lie here, and those of them that were filed last, the newest first."""
        count = 0

        def documents() -> Iterator[tuple[int, str]]:
            nonlocal count
            for name in self._names():
                if self._is_document(name) and (found := self._stat(name)) is not None:
                    count += 1
                    yield found.st_ctime_ns, name

        names = [name for _, name in heapq.nlargest(max(most, 1), documents())][:most]
        return count, [found for name in names if (found := self.filing(name)) is not None]

    def _names(self) -> Iterator[str]:
        with os.scandir(self._folder.fd) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False) and not _LITTER.is_ignored(entry.name):
                    yield entry.name

    def filing(self, name: str) -> Filing | None:
        """Return what a name stands for; None for a receipt that is told of with its document, and what is gone."""
        receipt, fault = self._receipt_of(name)
        document: str | None = name
        if fault is _DAMAGED and self._receipt_of(name + SUFFIX)[0] is not None:
            fault = None  # it is none: what lies there is a document
        if receipt is None and name.endswith(SUFFIX):
            if self._stat(name.removesuffix(SUFFIX)) is not None:
                return None
            orphan, doubt = self._receipt_of(name.removesuffix(SUFFIX))
            if orphan is not None or doubt is _FOREIGN:
                document, receipt, fault = None, orphan, doubt
        if (found := self._stat(name)) is None:
            return None
        return Filing(self._folder.path, name, document, receipt, found.st_size, found.st_ctime_ns / 1e9, fault)

    def _is_document(self, name: str) -> bool:
        """Tell the same without reading a receipt, in all but the odd cases."""
        return not name.endswith(SUFFIX) or ((found := self.filing(name)) is not None and found.name is not None)

    def _stat(self, name: str) -> os.stat_result | None:
        """Return what is known of a regular file; None when there is none of that name."""
        try:
            found = os.stat(name, dir_fd=self._folder.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except PermissionError:  # as in the spool: somebody's own mount, and so no file
            os.stat(".", dir_fd=self._folder.fd)
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _receipt_of(self, document: str) -> tuple[Receipt | None, str | None]:
        """Return the receipt of a document, or why the one that lies there cannot be used."""
        try:
            fd = os.open(document + SUFFIX, _OPEN, dir_fd=self._folder.fd)
        except OSError as error:
            missing = error.errno in {errno.ENOENT, errno.ENAMETOOLONG}
            return None, None if missing else f"its receipt cannot be read: {error.strerror}"
        try:
            return self._judged(fd, document)
        except ReceiptError:
            return None, _DAMAGED
        except OSError as error:
            return None, f"its receipt cannot be read: {error.strerror}"
        finally:
            os.close(fd)

    def _judged(self, fd: int, document: str) -> tuple[Receipt | None, str | None]:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None, _DAMAGED
        receipt = decode(os.read(fd, min(found.st_size, LARGEST_RECEIPT)))
        if receipt.file != encodable(document):
            return None, _DAMAGED
        if self._believed is not None and found.st_uid not in self._believed:
            return None, _FOREIGN
        return receipt, None


@contextmanager
def _opened(path: Path) -> Iterator[_Room]:
    """Open a folder for the length of a block; whatever fails in the block is the folder's fault."""
    folder = open_folder(path)
    try:
        yield _Room(folder)
    except PermissionError as error:
        raise FolderError(f"{path} may not be read by this user") from error
    except OSError as error:
        raise FolderUnavailableError(f"{path} cannot be read now: {error.strerror}") from error
    finally:
        os.close(folder.fd)
