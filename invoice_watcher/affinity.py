"""All threads on one processor, but for those that move much; and none displaces another by waking up.

The interpreter runs one thread at a time, whatever the number of processors; a thread that hands it to one on another
processor pays for waking that processor up, dozens of times for a document. On one processor the hand-over is a switch
of the kernel's and no more (sched(7)). Nor is a thread that wakes up to displace the one that woke it, which still has
the interpreter: it could only wait for that one at once. SCHED_BATCH says so to the kernel, and lets file servers and
people's programs go first as well. Whoever copies, digests or encrypts megabytes does that outside of the
interpreter, so it may go where there is room. Guarantees: no processor but those the administrator allowed; other
programs are free to leave the one that was chosen. Raises nothing: where the kernel refuses, all stays as it was.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 1024 * 1024
_allowed: set[int] = set()
_one: set[int] = set()


def gather() -> None:
    """Keep the calling thread, and those that it starts from now on, on one processor; to be called once."""
    _allowed.update(os.sched_getaffinity(0))
    _one.add(sorted(_allowed)[os.getpid() % len(_allowed)])  # another one for the next instance
    _stay(_one)
    with suppress(OSError):  # the shipped unit does not allow it, and has CPUSchedulingPolicy= instead
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


@contextmanager
def spread(size: int) -> Iterator[None]:
    """Let a gathered thread run anywhere for the length of a block that moves `LARGE` bytes or more."""
    if size < LARGE:
        yield
        return
    _stay(_allowed)
    try:
        yield
    finally:
        _stay(_one)


def _stay(processors: set[int]) -> None:
    with suppress(OSError):  # EINVAL for no processors: nobody was gathered
        os.sched_setaffinity(0, processors)
