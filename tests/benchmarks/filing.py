"""When documents appear in a folder: inotify's word on what is moved in, noted the moment it is read.

A file's own times have the grain of the kernel's clock tick (4 ms at 250 Hz), which is too coarse for a latency of a
few milliseconds. Costs the machine a wake-up for each document, so it is used at a steady pace and not in a burst.
Raises OSError where the kernel refuses a watch: the machine's fault.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_MOVED_TO = 0x80
_HEAD = struct.Struct("iIII")
_BUFFER = 64 * 1024
_LIBC = ctypes.CDLL(None, use_errno=True)


class Filing:
    """Watches a folder from `with` to its end.

    Attributes:
        at: for each name that was moved in, when that was read, ns of CLOCK_MONOTONIC.
    """

    def __init__(self, folder: Path) -> None:
        self.at: dict[str, int] = {}
        self._watch = _LIBC.inotify_init1(os.O_CLOEXEC)
        if self._watch < 0 or _LIBC.inotify_add_watch(self._watch, os.fsencode(folder), _MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "no inotify watch to be had", str(folder))
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._ended)
        self._thread.join()
        os.close(self._end)
        os.close(self._watch)

    def _read(self) -> None:
        while self._end not in select.select([self._watch, self._end], [], [])[0]:
            events = os.read(self._watch, _BUFFER)
            now, offset = time.monotonic_ns(), 0
            while offset < len(events):
                length = _HEAD.unpack_from(events, offset)[3]
                offset += _HEAD.size + length
                self.at[os.fsdecode(events[offset - length : offset].rstrip(b"\0"))] = now
