"""What a stopped or crashed run left in the work folder, and what it means.

    document  note                      so                                          what is done
    there     none                      it died during the first attempt            in doubt: deliver again, count it
    there     waiting, sending          it died during a later attempt              in doubt: deliver again, count it
    there     waiting                   it was stopped in good order                deliver when due
    there     done or failed            the decision was made                       complete the moves, send nothing
          of other bytes, in use,   the decision was made; it was or may be     file it if it is the same after all,
          not to be read or moved   changed since                               else deliver what it is now
    twice     -                         no rename here: it died between link and    remove the name in the work folder
                                        unlink, and the other folder has it too
    gone      done or failed            all but the last step was made              remove the note
    gone      waiting                   a person took it away                       remove the note
    there     not to be read            nobody knows what was decided               leave it as it is until next time
    not to be looked at                 the same                                    the same
    -         a dot file                room for a receipt that was never written,  remove it
                                        or a copy that had a name for a moment

Guarantees: completing is idempotent, so a crash during recovery is recovered from like any other; what cannot be read
now is not taken for missing, and is the affair of that one file (a bad place on the disk), while all others go on.
Raises OSError where something cannot be changed, or a folder not be listed, or where the machine lacks what the reading
of every file needs.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING

from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.record import Record
from invoice_watcher.spool.filing import Slot, carry_out, free_names, named
from invoice_watcher.spool.names import COPY, ROOM, candidates, is_document, note_name, original_name
from invoice_watcher.spool.receipts import read_receipt
from invoice_watcher.spool.snapshot import NOT_TO_BE_MOVED, OURS, UnreadableError
from invoice_watcher.spool.syscalls import exists, is_taken, lease_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool.folders import Folder
    from invoice_watcher.spool.shelves import Shelves

_MOST_NUMBERS = 10_000


class Recovered(Record, frozen=True):
    """A document in the work folder that has to be delivered (again).

    Attributes:
        work_name: its name there.
        name: its name when it was dropped.
        note: what was written down about it; None when it was under way for the first time, or is unread. One that
            holds a decision is about other bytes, or the document is in use, or may not be read or moved now.
        arrived_ns: when it was claimed, nanoseconds since the epoch; when it was found, where it is unread.
        unread: why it, or its note, could not be read, so that nothing may be done with it; empty when both could.
    """

    work_name: str
    name: str
    note: Receipt | None
    arrived_ns: int
    unread: str = ""

    @property
    def died(self) -> bool:
        """Whether that run died while it was sending the document: nothing was noted, or that it was under way."""
        return not self.unread and (self.note is None or bool(self.note.sending))


class Completed(Record, frozen=True):
    """A document whose decision was recorded, and which has now been moved to its place."""

    name: str
    receipt: Receipt


def recover(shelves: Shelves) -> list[Recovered | Completed]:
    """Bring the work folder in order; returns what is to be delivered and what was completed.

    Args:
        shelves: the four folders, and where in them a document belongs now; it may have been elsewhere before.
    """
    work = shelves.folders.work
    for name in os.listdir(work.fd):
        _remove_remains(name, work)
    documents = sorted(filter(is_document, os.listdir(work.fd)))
    found = [_take_up(name, shelves) for name in documents]
    return [one for one in found if one is not None]


@contextmanager
def _of_one_file() -> Iterator[None]:
    """Say of what cannot be read in the block that it is that one file's affair, unless it would be every other's."""
    try:
        yield
    except OSError as error:
        if error.errno in OURS:
            raise
        raise UnreadableError(*error.args) from error


def _remove_remains(name: str, work: Folder) -> None:
    """Remove room that was never written, a copy, and the note of a document that is not there any more."""
    with suppress(UnreadableError):  # what cannot be looked at is in nobody's way
        if _is_remains(name, work):
            os.unlink(name, dir_fd=work.fd)


def _is_remains(name: str, work: Folder) -> bool:
    with _of_one_file():
        if name.startswith((ROOM, COPY)):
            return _is_regular(os.stat(name, dir_fd=work.fd, follow_symlinks=False))
        if not name.endswith(SUFFIX) or exists(name.removesuffix(SUFFIX), work.fd):
            return False
        return read_receipt(name, work) is not None


def _take_up(work_name: str, shelves: Shelves) -> Recovered | Completed | None:
    """Say how it stands with a document, and complete what was decided; None for what is no document after all."""
    try:
        with _of_one_file():
            found = os.stat(work_name, dir_fd=shelves.folders.work.fd, follow_symlinks=False)
        if not _end_rename(work_name, found, shelves) and _is_regular(found):
            return _read(work_name, found, shelves)
    except UnreadableError as error:
        return Recovered(work_name, original_name(work_name), None, time.time_ns(), str(error.strerror))
    return None


def _end_rename(work_name: str, found: os.stat_result, shelves: Shelves) -> bool:
    """Tell whether another folder has the document already; then its name here goes, and its note."""
    if found.st_nlink == 1 or not any(_holds(folder, found.st_ino) for folder in shelves.everywhere()):
        return False
    os.unlink(work_name, dir_fd=shelves.folders.work.fd)
    _remove_remains(note_name(work_name), shelves.folders.work)
    return True


def _holds(folder: Folder, inode: int) -> bool:
    with os.scandir(folder.fd) as entries:
        return any(entry.inode() == inode for entry in entries)


def _read(work_name: str, found: os.stat_result, shelves: Shelves) -> Recovered | Completed:
    work = shelves.folders.work
    with _of_one_file():
        note = read_receipt(note_name(work_name), work, note=True)
    if note is not None and note.state != "waiting":
        for folder in shelves.places(note):
            _take_back(work_name, note, work, folder)
        try:
            if _tells_of(note, work_name, work):
                return _complete(work_name, note, shelves)
        except UnreadableError:
            pass  # its task keeps the decision, and the others need not wait for it
        except OSError as error:
            if error.errno not in NOT_TO_BE_MOVED:
                raise
    return Recovered(work_name, original_name(work_name), note, found.st_ctime_ns)


def _is_regular(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode)


def _tells_of(note: Receipt, work_name: str, work: Folder) -> bool:
    """Whether a decision is about these very bytes: somebody may have written on, or be about to."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with (
        _of_one_file(),
        open(os.open(work_name, flags, dir_fd=work.fd), "rb") as file,
        lease_for_reading(file.fileno()) as lease,
    ):
        if lease.tells_of_writer or os.fstat(file.fileno()).st_size != note.size:
            return False
        return note.sha256 is None or hashlib.file_digest(file, "sha256").hexdigest() == note.sha256


