"""What a stopped or crashed run left in the work folder, and what it means.

    document  note                      so                                          what is done
    there     none                      it died during the first attempt            in doubt: deliver again, count it
    there     waiting, sending          it died during a later attempt              in doubt: deliver again, count it
    there     waiting                   it was stopped in good order                deliver when due
    there     done or failed            the decision was made                       complete the moves, send nothing
    gone      done or failed            all but the last step was made              remove the note
    -         a dot file                room for a receipt that was never written   remove it

Guarantees: completing is idempotent, so a crash during recovery is recovered from like any other. Raises OSError.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.spool.filing import (
    Slot,
    carry_out,
    free_name,
    note_name,
    original_name,
    read_receipt,
)
from invoice_watcher.spool.syscalls import exists, rename_noreplace

if TYPE_CHECKING:
    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool.folders import Folder, Folders


@dataclass(frozen=True, slots=True)
class Recovered:
    """A document in the work folder that has to be delivered (again).

    Attributes:
        work_name: its name there.
        name: its name when it was dropped.
        note: what was written down about it; None when it was under way for the first time.
        arrived_ns: when it was claimed, nanoseconds since the epoch.
    """

    work_name: str
    name: str
    note: Receipt | None
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Completed:
    """A document whose decision was recorded, and which has now been moved to its place."""

    name: str
    receipt: Receipt


def recover(folders: Folders, *, receipts: bool) -> list[Recovered | Completed]:
    """Bring the work folder in order; returns what is to be delivered and what was completed.

    Args:
        folders: the four folders.
        receipts: whether delivered documents get a sidecar.
    """
    names = sorted(os.listdir(folders.work.fd))
    for name in names:
        _remove_remains(name, folders.work)
    documents = [name for name in names if not name.startswith(".") and not name.endswith(SUFFIX)]
    found = [_read(name, folders, receipts=receipts) for name in documents]
    return [one for one in found if one is not None]


def _remove_remains(name: str, work: Folder) -> None:
    """Remove room that was never written, and the note of a document that has been filed away."""
    if name.startswith(".receipt-"):
        os.unlink(name, dir_fd=work.fd)
    elif name.endswith(SUFFIX) and not exists(name.removesuffix(SUFFIX), work.fd):
        receipt = read_receipt(name, work)
        if receipt is not None and receipt.state != "waiting":
            os.unlink(name, dir_fd=work.fd)


def _read(work_name: str, folders: Folders, *, receipts: bool) -> Recovered | Completed | None:
    found = os.stat(work_name, dir_fd=folders.work.fd, follow_symlinks=False)
    if not _is_regular(found):
        return None
    note = read_receipt(note_name(work_name), folders.work)
    if note is None or note.state == "waiting":
        return Recovered(work_name, original_name(work_name), note, found.st_ctime_ns)
    return _complete(work_name, note, folders, sidecar=receipts or note.state == "failed")


def _is_regular(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode)


def _complete(work_name: str, note: Receipt, folders: Folders, *, sidecar: bool) -> Completed:
    target = folders.done if note.state == "done" else folders.failed
    if (name := _reserved_name(work_name, folders.work, target)) is not None:
        rename_noreplace(work_name, name, old_dir=folders.work.fd, new_dir=target.fd)
        os.fsync(target.fd)
        os.fsync(folders.work.fd)
        os.unlink(note_name(work_name), dir_fd=folders.work.fd)
        return Completed(name, note)
    while True:
        name = free_name(original_name(work_name), target, sidecar=sidecar)
        note = _renamed(note, name, work_name, folders.work)
        if carry_out(work_name, name, folders.work, target, note if sidecar else None):
            return Completed(name, note)


def _reserved_name(work_name: str, work: Folder, target: Folder) -> str | None:
    """The final name whose sidecar already is the note itself (one inode), with no document beside it yet."""
    inode = os.stat(note_name(work_name), dir_fd=work.fd).st_ino
    for entry in os.scandir(target.fd):
        if entry.inode() == inode and entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            return None if exists(name, target.fd) else name
    return None


def _renamed(note: Receipt, name: str, work_name: str, work: Folder) -> Receipt:
    if note.file == encodable(name):
        return note
    renamed = msgspec.structs.replace(note, file=encodable(name))
    with Slot(work) as slot:
        slot.write(renamed, note_name(work_name))
    return renamed
