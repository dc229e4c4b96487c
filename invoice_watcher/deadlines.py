"""An end to every exchange, whatever the server does.

No timeout of `requests` bounds a whole call: a server that sends one byte now and then keeps it alive for ever. So
each exchange is watched from here, and when its time is over its socket is shut down, which wakes the thread that
blocks on it; while there is no socket yet, the wait for one is cancelled. Guarantees: an exchange ends within its
deadline and a tenth of it; the watching costs nothing while nothing is under way. What an ended exchange returned must
not be believed: look at `ended_because` first.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future


# Held while a connection changes hands, and while one is shut down: `end` must never hit the exchange that has it next.
_handing_over = threading.Lock()


class _Connection(Protocol):
    exchange: Exchange | None  # the one that uses it now

    @property
    def sock(self) -> object: ...


class Exchange:
    """One request and its answer.

    Attributes:
        deadline: monotonic seconds at which it ends.
        connection: what it runs over, from the moment there is one; another exchange may have it afterwards.
        connected: the connection stood, and the request was begun.
        ended_because: the word for why it was ended from outside; None while it was not.
    """

    def __init__(self, deadline: float) -> None:
        """Begin; `deadline` is in monotonic seconds."""
        self.deadline = deadline
        self.connection: _Connection | None = None
        self._connecting: Future[socket.socket] | None = None
        self._beneath: socket.socket | None = None
        self.connected = False
        self.ended_because: str | None = None

    def take(self, connection: _Connection) -> None:
        """Run over this connection, new or kept alive; whoever used it before can no longer end it."""
        with _handing_over:
            connection.exchange = self
            self.connection = connection

    def begin_connecting(self, connecting: Future[socket.socket]) -> None:
        """Take what the exchange waits for until it has a socket: `end` cancels it."""
        self._connecting = connecting
        if self.ended_because:
            self.end(self.ended_because)

    def begin_handshake(self, sock: socket.socket) -> None:
        """Keep a second descriptor of a socket over which TLS is set up now.

        `ssl` takes the first one away from it, and the connection shows no other until the handshake is over.
        """
        self.close()
        self._beneath = sock.dup()
        if self.ended_because:
            self.end(self.ended_because)

    def close(self) -> None:
        """Let go of what `begin_handshake` kept."""
        if self._beneath is not None:
            self._beneath.close()

    def end(self, why: str) -> None:
        """Shut its socket down, from any thread; may be called again for a socket that came later.

        Its connection may have gone back to the pool by now, and be another's: that one is left alone.
        """
        self.ended_because = self.ended_because or why
        if self._connecting is not None:
            self._connecting.cancel()
        with _handing_over:
            if self.connection is not None and self.connection.exchange is self:
                _shut(self.connection.sock)
                _shut(self._beneath)


def _shut(sock: object) -> None:
    if isinstance(sock, socket.socket):
        with suppress(OSError):
            # Past ssl.SSLSocket's own shutdown, which tears TLS state from under the reading thread.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Deadlines:
    """The watch over all exchanges of one uploader: a thread that sleeps while there are none."""

    def __init__(self, length: float) -> None:
        """Start watching; `length` is how long an exchange may take, in seconds."""
        self._length = length
        self._lock = threading.Lock()
        self._under_way: set[Exchange] = set()
        self._busy = threading.Event()
        self._closing = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
        self._thread.start()

    @contextmanager
    def exchange(self, deadline: float) -> Iterator[Exchange]:
        """Watch over one exchange, until `deadline` (monotonic seconds)."""
        one = Exchange(deadline)
        with self._lock:
            self._under_way.add(one)
            if self._stopping:
                one.ended_because = "Stopped"
        if not self._busy.is_set():
            self._busy.set()
        try:
            yield one
        finally:
            with self._lock:
                self._under_way.discard(one)
            one.close()

    def end_all(self) -> None:
        """End what is under way, and whatever begins from now on: the program stops."""
        with self._lock:
            self._stopping = True
            exchanges = tuple(self._under_way)
        for one in exchanges:
            one.end("Stopped")

    def close(self) -> None:
        """End the watch."""
        self._closing.set()
        self._busy.set()
        self._thread.join()

    def _watch(self) -> None:
        tick = min(1.0, self._length / 10)
        while True:
            self._busy.wait()
            if self._closing.wait(tick):
                return
            self._end_overdue()
            if self._closing.is_set():  # `close` may have set `_busy` just before it was cleared
                return

    def _end_overdue(self) -> None:
        with self._lock:
            if not self._under_way:
                self._busy.clear()
            exchanges = tuple(self._under_way)
        now = time.monotonic()
        for one in exchanges:
            if now >= one.deadline or one.ended_because:
                one.end("DeadlineExceeded")
