"""The way back: failed documents are put into the drop folder again, as a person would move them.

Through the descriptors of the two folders, by a rename that never replaces; no lock is needed, nothing is made, and the
daemon may be at work. The receipt stays behind: it tells for which order a numbered name is, and goes when the document
goes through. Raises FolderError and its kin for the folders; what becomes of one document is told, not raised.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from invoice_watcher.spool.folders import Folder, open_folder
from invoice_watcher.spool.syscalls import rename_noreplace

if TYPE_CHECKING:
    from pathlib import Path

_COARSE_CLOCK = 5  # CLOCK_REALTIME_COARSE (linux/time.h), the clock that stamps files
_LONGEST_TICK = 0.02  # seconds; it ticks every 1 to 10 ms (time(7))


class Requeue:
    """The failed and the drop folder, open until the block ends."""

    def __init__(self, failed: Path, drop: Path) -> None:
        """Open both; FolderError when one of them cannot be."""
        self._failed = open_folder(failed)
        try:
            self._drop = open_folder(drop)
        except BaseException:
            os.close(self._failed.fd)
            raise
        self._tick_ns = 0
        self._in_this_tick: set[str] = set()

    def put_back(self, name: str, lane: str) -> str | None:
        """Move a document back; returns why it was left where it is, in words, or None when it went.

        Args:
            name: its name in the failed folder, which it keeps.
            lane: what is delivered one after another. The first of a lane to be put back is the first to be sent, so
                two of them must not arrive in the same tick of the file system's clock.
        """
        if lane in self._in_this_tick:
            self._await_next_tick()
        try:
            rename_noreplace(name, name, old_dir=self._failed.fd, new_dir=self._drop.fd)
        except OSError as error:
            return self._reason(error)
        with suppress(OSError):  # the daemon may have claimed it already: what comes now comes after it
            self._remember(lane, os.stat(name, dir_fd=self._drop.fd, follow_symlinks=False).st_ctime_ns)
        return None

    def _remember(self, lane: str, arrived_ns: int) -> None:
        if arrived_ns != self._tick_ns:
            self._tick_ns = arrived_ns
            self._in_this_tick.clear()
        self._in_this_tick.add(lane)

    def _await_next_tick(self) -> None:
        end = time.monotonic() + _LONGEST_TICK  # another machine's clock may be any
        while time.clock_gettime_ns(_COARSE_CLOCK) <= self._tick_ns and time.monotonic() < end:
            time.sleep(_LONGEST_TICK / 20)

    def _reason(self, error: OSError) -> str:
        if isinstance(error, FileExistsError):
            return f"a file of this name lies in {self._drop.path} already; take that away first"
        if isinstance(error, FileNotFoundError):
            return "somebody has taken it away meanwhile"
        if isinstance(error, PermissionError):
            return f"this user may not move files from {self._failed.path} to {self._drop.path}"
        return error.strerror or str(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for folder in (self._drop, self._failed):
            _let_go(folder)


def _let_go(folder: Folder) -> None:
    with suppress(OSError):  # after a power cut they would lie where they were: in the failed folder
        os.fsync(folder.fd)
    os.close(folder.fd)