def _complete(work_name: str, note: Receipt, shelves: Shelves) -> Completed:
    with_receipt = shelves.wants_receipt(note)

    def moves(target: Folder) -> Completed:
        nonlocal note  # as it is on the disk
        for name in free_names(original_name(work_name), target, with_receipt=with_receipt):
            note = _renamed(note, name, work_name, shelves.folders.work)
            if carry_out(work_name, name, shelves, target, note):
                return Completed(name, note)
        raise AssertionError("the names never end")

    return shelves.put(note, moves)


def _take_back(work_name: str, note: Receipt, work: Folder, target: Folder) -> None:
    """Remove the receipt that lies under its final name, with no document beside it yet: the moves begin anew.

    Left there until it is known whether the document can be moved now, it would take the name from that very document.
    """
    likely = islice(candidates(original_name(work_name)), _MOST_NUMBERS)
    name = next((one for one in likely if encodable(one) == note.file), None)
    if name is not None and _is_placed(name, note_name(work_name), note, work, target):
        os.unlink(name + SUFFIX, dir_fd=target.fd)


def _is_placed(name: str, noted_as: str, note: Receipt, work: Folder, target: Folder) -> bool:
    with _of_one_file():
        if is_taken(name, target.fd) or not exists(name + SUFFIX, target.fd):
            return False
        if _inode(name + SUFFIX, target) == _inode(noted_as, work):
            return True
        return read_receipt(name + SUFFIX, target) == note  # a copy, where there are no hard links


def _inode(name: str, folder: Folder) -> int:
    return os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_ino


def _renamed(note: Receipt, name: str, work_name: str, work: Folder) -> Receipt:
    renamed = named(note, name)
    if renamed is not note:
        with Slot(work) as slot:
            slot.write(renamed, note_name(work_name))
    return renamed
