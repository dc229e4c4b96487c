"""One desk for all workers: the small work on a document is done by one of them at a time.

The interpreter runs one thread at a time, and may hand over at every call of the kernel. Workers that make the small
steps of several documents at once mostly wake one another up; one after the other they are done sooner. So a worker
sits at the desk while he computes, and leaves it while he waits: for the disk, for the API. Guarantees: it is a
courtesy and no lock. Nothing depends on being alone, and who has waited for `PATIENCE` goes on without the desk, so one
who is stuck there (on a dead file server) holds up the others for moments, and whatever locks are held, none can wait
for another for ever. Raises nothing.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 0.02  # seconds; what is done at the desk takes a tenth of it
_desk = threading.Lock()
_this_thread = threading.local()


@contextmanager
def alone() -> Iterator[None]:
    """Sit at the desk for the length of a block."""
    _sit()
    try:
        yield
    finally:
        _rise()


@contextmanager
def away() -> Iterator[None]:
    """Leave the desk, if this thread sits there, for the length of a block that waits for something."""
    if not sits():
        yield
        return
    _rise()
    try:
        yield
    finally:
        _sit()


def sits() -> bool:
    """Tell whether this thread sits there."""
    return getattr(_this_thread, "sits", False)


def _sit() -> None:
    _this_thread.sits = _desk.acquire(timeout=PATIENCE)


def _rise() -> None:
    if sits():
        _this_thread.sits = False
        _desk.release()
