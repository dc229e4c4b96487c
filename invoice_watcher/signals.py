"""Signals become calls, in a thread that waits for nothing else; and whoever is about to begin something can ask first.

A handler that Python runs in the main thread can be slept through: a signal that arrives between its last look and the
wait that follows is only heard when the wait ends. But what the kernel calls writes to a socket at once
(`set_wakeup_fd`, signal, Python docs), and a thread reads from that. Guarantees: none is lost from the moment `listen`
returns; one that was sent before `pending` is asked is known to it, though its call may still be to come. Raises
nothing.
"""

from __future__ import annotations

import select
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

STOPS = (signal.SIGTERM, signal.SIGINT)
GRACE = 20.0  # seconds that what is being sent may take to end by itself after a stop
_AT_ONCE = 64  # signals read in one go
_sent = select.poll()


def listen(numbers: Collection[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
    """Call `heard` for each of these signals from now on, from a thread; to be called once, by the main thread."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    _sent.register(reading, select.POLLIN)
    threading.Thread(target=_listen, args=(reading, heard), name="signals", daemon=True).start()


def pending() -> bool:
    """Tell whether a signal was sent that `heard` was not called for yet."""
    return bool(_sent.poll(0))


def _listen(reading: socket.socket, heard: Callable[[signal.Signals], None]) -> None:
    while numbers := reading.recv(_AT_ONCE, socket.MSG_PEEK):  # they are pending until they were heard
        for number in numbers:
            heard(signal.Signals(number))
        reading.recv(len(numbers))
