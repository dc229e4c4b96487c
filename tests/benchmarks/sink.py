"""A stand-in for the API that costs next to nothing, so that what is measured is the sender.

One process, one epoll loop, HTTP/1.1 with keep-alive: it reads a body by its Content-Length without looking into it,
and without copying what comes after the first piece (tcp(7), MSG_TRUNC); it notes the order and the moments at which
head and body were whole, and answers 200 `{}`. Guarantees that only requests whose body arrived whole are noted. A
request without Content-Length is answered 411, so a sender it was not made for fails loudly.

`Sink` starts it as a process of its own and asks it what arrived; it ends when its standard input closes, so it cannot
outlive the benchmark. Raises OSError when it cannot listen: the machine's fault.
"""

from __future__ import annotations

import http.client
import json
import re
import select
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
_PIECE = 64 * 1024
_MOST = 4 * 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_LENGTH_REQUIRED = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n"


class Arrival(NamedTuple):
    """One request that arrived whole.

    Attributes:
        order: the order id of the URL.
        at: when its head was whole, ns of CLOCK_MONOTONIC, which all processes of a machine share.
        size: bytes of its body, the multipart frame included.
        whole: when its body was whole, ns of CLOCK_MONOTONIC; its answer followed after the sink's latency.
    """

    order: str
    at: int
    size: int
    whole: int


class Sink:
    """The sink as a process, from `with` to its end.

    Args:
        latency: seconds from the end of a request to its answer.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        command = [sys.executable, "-m", "tests.benchmarks.sink", str(latency)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def base_url(self) -> str:
        """What a sender is told as the API's address."""
        return f"http://127.0.0.1:{self.port}/web-api"

    def seconds(self) -> float:
        """Return how long it has been on a processor (Documentation/scheduler/sched-stats.rst)."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9

    def arrivals(self) -> list[Arrival]:
        """Return what arrived since this was last asked, in the order of arrival."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/arrivals")
            return [Arrival(*row) for row in json.load(connection.getresponse())]
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing its standard input ends it; `communicate` does that, and waits.
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def ceiling(sink: Sink, size: int, seconds: float = 1.0, connections: int = 4) -> float:
    """Return the requests a second, with bodies of `size` bytes, that would keep the sink's processor busy.

    It is asked by bare sockets, which may well be the slower side; so its own time on the processor is what counts.
    """
    head = f"POST /web-api/order/0/invoice HTTP/1.1\r\nHost: sink\r\nContent-Length: {size}\r\n\r\n"
    request = head.encode() + bytes(size)
    sockets = [socket.create_connection(("127.0.0.1", sink.port)) for _ in range(connections)]
    start, spent = time.monotonic(), sink.seconds()
    while time.monotonic() - start < seconds:
        for sock in sockets:
            sock.sendall(request)
        for sock in sockets:
            sock.recv(4096)
    for sock in sockets:
        sock.close()
    return len(sink.arrivals()) / (sink.seconds() - spent)


class _Connection:
    """What has been read of the request that is under way."""

    __slots__ = ("at", "head", "left", "order", "size", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head = b""
        self.order = ""
        self.at = self.size = self.left = 0


class _Server:
    """The loop; see the module's contract."""

    def __init__(self, listener: socket.socket, latency: float) -> None:
        self._listener = listener
        self._latency = latency
        self._buffer = bytearray(_MOST)
        self._arrivals: list[Arrival] = []
        # The latency is the same for all, so the answers fall due in the order of arrival.
        self._due: deque[tuple[float, _Connection]] = deque()
        self._selector = selectors.EpollSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until standard input closes."""
        while True:
            # An epoll's own timeout is in whole milliseconds, which would be two per cent of a latency of 50.
            if self._due:
                select.select([self._selector], [], [], self._pause())
            for key, _ in self._selector.select(0 if self._due else None):
                if key.data is not None:
                    self._read(key.data)
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    return
            self._answer_due()

    def _pause(self) -> float:
        return max(0.0, self._due[0][0] - time.monotonic())

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, _Connection(sock))

    def _read(self, connection: _Connection) -> None:
        left = connection.left
        try:
            count = connection.sock.recv_into(self._buffer, min(left, _MOST) or _PIECE, socket.MSG_TRUNC if left else 0)
        except ConnectionError:
            count = 0
        if not count:
            self._selector.unregister(connection.sock)
            connection.sock.close()
        elif connection.left:
            self._read_body(connection, count)
        else:
            self._read_head(connection, count)

    def _read_head(self, connection: _Connection, count: int) -> None:
        now = time.monotonic_ns()
        text = connection.head + bytes(self._buffer[:count])
        end = text.find(b"\r\n\r\n")
        connection.head = text if end < 0 else b""
        if end < 0:
            return
        head = text[:end]
        if head.startswith(b"GET "):
            self._tell(connection)
        elif (length := _LENGTH.search(head)) is None:
            connection.sock.send(_LENGTH_REQUIRED)
        else:
            if _EXPECT.search(head):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.at, connection.size = now, int(length[1])
            connection.order = head.split(b" ", 2)[1].split(b"/")[-2].decode()
            connection.left = connection.size
            self._read_body(connection, len(text) - end - 4)

    def _read_body(self, connection: _Connection, count: int) -> None:
        connection.left -= count
        if connection.left > 0:
            return
        self._arrivals.append(Arrival(connection.order, connection.at, connection.size, time.monotonic_ns()))
        connection.left = 0
        if self._latency:
            self._due.append((time.monotonic() + self._latency, connection))
        else:
            connection.sock.send(_OK)

    def _answer_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            connection = self._due.popleft()[1]
            # A sender that was ended meanwhile has closed its socket, and no longer wants the answer.
            if connection.sock.fileno() >= 0:
                connection.sock.send(_OK)

    def _tell(self, connection: _Connection) -> None:
        body = json.dumps(self._arrivals).encode()
        self._arrivals.clear()
        connection.sock.setblocking(True)
        connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.sock.setblocking(False)


def main() -> None:
    """Listen on a free port of the loopback, print it, and serve."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    _Server(listener, float(sys.argv[1])).run()


if __name__ == "__main__":
    main()
