"""How often to look at a folder that may be large: when something in it changed, and never for long.

Whoever looks for longer than a moment (`LONG`) rests twenty times as long (`REST`), so that looks cost a twentieth of a
processor at most, however much lies there. `Looks` says when another look is worth it, `Pace` rests in the midst of
one that nobody waits for. Raises OSError when a folder cannot be asked, and what is raised in the block.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 0.05  # seconds
REST = 20.0  # times as long
# A change within one tick of the file system's clock leaves its time as it is; network file systems have the coarsest.
_TICK_NS = 2_000_000_000


class Looks:
    """The looks at one folder, one after another."""

    def __init__(self) -> None:
        """Begin; the first look is always worth it."""
        self._seen: tuple[int, int, int] | None = None
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        """Whether the last look took so long that there is to be none yet."""
        return time.monotonic() < self._rests_until

    @contextmanager
    def at(self, folder: int) -> Iterator[bool]:
        """Look in this block, if it is told that something may have changed since the last one that came to its end.

        Args:
            folder: a descriptor of the folder as it is now.
        """
        began, looked_ns = time.monotonic(), time.time_ns()
        found = os.fstat(folder)
        state = found.st_dev, found.st_ino, found.st_mtime_ns
        yield state != self._seen
        self._seen = state if found.st_mtime_ns < looked_ns - _TICK_NS else None
        took = time.monotonic() - began
        if took > LONG:
            self._rests_until = began + took + REST * took


class Pace:
    """The patience of a look that nobody waits for."""

    def __init__(self, rest: Callable[[float], object]) -> None:
        """Begin to work.

        Args:
            rest: waits for so many seconds; what it raises ends the look.
        """
        self._rest = rest
        self._worked_until = time.thread_time()

    def keep(self) -> None:
        """Rest, if there was work for more than a moment."""
        worked = time.thread_time() - self._worked_until
        if worked > LONG:
            self._rest(REST * worked)
            self._worked_until = time.thread_time()
