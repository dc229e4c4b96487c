"""A private copy of a dropped document, read once, while nobody could write to it.

What is validated and sent is the snapshot, never the file, so what was checked is what was sent. Small documents
are held in memory, larger ones in an unnamed temporary file in the work folder, which vanishes with the process. Where
a file system has no unnamed files (open(2), O_TMPFILE), it has a name for a moment, which recovery knows.
Guarantees: no link is followed and nothing but a regular file with one name is read; nothing of a file that a
writer has open is ever used (where the kernel grants leases); the lease ends before this module returns.
A file that is gone is `GONE`. Raises UnreadableError when this one file cannot be read, other OSErrors for faults of
the machine.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from io import BytesIO
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from invoice_watcher.accounts import user_name
from invoice_watcher.record import MutableRecord
from invoice_watcher.settling import GONE, Signature, Unready
from invoice_watcher.spool.names import COPY
from invoice_watcher.spool.syscalls import Lease, lease_for_reading, lease_is_wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

# Without O_NONBLOCK the opening of a FIFO would wait for its writer (fifo(7)).
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_IN_MEMORY = 1024 * 1024
_CHUNK = 256 * 1024

_WRITING = Unready("is still open for writing")
CHANGED = Unready("changed while it was being read")
IMMOVABLE = Unready("may not be moved by this program; its owner, or the administrator, must allow it")
_LINKED = Unready("has a second name (hard link)")
_NOT_REGULAR = Unready("is no regular file", needs_person=True)

# What the opening, or the renaming, of a file answers while another has it for itself: by a lease for writing (open(2),
# O_NONBLOCK), or on a Windows server.
IN_USE = frozenset({errno.EAGAIN, errno.EBUSY, errno.ETXTBSY})
# Why one file cannot be moved while others can: it is in use, or a mount point; immutable, or in a sticky folder.
ITS_OWN = IN_USE | {errno.EPERM}
# The same, of a name that may bear something else by now: a folder, put there in that instant.
NOT_TO_BE_MOVED = ITS_OWN | {errno.EACCES}
# What the opening of a file answers for the program's or the machine's sake, and would for every other file.
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class UnreadableError(OSError):
    """This one file cannot be read: a bad place on the disk, a server that does not give it."""


class Snapshot(MutableRecord):
    """The copy, and the open file it was made from.

    Attributes:
        document: the bytes, at the beginning; None when the file is larger than was asked for.
        size: bytes of the file.
        sha256: of the bytes, in hexadecimal; None when there is no copy.
        owner: the name of the user who owns the file.
        signature: the file as it was when it was read; once it has been claimed, as the claim left it.
    """

    descriptor: int
    document: BinaryIO | None
    size: int
    sha256: str | None
    owner: str
    signature: Signature

    def close(self) -> None:
        """Let go of the copy and of the file; may be called twice."""
        if self.document is not None:
            self.document.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def take_snapshot(name: str, directory: int, work: int, largest: int, expected: Signature | None) -> Snapshot | Unready:
    """Copy the file `name`, or say why it is not ready.

    Args:
        name: its name in `directory`.
        directory: descriptor of the folder it lies in.
        work: descriptor of the folder for large copies.
        largest: bytes; a larger file is not copied, only described.
        expected: how the scan saw it; a file that looks otherwise by now has to settle again.
    """
    try:
        descriptor = os.open(name, _OPEN, dir_fd=directory)
    except OSError as error:
        return _unready_for(error)
    try:
        taken = _read(descriptor, work, largest, expected)
    except BaseException:
        os.close(descriptor)
        raise
    if isinstance(taken, Unready):
        os.close(descriptor)
    return taken


def signature_of(found: os.stat_result) -> Signature:
    """Return what changes when the file changes."""
    return Signature(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_unchanged(snapshot: Snapshot) -> bool:
    """Tell whether the file is still what was copied: nobody has it open for writing, and nobody changed it."""
    with lease_for_reading(snapshot.descriptor) as lease:
        return not lease.tells_of_writer and signature_of(os.fstat(snapshot.descriptor)) == snapshot.signature


def leases_work(folder: Path) -> bool:
    """Tell whether the kernel grants leases on that file system; tried on an unnamed file."""
    try:
        with TemporaryFile(dir=folder, prefix=COPY) as writable:
            reading = os.open(f"/proc/self/fd/{writable.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                with lease_for_reading(reading) as lease:
                    return lease is Lease.BUSY
            finally:
                os.close(reading)
    except OSError:
        return False


def _unfit(found: os.stat_result, expected: Signature | None) -> Unready | None:
    if not stat.S_ISREG(found.st_mode):
        return _NOT_REGULAR
    if found.st_nlink != 1:
        return _LINKED
    return CHANGED if expected is not None and signature_of(found) != expected else None


def _read(descriptor: int, work: int, largest: int, expected: Signature | None) -> Snapshot | Unready:
    with lease_for_reading(descriptor) as lease:
        found = os.fstat(descriptor)
        if unfit := _unfit(found, expected):
            return unfit
        if lease.tells_of_writer:
            return _WRITING
        document, sha256 = _copy(descriptor, work, found.st_size) if found.st_size <= largest else (None, None)
        wanted = lease is Lease.HELD and lease_is_wanted(descriptor)
    signature = signature_of(found)
    if document is not None:
        # Nobody could write under a lease that was never wanted; without one only the times tell.
        is_same = lease is Lease.HELD or signature_of(os.fstat(descriptor)) == signature
        is_whole = is_same and document.tell() == found.st_size
        document.seek(0)
        if wanted or not is_whole:
            document.close()
            return _WRITING if wanted else CHANGED
    return Snapshot(descriptor, document, found.st_size, sha256, user_name(found.st_uid), signature)


def _copy(descriptor: int, work: int, size: int) -> tuple[BinaryIO, str]:
    """Copy to the end of the file; the copy is left there, so that its position tells how much was read."""
    if size <= _IN_MEMORY:
        raw = b"".join(_chunks(descriptor, size, size + 1))
        copied = BytesIO(raw)
        copied.seek(0, os.SEEK_END)
        return copied, hashlib.sha256(raw).hexdigest()
    copy = TemporaryFile(dir=f"/proc/self/fd/{work}", prefix=COPY, buffering=0)  # noqa: SIM115 - the snapshot closes it
    try:
        sha256 = _copy_into(copy, _chunks(descriptor, size, _CHUNK))
    except BaseException:
        copy.close()
        raise
    return copy, sha256


def _copy_into(copy: BinaryIO, chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        while chunk:  # write(2) writes a part where no more fits; only the next one says that the disk is full
            chunk = chunk[copy.write(chunk) :]  # noqa: PLW2901 - what is left of it
    return digest.hexdigest()


def _chunks(descriptor: int, size: int, most: int) -> Iterator[bytes]:
    """Yield the file's bytes, `most` at once, up to its size, or to the first byte beyond where it gives more.

    read(2) may give a part: before a bad place on the disk, or on FUSE. Only an empty answer, or all that was there
    when one more byte was asked for, is the end.
    """
    left = size + 1
    try:
        while left and (chunk := os.read(descriptor, min(left, most))):
            left -= len(chunk)
            yield chunk
            if left == 1:
                return
    except OSError as error:
        raise UnreadableError(*error.args) from error


def _unready_for(error: OSError) -> Unready:
    """A file that may not or cannot be opened stays where it is; our own fault is raised."""
    if error.errno == errno.ENOENT:
        return GONE
    if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENODEV}:
        return _NOT_REGULAR
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Unready("may not be read by this program; its owner must allow it")
    if error.errno in IN_USE:
        return _WRITING
    raise error if error.errno in OURS else UnreadableError(*error.args) from error
