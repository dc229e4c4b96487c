"""The spool: four folders, and every rename, lease and fsync in them.

A file's state is the folder in which it lies. This package is the only one that changes that; nobody else touches
`os` or `fcntl` for the invoices' sake. Its rooms: `syscalls` (what Python lacks), `folders` (open, tried, locked),
`snapshot` (the private copy), `filing` (notes, receipts, the commit), `recovery` (after a crash). `Spool` is the
door. Guarantees: promise 1 (every document is in exactly one folder, byte for byte) and the recorded decision.
Raises FolderError and its kin for the folders as a whole, OSError for a fault of the machine in one step.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.naming import is_numbered
from invoice_watcher.spool.filing import Slot, file_away, note_name, remove_stale, stale_receipt, work_names
from invoice_watcher.spool.folders import Folders
from invoice_watcher.spool.recovery import Completed, Recovered, recover
from invoice_watcher.spool.snapshot import (
    GONE,
    Snapshot,
    is_unchanged,
    leases_work,
    signature_of,
    take_snapshot,
)
from invoice_watcher.spool.syscalls import rename_noreplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from invoice_watcher.receipt import Receipt
    from invoice_watcher.schedule import Task
    from invoice_watcher.settling import Signature, Unready

__all__ = ["GONE", "Completed", "Entry", "Folders", "Recovered", "Slot", "Snapshot", "Spool", "leases_work"]


class Entry(NamedTuple):
    """One name in the drop folder, as the scan saw it. `regular` is false for what is never taken."""

    name: str
    signature: Signature
    regular: bool


class Spool:
    """The door to the four folders."""

    def __init__(self, folders: Folders, *, largest: int, receipts: bool) -> None:
        """Work on these folders.

        Args:
            folders: open and locked.
            largest: bytes; a larger document is described, not copied.
            receipts: whether delivered documents get a sidecar too.
        """
        self._folders = folders
        self._largest = largest
        self._receipts = receipts

    def scan(self, passed_over: Callable[[str], bool]) -> Iterator[Entry]:
        """Iterate over the drop folder, names that are passed over and subfolders left out.

        Raises FolderLostError when the folder is not the one that was opened.
        """
        self._folders.verify()
        with os.scandir(self._folders.drop.fd) as entries:
            for entry in entries:
                if passed_over(entry.name) or entry.is_dir(follow_symlinks=False):
                    continue
                try:
                    found = os.stat(entry.name, dir_fd=self._folders.drop.fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Entry(entry.name, signature_of(found), stat.S_ISREG(found.st_mode))

    def verify(self) -> None:
        """Raise FolderLostError unless the folders are the ones that were opened."""
        self._folders.verify()

    def snapshot(self, task: Task) -> Snapshot | Unready:
        """Copy the document, from whichever folder it lies in; or say why it is not ready."""
        work = self._folders.work.fd
        if task.claimed:
            return take_snapshot(task.work_name, work, work, self._largest, None)
        return take_snapshot(task.invoice.name, self._folders.drop.fd, work, self._largest, task.signature)

    def claim(self, task: Task, snapshot: Snapshot) -> bool:
        """Move a document from the drop folder into the work folder, durably, and note where in `task`.

        Returns:
            Whether it is still what was copied; if not, somebody changed it or put another in its place since then,
            and it has to be copied anew, from where `task` says that it lies.
        """
        work = self._folders.work.fd
        if not is_unchanged(snapshot, snapshot.signature):
            os.stat(task.invoice.name, dir_fd=self._folders.drop.fd, follow_symlinks=False)  # raises if it is gone
            return False
        task.work_name = self._move_in(task.invoice.name)
        os.fsync(work)
        before, snapshot.signature = snapshot.signature, signature_of(os.fstat(snapshot.descriptor))
        unchanged = before._replace(ctime_ns=0) == snapshot.signature._replace(ctime_ns=0)  # a rename sets the ctime
        return unchanged and os.stat(task.work_name, dir_fd=work, follow_symlinks=False).st_ino == before.inode

    def _move_in(self, dropped: str) -> str:
        for name in work_names(dropped):
            with suppress(FileExistsError):
                rename_noreplace(dropped, name, old_dir=self._folders.drop.fd, new_dir=self._folders.work.fd)
                return name
        raise AssertionError("the names never end")

    def reserve(self) -> Slot:
        """Take room for a receipt; OSError when what is about to be sent could not be recorded."""
        return Slot(self._folders.work)

    def note(self, task: Task, receipt: Receipt, slot: Slot) -> None:
        """Write down, durably, how things stand with a claimed document."""
        slot.write(receipt, note_name(task.work_name))

    def finish(
        self,
        task: Task,
        snapshot: Snapshot,
        receipt_for: Callable[[str], Receipt],
        slot: Slot,
        *,
        delivered: bool,
    ) -> str | None:
        """Record a decision and move the document to its place; returns its final name.

        Returns None, with nothing done, when the document is not what it was: it was changed, or is being written.
        """
        if not is_unchanged(snapshot, snapshot.signature):
            return None
        target = self._folders.done if delivered else self._folders.failed
        sidecar = self._receipts or not delivered
        if delivered:  # before the commit, or a crash behind it would leave the old receipt for ever
            remove_stale(task.invoice.name, self._folders.failed)
        return file_away(task.work_name, self._folders.work, target, receipt_for, slot, sidecar=sidecar)

    def filed_for(self, name: str) -> str | None:
        """Return the order of a failed document of this name that a person has moved back, as its receipt tells it.

        A name such as `12345.2.pdf` was given by this program, and says less than the receipt beside which it lay.
        """
        if not is_numbered(name):
            return None
        receipt = stale_receipt(name, self._folders.failed)
        return receipt.order_id if receipt else None

    def recover(self) -> list[Recovered | Completed]:
        """Bring in order what an earlier run left; see `recovery`."""
        return recover(self._folders, receipts=self._receipts)

    def close(self) -> None:
        """Let go of folders and locks."""
        self._folders.close()
