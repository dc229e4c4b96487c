"""The kernel's calls that Python does not offer, or offers only in part.

Guarantees: `rename_noreplace` never replaces a file; `lease_for_reading` holds a lease at most as long as its
block. Raises OSError with the kernel's errno, and nothing else.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RENAME_NOREPLACE = 1  # linux/fs.h
_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS, where a long has eight bytes
_IMMOVABLE = 0x10 | 0x20  # FS_IMMUTABLE_FL, FS_APPEND_FL
_libc = ctypes.CDLL(None, use_errno=True)

# What a file system answers that does not know renameat2's flag: NFS, CIFS, some FUSE (rename(2)).
_NO_FLAG = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
# What a file system answers that has no hard links (link(2)): FAT and CIFS say EPERM.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK})
# What F_SETLEASE answers where leases are not to be had: another user's file without CAP_LEASE, or the wrong
# file system (fcntl(2)).
_NO_LEASES = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP})


class Lease(Enum):
    """What the kernel says of a file's writers."""

    HELD = "held"  # nobody has it open for writing, and whoever tries now waits
    BUSY = "busy"  # somebody has it open for writing, or mapped writable
    UNAVAILABLE = "unavailable"  # cannot be known here

    @property
    def tells_of_writer(self) -> bool:
        """Whether somebody may be writing, so that the file is to be left alone.

        The fallback, where that cannot be known, is that nobody is: then only the file's times tell of a change, and
        how long it has settled. Were it the other way round, nothing would ever be sent from such a file system.
        """
        return {Lease.HELD: False, Lease.BUSY: True, Lease.UNAVAILABLE: False}[self]


def rename_noreplace(old: str, new: str, *, old_dir: int, new_dir: int) -> None:
    """Rename within one file system; FileExistsError when `new` is there already.

    renameat2(RENAME_NOREPLACE) does it in one step. Where a file system does not know it, link and unlink do (a
    link never replaces either), and where there are no links, a look before the rename: the folders belong to
    this program and are locked, so only a person in the same instant could come between.
    """
    result = _libc.renameat2(old_dir, os.fsencode(old), new_dir, os.fsencode(new), _RENAME_NOREPLACE)
    if result == 0:
        return
    code = ctypes.get_errno()
    if code not in _NO_FLAG:
        raise OSError(code, os.strerror(code), old, None, new)
    if link(old, new, old_dir=old_dir, new_dir=new_dir):
        _unlink_old(old, new, old_dir, new_dir)
    else:
        _rename_if_free(old, new, old_dir, new_dir)


def link(old: str, new: str, *, old_dir: int, new_dir: int) -> bool:
    """Make a hard link, never replacing (FileExistsError); False where there are no hard links."""
    try:
        os.link(old, new, src_dir_fd=old_dir, dst_dir_fd=new_dir, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def read_up_to(descriptor: int, most: int) -> bytes:
    """Return the bytes of a file from where it stands to its end, `most` at most; read(2) may give a part (FUSE)."""
    found = b""
    while len(found) < most and (chunk := os.read(descriptor, most - len(found))):
        found += chunk
    return found


@contextmanager
def lease_for_reading(descriptor: int) -> Iterator[Lease]:
    """Hold a read lease on an open file for the length of a block (fcntl(2), F_SETLEASE).

    A writer that comes meanwhile is held up until the block ends, so the block must be short.
    """
    lease = _take_lease(descriptor)
    try:
        yield lease
    finally:
        if lease is Lease.HELD:
            with suppress(OSError):  # the kernel broke it first: there is nothing left to give back
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def lease_is_wanted(descriptor: int) -> bool:
    """Tell whether a writer is waiting for our lease to end: the lease is being broken."""
    return fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK


def is_immovable(descriptor: int) -> bool:
    """Tell whether a file is marked so that nobody may rename it (ioctl_iflags(2)); False where there are no marks."""
    try:
        flags = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))
    except OSError:
        return False
    return bool(int.from_bytes(flags, sys.byteorder) & _IMMOVABLE)


def _take_lease(descriptor: int) -> Lease:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return Lease.BUSY
        if error.errno in _NO_LEASES:
            return Lease.UNAVAILABLE
        raise
    return Lease.HELD


def _unlink_old(old: str, new: str, old_dir: int, new_dir: int) -> None:
    """End a rename by link; what cannot leave its old folder must not stay in both."""
    try:
        os.unlink(old, dir_fd=old_dir)
    except OSError:
        os.unlink(new, dir_fd=new_dir)
        raise


def _rename_if_free(old: str, new: str, old_dir: int, new_dir: int) -> None:
    if exists(new, new_dir):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new, src_dir_fd=old_dir, dst_dir_fd=new_dir)


def exists(name: str, directory: int) -> bool:
    """Tell whether a name is taken in a directory, by whatever it may be."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENAMETOOLONG}:
            return False
        raise
    return True


def is_taken(name: str, directory: int) -> bool:
    """Tell the same, also of what cannot be looked at: a bad place on the disk, somebody's own mount (FUSE)."""
    try:
        return exists(name, directory)
    except OSError:
        if name not in os.listdir(directory):  # else it is the directory's fault
            raise
        return True
