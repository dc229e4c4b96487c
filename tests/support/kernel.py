"""A kernel that fails at a chosen call, or lacks what a chosen file system lacks: fakes at the border, and only there.

What they stand in for is the functions of `os` and `fcntl`, and renameat2 in libc; all else of a test is real.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from invoice_watcher.spool import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OS_CALLS = (
    "open", "read", "stat", "fstat", "listdir", "scandir", "rename", "link", "unlink", "mkdir", "fsync", "fchmod",
    "pwrite", "ftruncate", "posix_fallocate",
)  # fmt: skip


class OldKernel:
    """A libc whose renameat2 always fails; with EINVAL or ENOSYS, as where its flag is not known (NFS, CIFS)."""

    def __init__(self, code: int = errno.EINVAL) -> None:
        self.code = code

    def renameat2(self, *_: object) -> int:
        """Refuse."""
        ctypes.set_errno(self.code)
        return -1


def failing(code: int) -> Callable[..., None]:
    """Return what stands for a system call that fails with an errno."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def failing_at(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a system call that fails for the file of this name with EIO, as it does on a bad place of the disk."""

    def called(path: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the call takes and gives
        if path == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        return call(path, *args, **kwargs)

    return called


def without_unnamed_files(open_file: Callable[..., int]) -> Callable[..., int]:
    """Return an open(2) that knows no O_TMPFILE, as on NFS, CIFS and some FUSE."""

    def called(path: object, flags: int, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - whatever the call takes
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return open_file(path, flags, *args, **kwargs)

    return called


def piecemeal(most: int) -> Callable[[int, int], bytes]:
    """Return a read(2) that gives so many bytes at a time, as one on FUSE may."""
    read = os.read
    return lambda descriptor, length: read(descriptor, min(length, most))


@contextmanager
def interrupted(call: int, interruption: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Within the block, let something happen before this process's `call`-th system call on files.

    Gives a function that tells whether it has happened.
    """
    calls: list[str] = []

    def count(name: str) -> None:
        calls.append(name)
        if len(calls) == call:
            interruption()

    with _heard(count):
        yield lambda: len(calls) >= call


@contextmanager
def traced() -> Iterator[list[str]]:
    """Give the names of the system calls on files that are made within the block, in their order."""
    calls: list[str] = []
    with _heard(calls.append):
        yield calls


@contextmanager
def _heard(hear: Callable[[str], object]) -> Iterator[None]:
    def announced(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            hear(name)
            return function(*args, **kwargs)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in _OS_CALLS:
            patch.setattr(os, name, announced(name, getattr(os, name)))
        patch.setattr(fcntl, "fcntl", announced("fcntl", fcntl.fcntl))
        patch.setattr(syscalls, "_libc", _Libc(announced("renameat2", syscalls._libc.renameat2)))
        yield


class _Libc:
    def __init__(self, renameat2: Callable[..., object]) -> None:
        self.renameat2 = renameat2
