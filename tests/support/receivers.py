"""What receives notifications on loopback: a web hook, and a mail server, each with what has arrived.

`with Hook() as hook:` and `with Mailbox() as mails:` serve on a free port of their own, each connection in a thread.
`wait_for` returns what has arrived as soon as there is enough of it, and raises AssertionError when it does not come.
"""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from contextlib import suppress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from io import BufferedIOBase

_PATIENCE = 30.0
_POLL = 0.02

Thing = TypeVar("Thing")


class _Receiver(socketserver.ThreadingTCPServer, Generic[Thing]):
    """A server that keeps what arrives.

    Attributes:
        arrived: what has arrived whole.
        calls: how many connections there were.
        hang: while set, nobody is answered.
        released: ends the hanging.
        endless: its answers have no end.
        sent: bytes of the last endless answer that went out before the other side had enough.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, kind: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), kind)
        self.port = self.server_address[1]
        self.arrived: list[Thing] = []
        self.calls = 0
        self.hang = False
        self.released = threading.Event()
        self.endless = False
        self.sent = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def called(self) -> None:
        """Take note of a connection, and hang if that is what is wanted."""
        with self._changed:
            self.calls += 1
            self._changed.notify_all()
        if self.hang:
            self.released.wait(_PATIENCE)

    def go_on(self, connection: BufferedIOBase, piece: bytes) -> bool:
        """Answer until the other side has enough; True after 100 MiB, when it is clear that it never has."""
        self.sent = 0
        with suppress(OSError):
            while self.sent < 100 * 1024 * 1024:
                connection.write(piece)
                self.sent += len(piece)
            return True
        return False

    def took(self, thing: Thing) -> None:
        """Keep what has arrived."""
        with self._changed:
            self.arrived.append(thing)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Thing]:
        """Return what has arrived once it is so much."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= count, _PATIENCE), self.arrived
            return list(self.arrived)

    def wait_for_calls(self, count: int) -> None:
        """Wait until it was called so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls >= count, _PATIENCE), self.calls


class Hook(_Receiver[dict[str, Any]]):
    """A web hook that takes JSON.

    Attributes:
        status: of its answers.
        refuses: what it does not take: any body that holds this text is answered with 400.
    """

    def __init__(self) -> None:
        super().__init__(_Hooked)
        self.status = 200
        self.refuses: str | None = None

    @property
    def url(self) -> str:
        """Its address, with a password and a token."""
        return f"json://user:s3cr3t-pass@127.0.0.1:{self.port}/s3cr3t-token"


class _Hooked(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.called()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_refused = self.server.refuses is not None and self.server.refuses in body
        status = 400 if is_refused else self.server.status
        self.send_response(status)
        self.end_headers()
        if status < 300:
            self.server.took(json.loads(body))
        if self.server.endless:
            self.server.go_on(self.wfile, b"x" * 65536)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class Mailbox(_Receiver[EmailMessage]):
    """A mail server that knows one user (RFC 5321, RFC 4954)."""

    def __init__(self, password: str = "s3cr3t-pass") -> None:  # noqa: S107 - of a mail server that has no mails
        super().__init__(_Mailed)
        self.password = password

    @property
    def url(self) -> str:
        """Its address."""
        parts = f"from=watch@example.org&to=ops@example.org&user=watch&pass={self.password}"
        return f"mailto://127.0.0.1:{self.port}/?{parts}"


class _Mailed(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.server.called()
        if self.server.endless and not self.server.go_on(self.wfile, b"220-ready\r\n" * 6000):
            return
        self._say("220 ready")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say("250-here\r\n250 AUTH PLAIN LOGIN")
            elif verb == b"AUTH":
                self._say("235 come in" if self._knows(line) else "535 5.7.8 s3cr3t-pass is wrong")
            elif verb == b"DATA":
                self._say("354 go on")
                self.server.took(message_from_bytes(self._content(), policy=default))
                self._say("250 taken")
            else:
                self._say("250 fine")
                if verb == b"QUIT":
                    return

    def _knows(self, line: bytes) -> bool:
        given = base64.b64decode(line.split()[2]).split(b"\0")
        return given[-1].decode() == self.server.password

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
