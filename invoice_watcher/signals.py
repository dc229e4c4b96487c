"""Signals become calls, in a thread that waits for nothing else; and whoever is about to begin something can ask first.

A handler that Python runs in the main thread can be slept through: a signal that arrives between its last look and the
wait that follows is only heard when the wait ends. But what the kernel calls writes to a pipe at once
(`set_wakeup_fd`, signal, Python docs), and a thread reads from that. Guarantees: none is lost from the moment `listen`
returns; one that was sent before `pending` is asked is known to it, though its call may still be to come. Raises
nothing.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

STOPS = (signal.SIGTERM, signal.SIGINT)
GRACE = 20.0  # seconds that what is being sent may take to end by itself after a stop
_AT_ONCE = 64  # signals read in one go
_sent = select.poll()
_hearing = threading.Event()  # what was read is being told


def listen(numbers: Collection[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
    """Call `heard` for each of these signals from now on, from a thread; to be called once, by the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    _sent.register(reading, select.POLLIN)
    threading.Thread(target=_listen, args=(reading, heard), name="signals", daemon=True).start()


def pending() -> bool:
    """Tell whether a signal was sent that `heard` was not called for yet."""
    # Twice, for one that arrives during the first may only have interrupted it (poll(2), EINTR).
    return bool(_sent.poll(0) or _sent.poll(0)) or _hearing.is_set()


def _listen(reading: int, heard: Callable[[signal.Signals], None]) -> None:
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    while True:
        waiting.poll()
        _hearing.set()  # before it is read, so that at every moment one or the other tells of it
        for number in os.read(reading, _AT_ONCE):
            heard(signal.Signals(number))
        _hearing.clear()
