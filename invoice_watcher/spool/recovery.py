"""What a stopped or crashed run left in the work folder, and what it means.

    document  note                      so                                          what is done
    there     none                      it died during the first attempt            in doubt: deliver again, count it
    there     waiting, sending          it died during a later attempt              in doubt: deliver again, count it
    there     waiting                   it was stopped in good order                deliver when due
    there     done or failed            the decision was made                       complete the moves, send nothing
          of other bytes, in use,   the decision was made; it was or may be     file it if it is the same after all,
          or immovable              changed since                               else deliver what it is now
    twice     -                         no rename here: it died between link and    remove the name in the work folder
                                        unlink, and the other folder has it too
    gone      done or failed            all but the last step was made              remove the note
    gone      waiting                   a person took it away                       remove the note
    -         a dot file                room for a receipt that was never written   remove it

Guarantees: completing is idempotent, so a crash during recovery is recovered from like any other; what cannot be read
now is not taken for missing. Raises OSError.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.spool.filing import Slot, carry_out, free_name, named
from invoice_watcher.spool.names import ROOM, candidates, is_document, note_name, original_name
from invoice_watcher.spool.receipts import read_receipt
from invoice_watcher.spool.snapshot import ITS_OWN
from invoice_watcher.spool.syscalls import Lease, exists, lease_for_reading

if TYPE_CHECKING:
    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool.folders import Folder
    from invoice_watcher.spool.shelves import Shelves

_MOST_NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """A document in the work folder that has to be delivered (again).

    Attributes:
        work_name: its name there.
        name: its name when it was dropped.
        note: what was written down about it; None when it was under way for the first time. One that holds a decision
            is about other bytes, or the document is in use or may not be moved now.
        arrived_ns: when it was claimed, nanoseconds since the epoch.
    """

    work_name: str
    name: str
    note: Receipt | None
    arrived_ns: int

    @property
    def died(self) -> bool:
        """Whether that run died while it was sending the document: nothing was noted, or that it was under way."""
        return self.note is None or bool(self.note.sending)


@dataclass(frozen=True, slots=True)
class Completed:
    """A document whose decision was recorded, and which has now been moved to its place."""

    name: str
    receipt: Receipt


def recover(shelves: Shelves, *, receipts: bool) -> list[Recovered | Completed]:
    """Bring the work folder in order; returns what is to be delivered and what was completed.

    Args:
        shelves: the four folders, and where in them a document belongs now; it may have been elsewhere before.
        receipts: whether delivered documents get a receipt.
    """
    work = shelves.folders.work
    for name in _documents(work):
        _end_rename(name, shelves)
    for name in os.listdir(work.fd):
        _remove_remains(name, work)
    found = [_read(name, shelves, receipts=receipts) for name in _documents(work)]
    return [one for one in found if one is not None]


def _documents(work: Folder) -> list[str]:
    return sorted(name for name in os.listdir(work.fd) if is_document(name))


def _end_rename(work_name: str, shelves: Shelves) -> None:
    work = shelves.folders.work.fd
    found = os.stat(work_name, dir_fd=work, follow_symlinks=False)
    if found.st_nlink > 1 and any(_holds(folder, found.st_ino) for folder in shelves.everywhere()):
        os.unlink(work_name, dir_fd=work)


def _holds(folder: Folder, inode: int) -> bool:
    with os.scandir(folder.fd) as entries:
        return any(entry.inode() == inode for entry in entries)


def _remove_remains(name: str, work: Folder) -> None:
    """Remove room that was never written, and the note of a document that is not there any more."""
    room = name.startswith(ROOM) and _is_regular(os.stat(name, dir_fd=work.fd, follow_symlinks=False))
    orphaned = name.endswith(SUFFIX) and not exists(name.removesuffix(SUFFIX), work.fd)
    if room or (orphaned and read_receipt(name, work) is not None):
        os.unlink(name, dir_fd=work.fd)


def _read(work_name: str, shelves: Shelves, *, receipts: bool) -> Recovered | Completed | None:
    work = shelves.folders.work
    found = os.stat(work_name, dir_fd=work.fd, follow_symlinks=False)
    if not _is_regular(found):
        return None
    note = read_receipt(note_name(work_name), work, note=True)
    if note is not None and note.state != "waiting":
        for folder in shelves.places(note):
            _take_back(work_name, note, work, folder)
        try:
            if _tells_of(note, work_name, work):
                return _complete(work_name, note, shelves, with_receipt=receipts or note.state == "failed")
        except OSError as error:
            if error.errno not in ITS_OWN | {errno.EACCES}:
                raise
            # Its task keeps the decision, and the others need not wait for it.
    return Recovered(work_name, original_name(work_name), note, found.st_ctime_ns)


def _is_regular(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode)


def _tells_of(note: Receipt, work_name: str, work: Folder) -> bool:
    """Whether a decision is about these very bytes: somebody may have written on, or be about to."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(work_name, flags, dir_fd=work.fd), "rb") as file, lease_for_reading(file.fileno()) as lease:
        if lease is Lease.BUSY or os.fstat(file.fileno()).st_size != note.size:
            return False
        return note.sha256 is None or hashlib.file_digest(file, "sha256").hexdigest() == note.sha256


def _complete(work_name: str, note: Receipt, shelves: Shelves, *, with_receipt: bool) -> Completed:
    folders = shelves.folders

    def moves(target: Folder) -> Completed:
        nonlocal note  # as it is on the disk
        while True:
            name = free_name(original_name(work_name), target, with_receipt=with_receipt)
            note = _renamed(note, name, work_name, folders.work)
            if carry_out(work_name, name, folders, target, note if with_receipt else None):
                return Completed(name, note)

    return shelves.put(note, moves)


def _take_back(work_name: str, note: Receipt, work: Folder, target: Folder) -> None:
    """Remove the receipt that lies under its final name, with no document beside it yet: the moves begin anew.

    Left there until it is known whether the document can be moved now, it would take the name from that very document.
    """
    likely = islice(candidates(original_name(work_name)), _MOST_NUMBERS)
    name = next((one for one in likely if encodable(one) == note.file), None)
    if name is None or exists(name, target.fd) or not exists(name + SUFFIX, target.fd):
        return
    if _inode(name + SUFFIX, target) == _inode(note_name(work_name), work) or (
        read_receipt(name + SUFFIX, target) == note  # a copy, where there are no hard links
    ):
        os.unlink(name + SUFFIX, dir_fd=target.fd)


def _inode(name: str, folder: Folder) -> int:
    return os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_ino


def _renamed(note: Receipt, name: str, work_name: str, work: Folder) -> Receipt:
    renamed = named(note, name)
    if renamed is not note:
        with Slot(work) as slot:
            slot.write(renamed, note_name(work_name))
    return renamed
