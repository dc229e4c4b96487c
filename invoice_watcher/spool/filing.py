"""Where decisions become files: notes, receipts, and the one rename that commits.

A decision is recorded before it is acted on. The *note* of a claimed document lies beside it in the work folder;
once it says `done` or `failed`, the decision is made, and only the moves remain:

    1. the receipt is written and fsynced, then renamed onto the note: from here on the decision survives a crash
    2. the receipt is linked under its final name, which reserves that name (a link never replaces); where an earlier
       failure of the same document left its receipt, that goes first, for what it tells stands in the note by now
    3. the document is renamed beside it: the commit
    4. both folders are fsynced, and the note is removed

A crash between any two steps leaves a state that `recovery` completes without sending anything. Guarantees: no
file of another is ever replaced; a receipt is complete before its document appears, and only our own receipts are ever
removed. Raises OSError.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Self

import msgspec

from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX, Receipt, encode
from invoice_watcher.spool.names import ROOM, candidates, note_name, original_name
from invoice_watcher.spool.receipts import is_stale, pairing, remove_stale
from invoice_watcher.spool.syscalls import is_taken, link, rename_noreplace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.spool.folders import Folder
    from invoice_watcher.spool.shelves import Shelves

# What a receipt takes; only an answer of nothing but characters that need escaping could make it larger.
# Written, not fallocate(2)d: giving back blocks that were never written costs a journal entry of its own.
_BLANK = b" " * 8192
_READABLE_BY_GROUP = 0o640
_serial = count(1)


class Slot:
    """Room on disk for one receipt, taken before the document is sent.

    What could not be recorded must not be sent: a full or read-only disk shows here, and not after the API took
    the document.
    """

    def __init__(self, work: Folder) -> None:
        """Make the file and take its space; OSError when that cannot be had."""
        self._work = work
        self._fd, self._name = -1, ""
        self._renew()

    def _renew(self) -> None:
        self.close()
        self._fd, self._name = self._new()
        try:
            with suppress(PermissionError):  # FAT and CIFS have no modes
                os.fchmod(self._fd, _READABLE_BY_GROUP)  # people read it, whatever the service's umask
            _write_all(self._fd, _BLANK)
        except OSError:
            self.close()
            raise

    def _new(self) -> tuple[int, str]:
        while True:
            name = f"{ROOM}{next(_serial)}"
            with suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                return os.open(name, flags, _READABLE_BY_GROUP, dir_fd=self._work.fd), name

    def write(self, receipt: Receipt, note: str) -> None:
        """Write the receipt, make it durable, and put it in the place of the note; room for another is taken anew."""
        if not self._name:
            self._renew()
        self._fill(encode(receipt))
        os.rename(self._name, note, src_dir_fd=self._work.fd, dst_dir_fd=self._work.fd)
        self._name = ""

    def place(self, receipt: Receipt, name: str, folder: Folder) -> None:
        """Write the receipt, make it durable, and move it to another folder; FileExistsError if the name is taken."""
        self._fill(encode(receipt))
        rename_noreplace(self._name, name, old_dir=self._work.fd, new_dir=folder.fd)
        self._name = ""

    def _fill(self, raw: bytes) -> None:
        _write_all(self._fd, raw)
        os.ftruncate(self._fd, len(raw))
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the room; what was written stays. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._name:
            os.unlink(self._name, dir_fd=self._work.fd)
            self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_all(descriptor: int, raw: bytes) -> None:
    """Write from the beginning; a disk that is nearly full takes a part, and says so only when asked again."""
    written = 0
    while written < len(raw):
        written += os.pwrite(descriptor, raw[written:], written)


def free_names(name: str, target: Folder, *, with_receipt: bool) -> Iterator[str]:
    """Yield the names in `target` under which a document, and its receipt, may be put, the best first.

    The receipt of a failure whose document was taken away (moved back by a person) does not hold its own name any
    longer; another's it holds, for a numbered one alone says for which order its document is. The receipt of a delivery
    does, for it proves what was sent, wherever the document is kept now. Nothing is removed yet.
    """
    for candidate in candidates(name):
        if is_taken(candidate, target.fd):
            continue
        has_room = not with_receipt or not is_taken(candidate + SUFFIX, target.fd)
        if has_room or (candidate == name and is_stale(candidate, target)):
            yield candidate


def file_away(work_name: str, shelves: Shelves, receipt: Receipt, slot: Slot) -> str:
    """Record a decision and carry it out; returns the document's final name.

    Args:
        work_name: the claimed document.
        shelves: know the folder for it, and whether the receipt appears there too.
        receipt: the decision, whatever name it tells.
        slot: the room for it.
    """
    with_receipt = shelves.wants_receipt(receipt)

    def moves(target: Folder) -> str:
        for name in free_names(original_name(work_name), target, with_receipt=with_receipt):
            final = named(receipt, name)
            slot.write(final, note_name(work_name))
            if carry_out(work_name, name, shelves, target, final):
                return name
        raise AssertionError("the names never end")

    return shelves.put(receipt, moves)


def named(receipt: Receipt, name: str) -> Receipt:
    """Return the receipt as it tells of a document that is filed away as `name`."""
    return receipt if receipt.file == encodable(name) else msgspec.structs.replace(receipt, file=encodable(name))


def carry_out(work_name: str, name: str, shelves: Shelves, target: Folder, receipt: Receipt) -> bool:
    """Make the moves of a decision that is recorded; False when the name was taken in the meantime."""
    work, failed = shelves.folders.work, shelves.folders.failed
    with_receipt = shelves.wants_receipt(receipt)
    if target is not failed:  # before the commit, or a crash behind it would leave the old receipt for ever
        remove_stale(original_name(work_name), failed)
    with pairing:
        if with_receipt and not _reserve(work_name, name, work, target, receipt):
            return False
        try:
            rename_noreplace(work_name, name, old_dir=work.fd, new_dir=target.fd)
        except OSError as error:
            if with_receipt:
                os.unlink(name + SUFFIX, dir_fd=target.fd)
            if isinstance(error, FileExistsError):
                return False
            raise
    with suppress(OSError):  # the document lies in its place: what fails from here on, `recovery` makes up for
        os.fsync(target.fd)
        os.fsync(work.fd)
        os.unlink(note_name(work_name), dir_fd=work.fd)
    return True


def _reserve(work_name: str, name: str, work: Folder, target: Folder, receipt: Receipt) -> bool:
    """Place the receipt; that of an earlier failure of the same document makes way for it."""
    if _place_receipt(work_name, name, work, target, receipt):
        return True
    makes_way = name == original_name(work_name) and remove_stale(name, target)
    return makes_way and _place_receipt(work_name, name, work, target, receipt)


def _place_receipt(work_name: str, name: str, work: Folder, target: Folder, receipt: Receipt) -> bool:
    """Put the receipt under its final name; where there are no hard links, as a second copy."""
    try:
        if not link(note_name(work_name), name + SUFFIX, old_dir=work.fd, new_dir=target.fd):
            with Slot(work) as copy:
                copy.place(receipt, name + SUFFIX, target)
    except FileExistsError:
        return False
    return True
