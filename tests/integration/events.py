"""What happened in a folder, in the order in which it happened: inotify(7), asked by the test itself.

Raises OSError when the kernel grants no watch.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_WORDS = {0x2: "modified", 0x80: "moved in", 0x100: "created", 0x200: "deleted"}
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def events_in(folder: Path) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """Watch a folder; yields what returns everything that has happened by now, as (name, what)."""
    fd = _libc.inotify_init1(os.O_CLOEXEC)
    if _libc.inotify_add_watch(fd, os.fsencode(folder), sum(_WORDS)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(folder))
    try:
        yield lambda: list(_read(fd))
    finally:
        os.close(fd)


def _read(fd: int) -> Iterator[tuple[str, str]]:
    while select.select([fd], [], [], 0)[0]:
        raw = os.read(fd, 64 * 1024)
        while raw:
            _, mask, _, length = _HEAD.unpack_from(raw)
            name = os.fsdecode(raw[_HEAD.size : _HEAD.size + length].rstrip(b"\0"))
            raw = raw[_HEAD.size + length :]
            yield name, _WORDS.get(mask & 0xFFFF, "")
