"""One folder of the archive, open: which of the names in it are documents, which receipts, and what these tell.

See the package for what is promised. Raises OSError; `opened` makes FolderError and its kin of that.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoice_watcher.errors import FolderError, FolderUnavailableError
from invoice_watcher.escaping import encodable
from invoice_watcher.naming import Naming
from invoice_watcher.receipt import SUFFIX, Receipt, ReceiptError, decode
from invoice_watcher.record import Record
from invoice_watcher.spool.folders import Folder, open_folder
from invoice_watcher.spool.receipts import LARGEST_RECEIPT, trusted
from invoice_watcher.spool.shelves import MONTH
from invoice_watcher.spool.syscalls import read_up_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.pacing import Pace

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Nothing that bears a temporary name was ever taken, so none of it was filed: Windows, macOS and Office leave such
# files wherever people look. `ignore` counts for nothing here: it may have been another when a document was taken.
_LITTER = Naming.of("")
_AT_ONCE = 256  # names between two looks at the clock
_DAMAGED = "its receipt is damaged, or that of another file"
_FOREIGN = "its receipt was written by somebody else, and is not believed"


class Filing(Record, frozen=True):
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


class Room:
    """One folder of the archive, open: done, failed, or a month of done."""

    def __init__(self, folder: Folder, pace: Pace | None) -> None:
        self._folder = folder
        self._pace = pace
        others_write = os.fstat(folder.fd).st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        self._believed = trusted(folder) if others_write else None

    @property
    def fd(self) -> int:
        """The folder's descriptor."""
        return self._folder.fd

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
            for number, entry in enumerate(entries, 1):
                if entry.is_file(follow_symlinks=False) and not _LITTER.is_ignored(entry.name):
                    yield entry.name
                if self._pace is not None and number % _AT_ONCE == 0:
                    self._pace.keep()

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
        receipt = decode(read_up_to(fd, min(found.st_size, LARGEST_RECEIPT)))
        if receipt.file != encodable(document):
            return None, _DAMAGED
        if self._believed is not None and found.st_uid not in self._believed:
            return None, _FOREIGN
        return receipt, None


@contextmanager
def opened(path: Path, pace: Pace | None = None) -> Iterator[Room]:
    """Open a folder for the length of a block; whatever fails in the block is the folder's fault."""
    folder = open_folder(path)
    try:
        yield Room(folder, pace)
    except PermissionError as error:
        raise FolderError(f"{path} may not be read by this user") from error
    except OSError as error:
        raise FolderUnavailableError(f"{path} cannot be read now: {error.strerror}") from error
    finally:
        os.close(folder.fd)
