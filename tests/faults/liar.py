"""A server before the stand-in that lies about some orders, and is honest about all others.

`Front(api)` is the server: honest requests are handed on to the stand-in, whose answer is handed back. A *lie* plays
the connection from where the head of its order's request has been read. Most take the request first, which hands it on
as well: the API has accepted that document, and nobody hears so. Guarantees: leaving the block ends every lie.
"""

from __future__ import annotations

import gzip
import http.client
import re
import threading
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from tests.support.rawserver import Peer, RawServer, answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from email.message import EmailMessage

    from tests.integration.stand_in import StandIn
    from tests.support.rawserver import Request

MIB = 1024 * 1024
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Who are you?</body></html>"
_ORDER = re.compile(r"/order/([^/]+)/invoice")


class Call(NamedTuple):
    """A request whose head was read, at the server's end of its connection."""

    peer: Peer
    head: tuple[str, EmailMessage]
    front: Front

    @property
    def order_id(self) -> str:
        """The order it is about."""
        found = _ORDER.search(self.head[0])
        assert found, self.head
        return found[1]

    def take(self) -> bytes | None:
        """Read the rest, let the API have it, and return the API's answer; None when the client is gone."""
        request = self.peer.body(*self.head)
        return self.front.hand_on(request) if request else None

    def read(self) -> None:
        """Read the rest; the API never hears of it."""
        self.peer.body(*self.head)


class Front:
    """The server.

    Attributes:
        lies: what is played for an order; may be changed at any time.
        begun: how many times each order was lied to.
        heads: how many requests were begun.
        hellos: what clients said that wanted TLS of a server without it; they are refused in plain text.
    """

    def __init__(self, api: StandIn, tls: ssl.SSLContext | None = None) -> None:
        self.lies: dict[str, Callable[[Call], object]] = {}
        self.begun: dict[str, int] = {}
        self.heads = 0
        self.hellos: list[bytes] = []
        self._api = urlsplit(api.base_url)
        self._server = RawServer(self._play, tls=tls)
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """What `api.base_url` has to be."""
        return self._server.url + self._api.path

    def hand_on(self, request: Request) -> bytes:
        """Let the API have a request; returns its answer."""
        method, path, _ = request.line.split(" ")
        connection = http.client.HTTPConnection(self._api.hostname or "", self._api.port)
        try:
            connection.request(method, path, request.body, dict(request.headers))
            with connection.getresponse() as response:
                return answer(response.status, response.read())
        finally:
            connection.close()

    def secure(self, tls: ssl.SSLContext) -> None:
        """Speak TLS on all connections from now on."""
        self._server.tls = tls

    def _play(self, peer: Peer) -> None:
        if hello := peer.hello():
            self.hellos.append(hello)
            peer.send(answer(400, PAGE, "Connection: close"))
            return
        while head := peer.head():
            self.heads += 1
            call = Call(peer, head, self)
            if lie := self.lies.get(call.order_id):
                with self._lock:
                    self.begun[call.order_id] = self.begun.get(call.order_id, 0) + 1
                lie(call)
                return
            if (said := call.take()) is None:
                return
            peer.send(said)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()


# The lies. Those that take the request first leave the document in doubt.


def saying(raw: bytes) -> Callable[[Call], None]:
    """Take the request, send these bytes, and close."""

    def lie(call: Call) -> None:
        call.take()
        call.peer.send(raw)

    return lie


def refusing(raw: bytes) -> Callable[[Call], None]:
    """Read the request for nobody, send these bytes, and close."""

    def lie(call: Call) -> None:
        call.read()
        call.peer.send(raw)

    return lie


def dripping(first: bytes, piece: bytes) -> Callable[[Call], None]:
    """Take the request, send these bytes, and then a piece now and then for ever."""

    def lie(call: Call) -> None:
        call.take()
        call.peer.send(first)
        call.peer.drip(piece)

    return lie


def silent(call: Call) -> None:
    """Take the request, and say nothing until the client goes away."""
    call.take()
    call.peer.wait()


def reading_slowly(call: Call) -> None:
    """Read the body byte by byte, and never come to its end."""
    call.peer.discard_slowly()


def a_gigabyte(call: Call) -> None:
    """Answer with a gigabyte, as announced."""
    call.take()
    call.peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        call.peer.send(bytes(MIB))


def a_bomb(call: Call) -> None:
    """Answer with a hundred kilobytes that unpack to a hundred megabytes."""
    call.take()
    call.peer.send(answer(200, _bomb(), "Content-Encoding: gzip"))


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(100 * MIB), 1)


def early_refusal(call: Call) -> None:
    """Answer 413 without reading, and reset the connection."""
    call.peer.send(answer(413, b""))
    call.peer.reset()


def reset_before_the_body(call: Call) -> None:
    """Reset the connection when no more than the head was looked at."""
    call.peer.reset()


def reset_in_the_body(call: Call) -> None:
    """Reset it when a part of the body is there."""
    call.peer.discard(MIB)
    call.peer.reset()


def reset_after_the_body(call: Call) -> None:
    """Take the request, and reset the connection."""
    call.take()
    call.peer.reset()
