"""A server on loopback that does with each connection exactly what a test tells it, however wrong.

A *script* plays one connection: it reads what it wants, sends what it wants, and returns to close. `answering(...)`
is the well-behaved one. Each connection has a thread of its own; all end when the server does. A client that goes
away in the middle is no fault here.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage, MIMEPart

    Script: TypeAlias = "Callable[[Peer], object]"

_PIECE = 64 * 1024
_PATIENCE = 20.0  # seconds, so that a hung test ends


@dataclass(frozen=True)
class Request:
    """What arrived whole: the request line, the header fields, the body."""

    line: str
    headers: EmailMessage
    body: bytes

    @property
    def parts(self) -> list[MIMEPart]:
        """The parts of a multipart body."""
        raw = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + self.body
        return list(BytesParser(policy=HTTP).parsebytes(raw).iter_parts())


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self._sock = sock
        self._server = server
        self._buffer = b""

    def hello(self) -> bytes:
        """Return what the client says first, when that is TLS and this server speaks none (RFC 8446 section 5.1)."""
        self._receive()
        return self._buffer if self._buffer.startswith(b"\x16") else b""

    def head(self) -> tuple[str, EmailMessage] | None:
        """Read a request up to its body; None when the client has closed the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                return None
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, _, fields = raw.partition(b"\r\n")
        return line.decode("latin-1"), BytesParser(policy=HTTP).parsebytes(fields + b"\r\n\r\n")

    def request(self) -> Request | None:
        """Read a whole request and note it; None when the client has closed the connection."""
        head = self.head()
        return head and self.body(*head)

    def body(self, line: str, headers: EmailMessage) -> Request | None:
        """Read the body of a request whose head is read, and note it; None when the client has closed it."""
        pieces, missing = [self._buffer], int(headers["Content-Length"]) - len(self._buffer)
        while missing > 0:
            piece = self._sock.recv(_PIECE)
            if not piece:
                return None
            pieces.append(piece)
            missing -= len(piece)
        self._buffer = b""
        request = Request(line, headers, b"".join(pieces))
        self._server.requests.append(request)
        return request

    def send(self, raw: bytes) -> None:
        """Send these bytes."""
        self._sock.sendall(raw)

    def drip(self, piece: bytes, every: float = 0.05) -> None:
        """Send a piece again and again until the client goes away."""
        while not self._server.ended.wait(every):
            self.send(piece)

    def discard(self, length: int) -> None:
        """Read a body of this length without keeping it."""
        missing = length - len(self._buffer)
        while missing > 0 and (piece := self._sock.recv(min(missing, _PIECE))):
            missing -= len(piece)
        self._buffer = b""

    def discard_slowly(self, every: float = 0.05) -> None:
        """Read byte by byte, until the client goes away."""
        while not self._server.ended.wait(every) and self._sock.recv(1):
            pass

    def wait(self) -> None:
        """Do nothing until the client closes the connection."""
        while self._receive():
            pass

    def reset(self) -> None:
        """Close with a RST in place of a FIN (socket(7), SO_LINGER)."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _receive(self) -> bool:
        piece = self._sock.recv(_PIECE)
        self._buffer += piece
        return bool(piece)


class RawServer:
    """The server. Connections are played by `scripts` in turn, the last one for all that follow.

    Attributes:
        requests: what arrived whole, in order.
        tls: what new connections speak; None for plain HTTP.
        connections: how many were made.
        closed: released once for each connection that the server has closed.
        ended: set when the server ends.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self.tls = tls
        self.requests: list[Request] = []
        self.connections = 0
        self.closed = threading.Semaphore(0)
        self.ended = threading.Event()
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for sock in (self._listener, *self._socks):
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # past TLS, whose own would wait for the reader
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._listener.close()

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ended.is_set():
            with suppress(OSError):
                sock, _ = self._listener.accept()
                sock.settimeout(_PATIENCE)
                self._socks.append(sock)
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._begin(self._play, sock, script)

    def _play(self, sock: socket.socket, script: Script) -> None:
        with suppress(OSError), sock:  # the client went away
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
            with sock:
                script(Peer(sock, self))
        self.closed.release()


def answer(status: int = 200, body: bytes = b"{}", *fields: str) -> bytes:
    """Return a sound answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def answering(*answers: bytes) -> Script:
    """Answer the requests of a connection in turn, the last answer for all that follow; OK to all if none is given."""
    given = answers or (answer(),)

    def play(peer: Peer) -> None:
        count = 0
        while peer.request():
            peer.send(given[min(count, len(given) - 1)])
            count += 1

    return play


def saying(raw: bytes) -> Script:
    """Read one whole request, send these bytes, and close."""

    def play(peer: Peer) -> None:
        if peer.request():
            peer.send(raw)

    return play


@contextmanager
def black_hole() -> Iterator[str]:
    """Give an address where a connection is neither taken nor refused: the queue of the listener is full."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            sock = held.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
