"""A kernel that fails at a chosen call, or lacks what a chosen file system lacks: fakes at the border, and only there.

What they stand in for is the functions of `os` and `fcntl`, and renameat2 in libc; all else of a test is real.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.spool import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OS_CALLS = (
    "open", "read", "stat", "fstat", "listdir", "scandir", "rename", "link", "unlink", "fsync", "fchmod",
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


@contextmanager
def interrupted(call: int, interruption: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Within the block, let something happen before this process's `call`-th system call on files.

    Gives a function that tells whether it has happened. What stands in the way is the kernel's border: the functions
    of `os` and `fcntl`, and renameat2.
    """
    count = 0

    def counted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == call:
                interruption()
            return function(*args, **kwargs)

        wrapper.__name__ = name
        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in _OS_CALLS:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        patch.setattr(fcntl, "fcntl", counted("fcntl", fcntl.fcntl))
        patch.setattr(syscalls, "_libc", _CountedLibc(counted("renameat2", syscalls._libc.renameat2)))
        yield lambda: count >= call


class _CountedLibc:
    def __init__(self, renameat2: Callable[..., object]) -> None:
        self.renameat2 = renameat2
