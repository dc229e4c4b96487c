"""Signals become calls, in a thread that waits for nothing else; and whoever is about to begin something can ask first.

A handler that Python runs in the main thread can be slept through: a signal that arrives between its last look and the
wait that follows is only heard when the wait ends. But what the kernel calls writes to a pipe at once
(`set_wakeup_fd`, signal, Python docs), and a thread reads from that. While the main thread does not wait, the handler
runs before anything else does there: so it is known then that a stop was sent, though its call may still be to come.
Guarantees: no signal is lost from the moment `listen` returns. Raises nothing.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT)
GRACE = 20.0  # seconds that what is being sent may take to end by itself after a stop
_AT_ONCE = 64  # signals read in one go
_sent: set[int] = set()  # the stops among those that were sent
_listened: set[signal.Signals] = set()


def listen(numbers: Collection[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
    """Call `heard` for each of these signals from now on, from a thread; to be called once, by the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _note)
        _listened.add(number)
    threading.Thread(target=_listen, args=(reading, heard), name="signals", daemon=True).start()


def end() -> None:
    """From here on nothing is heard: the program ends, and its status stands.

    What has a handler gets its default back when the interpreter ends, so one more stop would kill it (finisignal in
    CPython's signalmodule.c); what is ignored stays so.
    """
    ignore(_listened)


def ignore(numbers: Collection[signal.Signals]) -> None:
    """Hear none of these signals any more; to be called by the main thread, when the program is about to end.

    Of one that came just before, CPython would say aloud, with a traceback, that it is "ignored due to race condition"
    (_PyErr_CheckSignalsTstate in signalmodule.c); here that is meant.
    """
    sys.unraisablehook = lambda _: None
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def is_stop_sent() -> bool:
    """Tell whether a stop was ever sent; to be asked by the main thread."""
    return bool(_sent)


def _note(number: int, _frame: FrameType | None) -> None:
    if number in STOPS:
        _sent.add(number)


def _listen(reading: int, heard: Callable[[signal.Signals], None]) -> None:
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    while True:
        waiting.poll()
        for number in os.read(reading, _AT_ONCE):
            heard(signal.Signals(number))
