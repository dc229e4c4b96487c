"""Which folder a decided document is put into: failed, done, or a month's folder in done (`done_layout: month`).

Also whether its receipt is put beside it: that of a failure always, that of a delivery where it is wished (`receipts`).

The month is that of the receipt's `finished_at`, in UTC, so a document and its receipt always lead to the same folder,
and a crash needs nothing but the note. Month folders are made on demand, with the rights of a new done folder, and are
on the disk before anything is put into them. One that cannot be used (its name is taken, it lies on another mount, its
rights are wrong) holds up nothing: the document is put into done itself, and that is said. Guarantees: a month's folder
is opened through done's descriptor without following links, only while it is needed, so a removed one is made anew.
Raises OSError.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from invoice_watcher.complaints import Complaints
from invoice_watcher.spool.folders import OPEN, Folder
from invoice_watcher.spool.syscalls import exists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool.folders import Folders

Result = TypeVar("Result")

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_MODE = 0o770  # less the umask; a setgid bit and the group come from done
_DAY = 86_400.0
# What says that the name leads to no folder of ours: open(2), with O_NOFOLLOW and O_DIRECTORY.
_NO_FOLDER = {
    errno.ENOTDIR: "is a file or a link, where a folder should be; take it away",
    errno.ELOOP: "is a link, where a folder should be; take it away",
    errno.EXDEV: "lies on another mount (or in another project's quota), so nothing can be renamed into it; unmount it",
}
# Why it cannot be used, and will not be until a person mends it. All else may pass, and is waited for.
_UNUSABLE = _NO_FOLDER | {
    errno.EROFS: _NO_FOLDER[errno.EXDEV],  # where done itself can be written, it is another mount that cannot
    errno.EACCES: "may not be made or used by this user; give it the owner and the rights of the one above it",
    errno.EPERM: "may not be made or changed; give it the owner, the rights and the flags of the one above it",
}


class Shelves:
    """The folders, seen as places for what has been decided."""

    def __init__(self, folders: Folders, *, monthly: bool, receipts: bool) -> None:
        """Put into these folders, delivered documents by their month, and with their receipts, if so wished."""
        self.folders = folders
        self._monthly = monthly
        self._receipts = receipts
        self._durable = ""  # the month whose folder is known to be on the disk
        self._making = threading.Lock()
        self._complaints = Complaints(_DAY)

    def wants_receipt(self, receipt: Receipt) -> bool:
        """Tell whether this receipt appears beside its document."""
        return self._receipts or receipt.state == "failed"

    def put(self, receipt: Receipt, moves: Callable[[Folder], Result]) -> Result:
        """Return what `moves` returns for the folder into which a document belongs.

        Args:
            receipt: what was decided about it.
            moves: puts it into a folder, or raises OSError with nothing put there; then tried with done itself where
                it is the month's folder that cannot be used.
        """
        if receipt.state == "failed":
            return moves(self.folders.failed)
        month = _month_of(receipt)
        if not self._monthly or month is None:
            return moves(self.folders.done)
        try:
            self._make(month)
            with _opened(month, self.folders.done) as folder:
                return moves(folder)
        except OSError as error:
            if error.errno not in _UNUSABLE:
                raise
            result = moves(self.folders.done)  # which fails as well if the fault is the document's own
            self._complain(month, _UNUSABLE[error.errno])
            return result

    def places(self, receipt: Receipt) -> Iterator[Folder]:
        """Yield each folder into which its document may have been put, by either layout; open until the next one is."""
        if receipt.state == "failed":
            yield self.folders.failed
            return
        yield self.folders.done
        if (month := _month_of(receipt)) is not None:
            yield from _those_there([month], self.folders.done)

    def everywhere(self) -> Iterator[Folder]:
        """Yield each folder in which a document may lie that has left the work folder; open until the next one is."""
        yield from (self.folders.drop, self.folders.failed, self.folders.done)
        months = filter(MONTH.fullmatch, os.listdir(self.folders.done.fd))
        yield from _those_there(sorted(months), self.folders.done)

    def _make(self, month: str) -> None:
        """Make the month's folder unless it is there, and make its name durable before anybody relies on it."""
        done = self.folders.done.fd
        with self._making:
            if month == self._durable and exists(month, done):
                return
            with suppress(FileExistsError):  # by an earlier run, by another instance, or it is no folder: see `put`
                os.mkdir(month, _MODE, dir_fd=done)
            os.fsync(done)
            self._durable = month

    def _complain(self, month: str, why: str) -> None:
        path = self.folders.done.path / month
        text = f"{why}. Until then, what is delivered is put into the folder above it"
        self._complaints.about(str(path), text, time.monotonic(), patience=0)


def _month_of(receipt: Receipt) -> str | None:
    """Return the year and month in which it was decided; None where a damaged note does not tell."""
    month = (receipt.finished_at or "")[:7]
    return month if MONTH.fullmatch(month) else None


@contextmanager
def _opened(month: str, done: Folder) -> Iterator[Folder]:
    fd = os.open(month, OPEN, dir_fd=done.fd)
    try:
        found = os.fstat(fd)
        if found.st_dev != done.identity[0]:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), month)
        yield Folder(done.path / month, fd, (found.st_dev, found.st_ino))
    finally:
        os.close(fd)


def _those_there(months: list[str], done: Folder) -> Iterator[Folder]:
    """Yield those of the months' folders that are there; one that cannot be opened now is not taken for missing."""
    for month in months:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(_opened(month, done))
            except OSError as error:
                if error.errno not in {errno.ENOENT, *_NO_FOLDER}:
                    raise
                continue
            yield folder
