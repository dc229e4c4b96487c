"""Signals become calls, in a thread that waits for nothing else.

A handler in the main thread can be slept through: a signal that arrives between Python's last look and the wait that
follows is only heard when the wait ends. So the signals are blocked, and a thread takes them with sigwait(3).
Guarantees: none is lost from the moment `block` returns. Raises nothing.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

STOPS = (signal.SIGTERM, signal.SIGINT)
GRACE = 20.0  # seconds that what is being sent may take to end by itself after a stop


def block(numbers: Collection[signal.Signals]) -> None:
    """Keep the signals pending; to be called before any thread is started, for threads inherit it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def listen(numbers: Collection[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
    """Call `heard` for each of these signals from now on, from a thread; they must be blocked."""

    def wait() -> None:
        while True:
            heard(signal.Signals(signal.sigwait(numbers)))

    threading.Thread(target=wait, name="signals", daemon=True).start()
