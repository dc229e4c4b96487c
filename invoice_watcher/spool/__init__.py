"""The spool: four folders, and every rename, lease and fsync in them.

A file's state is the folder in which it lies. This package is the only one that changes that; nobody else touches
`os` or `fcntl` for the invoices' sake. Its rooms: `syscalls` (what Python lacks), `folders` (open, tried, locked),
`names` (in the work folder, and in the end), `snapshot` (the private copy), `shelves` (which folder a decision leads
to), `receipts` (notes and receipts, read back), `filing` (the same, written, and the commit), `orphans` (receipts that
have had their time), `recovery` (after a crash), `requeue` (`retry`, which needs no daemon). `Spool` is the daemon's
door. Guarantees: every document is in exactly one folder, byte for byte; a recorded decision is carried out, and
never made anew. Raises FolderError and its kin for the folders as a whole, UnreadableError for one file, and OSError
for a fault of the machine in one step.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from invoice_watcher.errors import FolderLostError, FolderUnavailableError
from invoice_watcher.escaping import escape
from invoice_watcher.naming import is_numbered
from invoice_watcher.settling import GONE, Entry, Signature, Unready
from invoice_watcher.spool.filing import Slot, file_away
from invoice_watcher.spool.folders import Folders
from invoice_watcher.spool.names import note_name, work_names
from invoice_watcher.spool.orphans import Orphans
from invoice_watcher.spool.receipts import stale_receipt
from invoice_watcher.spool.recovery import Completed, Recovered, recover
from invoice_watcher.spool.shelves import Shelves
from invoice_watcher.spool.snapshot import (
    CHANGED,
    IMMOVABLE,
    ITS_OWN,
    NOT_TO_BE_MOVED,
    OURS,
    Snapshot,
    UnreadableError,
    is_unchanged,
    leases_work,
    signature_of,
    take_snapshot,
)
from invoice_watcher.spool.syscalls import exists, is_taken, rename_noreplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from invoice_watcher.config.model import DoneLayout
    from invoice_watcher.receipt import Receipt
    from invoice_watcher.schedule import Task

__all__ = [
    "CHANGED",
    "UNREAD",
    "Completed",
    "Folders",
    "Recovered",
    "Slot",
    "Snapshot",
    "Spool",
    "UnreadableError",
    "leases_work",
]

_UNKNOWN = Signature(0, 0, 0, 0)
_UNREADABLE_AGAIN = 10.0  # seconds; a disk may try for long before it gives up
UNREAD = Unready(
    "is left as it is until the next start, for it or its note cannot be read; have the administrator look at the disk",
    _UNREADABLE_AGAIN,
    needs_person=True,
)


class Spool:
    """The door to the four folders."""

    def __init__(self, folders: Folders, *, largest: int, receipts: bool, layout: DoneLayout = "flat") -> None:
        """Work on these folders.

        Args:
            folders: open and locked.
            largest: bytes; a larger document is described, not copied.
            receipts: whether delivered documents get a receipt too.
            layout: whether they are put into the done folder itself, or into one in it for their month.
        """
        self._folders = folders
        self._shelves = Shelves(folders, monthly=layout == "month", receipts=receipts)
        self._orphans = Orphans(folders)
        self._own = {folder.identity for folder in folders}
        self._on_the_way = _on_the_way(folders)
        self._largest = largest

    def scan(self, passed_over: Callable[[str], bool]) -> Iterator[Entry]:
        """Iterate over the drop folder, names that are passed over and our own folders left out.

        Raises FolderLostError when the folder is not the one that was opened, or is closed to us, and
        FolderUnavailableError when it cannot be read now.
        """
        with self._searching() as drop, os.scandir(drop) as entries:
            for entry in entries:
                if not passed_over(entry.name) and (found := self._look(entry.name, drop)):
                    yield found

    def glance(self, names: Iterable[str], passed_over: Callable[[str], bool]) -> list[Entry]:
        """Return those of these names that lie in the drop folder; otherwise as `scan`, which sees all of them."""
        with self._searching() as drop:
            return [found for name in names if not passed_over(name) and (found := self._look(name, drop))]

    @contextmanager
    def _searching(self) -> Iterator[int]:
        """Give the drop folder's descriptor, and say what it means when it cannot be read."""
        self._folders.verify()
        drop = self._folders.drop
        try:
            os.stat(".", dir_fd=drop.fd)  # which needs the same right as the files in it
            self._folders.verify_rights()
            yield drop.fd
        except PermissionError as error:
            raise FolderLostError(f"{drop.path} may not be searched by this user") from error
        except OSError as error:
            raise FolderUnavailableError(f"{drop.path} cannot be read now: {error.strerror}") from error

    def _look(self, name: str, drop: int) -> Entry | None:
        if name in self._on_the_way:
            return None
        try:
            found = os.stat(name, dir_fd=drop, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError:  # the file's own, or the next scan fails: whoever tries to read it learns why
            return Entry(time.time_ns(), name, -1, _UNKNOWN)
        regular = stat.S_ISREG(found.st_mode)
        if not regular and (found.st_dev, found.st_ino) in self._own:
            return None
        return Entry(found.st_ctime_ns, name, found.st_uid, signature_of(found), regular)

    def verify(self) -> None:
        """Raise FolderLostError unless the folders are the ones that were opened."""
        self._folders.verify()

    def snapshot(self, task: Task) -> Snapshot | Unready:
        """Copy the document, from whichever folder it lies in; or say why it is not ready."""
        work = self._folders.work.fd
        if task.unread:
            return UNREAD if is_taken(task.work_name, work) else GONE
        try:
            if task.claimed:
                return take_snapshot(task.work_name, work, work, self._largest, None)
            return take_snapshot(task.invoice.name, self._folders.drop.fd, work, self._largest, task.signature)
        except UnreadableError as error:
            reason = f"cannot be read ({error.strerror}); drop it anew, and have the administrator look at the disk"
            return Unready(reason, _UNREADABLE_AGAIN, needs_person=True)

    def claim(self, task: Task, snapshot: Snapshot) -> Unready | None:
        """Move a document from the drop folder into the work folder, durably, and note where in `task`.

        Returns None when it is claimed, and is still what was copied; else why not. When somebody changed it or put
        another in its place since then, it has to be copied anew, from where `task` says that it lies. So it does when
        OSError is raised, for it may have been moved by then.
        """
        try:
            return None if self._claim(task, snapshot) else CHANGED
        except FileNotFoundError:
            return GONE
        except OSError as error:
            if not task.claimed and error.errno in NOT_TO_BE_MOVED:
                return IMMOVABLE
            raise

    def _claim(self, task: Task, snapshot: Snapshot) -> bool:
        """Return whether it is what was copied."""
        work = self._folders.work.fd
        if not is_unchanged(snapshot):
            os.stat(task.invoice.name, dir_fd=self._folders.drop.fd, follow_symlinks=False)  # raises if it is gone
            return False
        task.work_name = self._move_in(task.invoice.name)
        moved = os.stat(task.work_name, dir_fd=work, follow_symlinks=False)
        if not stat.S_ISREG(moved.st_mode):
            self._give_back(task)
            return False
        os.fsync(work)
        before, snapshot.signature = snapshot.signature, signature_of(moved)
        return before[:-1] == snapshot.signature[:-1]  # all but the ctime, which a rename sets; the inode among it

    def _give_back(self, task: Task) -> None:
        """Undo the claim of what is no file: put there in that instant, it must not keep its order waiting for ever."""
        work_name, task.work_name = task.work_name, ""
        with suppress(FileExistsError):  # then it stays in the work folder, where it is in nobody's way
            drop, work = self._folders.drop.fd, self._folders.work.fd
            rename_noreplace(work_name, task.invoice.name, old_dir=work, new_dir=drop)

    def _move_in(self, dropped: str) -> str:
        work = self._folders.work.fd
        for name in work_names(dropped):
            if exists(note_name(name), work):  # of one that was filed by a disk that then failed
                continue
            with suppress(FileExistsError):
                rename_noreplace(dropped, name, old_dir=self._folders.drop.fd, new_dir=work)
                return name
        raise AssertionError("the names never end")

    def reserve(self) -> Slot:
        """Take room for a receipt; OSError when what is about to be sent could not be recorded."""
        return Slot(self._folders.work)

    def note(self, task: Task, receipt: Receipt, slot: Slot) -> None:
        """Write down, durably, how things stand with a claimed document."""
        slot.write(receipt, note_name(task.work_name))
        os.fsync(self._folders.work.fd)

    def forget(self, task: Task) -> None:
        """Remove the note of a claimed document that is gone: another one of its name must not inherit its history."""
        with suppress(FileNotFoundError):
            os.unlink(note_name(task.work_name), dir_fd=self._folders.work.fd)

    def finish(self, task: Task, snapshot: Snapshot, receipt: Receipt, slot: Slot) -> str | Unready:
        """Record a decision and move the document to its place; returns its final name, which its receipt will tell.

        Returns CHANGED, with nothing done, when the document is not what it was: it was changed, or is being written;
        and IMMOVABLE, the decision recorded, when it alone cannot be moved.
        """
        if not is_unchanged(snapshot):
            return CHANGED
        try:
            name = file_away(task.work_name, self._shelves, receipt, slot)
        except OSError as error:
            if error.errno in ITS_OWN and error.filename == task.work_name:  # and not what its receipt is made of
                return IMMOVABLE
            raise
        if receipt.state == "done":
            self._orphans.went_through(receipt.sha256)
        return name

    def filed_for(self, name: str) -> str | None:
        """Return the order of a failed document of this name that a person has moved back, as its receipt tells it.

        A name such as `12345.2.pdf` was given by this program, and says less than the receipt beside which it lay.
        Raises UnreadableError when that one receipt cannot be read now, so the order is unknown, and
        FolderUnavailableError when none could be.
        """
        if not is_numbered(name):
            return None
        try:
            receipt = stale_receipt(name, self._folders.failed)
        except OSError as error:
            if error.errno not in OURS:
                raise UnreadableError(*error.args) from error
            text = f"{self._folders.failed.path} cannot be read now: {error.strerror}"
            raise FolderUnavailableError(text) from error
        return receipt.order_id if receipt else None

    def recover(self) -> list[Recovered | Completed]:
        """Bring in order what an earlier run left; see `recovery`.

        Raises FolderUnavailableError when that cannot be done now; what was done stays done.
        """
        try:
            found = recover(self._shelves)
        except OSError as error:
            what = f"{escape(error.filename)}: " if isinstance(error.filename, str) else ""
            text = f"cannot bring {self._folders.work.path} in order: {what}{error.strerror}"
            raise FolderUnavailableError(text) from error
        for one in found:
            if isinstance(one, Completed) and one.receipt.state == "done":
                self._orphans.went_through(one.receipt.sha256)
        return found

    def close(self) -> None:
        """Let go of folders and locks."""
        self._folders.close()


def _on_the_way(folders: Folders) -> set[str]:
    """Return what leads to one of our folders that lies deeper in the drop folder: `archive`, for `archive/done`."""
    drop = folders.drop.path
    ways = (folder.path.relative_to(drop).parts for folder in folders if folder.path.is_relative_to(drop))
    return {name for name, *deeper in filter(None, ways) if deeper}
