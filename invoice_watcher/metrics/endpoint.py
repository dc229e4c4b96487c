"""The metrics over HTTP, for Prometheus to fetch: one answer to one request on each connection.

Written for the open net, though it should not stand there: a request is at most 8 KiB, a connection lives at most five
seconds, and of very many connections the oldest is ended for the newest, so slow clients keep nobody out. All of it
happens in one thread, which touches no disk. Guarantees: nothing here raises, or waits, in the caller's thread; an
address that cannot be had is logged once and tried again. HTTP as in RFC 9112, the text as in Prometheus' exposition
format 0.0.4.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
import threading
import time
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable

_LONGEST = 8 * 1024  # of a request's head, bytes
_PATIENCE = 5.0  # seconds for one connection
_MOST = 32  # connections
_FRESH = (
    0.1  # seconds for which a text may be shown again: who asks without pause costs no more than ten texts a second
)
_AGAIN = 60.0  # seconds after which an address is tried again
_CHUNK = 64 * 1024
_BACKLOG = 128

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (?:http://[^/ ?]+)?([!-~]+) HTTP/1\.[01]\r?\n")
_PLAIN = "text/plain; charset=utf-8"
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_ROOT = b"invoice-watcher. The metrics are at /metrics\n"
# What a machine without the one or the other kind of IP says to its addresses.
_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}

_log = logging.getLogger(__name__)


class Endpoint:
    """One address that is listened at, in a thread of its own."""

    def __init__(self, address: str, text: Callable[[], bytes]) -> None:
        """Begin to listen.

        Args:
            address: HOST:PORT, [IPV6]:PORT, or :PORT for every address of this machine.
            text: returns the metrics; called in the endpoint's thread.
        """
        self.address = address
        self._text = text
        self._known, self._known_at = b"", float("-inf")
        self._open: dict[StreamWriter, None] = {}  # in the order in which they came
        self._over: Future[None] = Future()
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics over HTTP", daemon=True)
        self._thread.start()

    def try_again(self) -> None:
        """Try at once to get the address, if it could not be had so far."""
        self._again.set()

    def close(self, patience: float = 1.0) -> None:
        """Listen no longer, and let go of the address; a name service that hangs is left to itself."""
        if not self._over.done():
            self._over.set_result(None)
        self._again.set()
        self._thread.join(patience)

    def _run(self) -> None:
        complaint = ""
        while not self._over.done():
            self._again.clear()
            try:
                asyncio.run(self._serve(listening(self.address)))
            except (OSError, UnicodeError) as error:  # the latter for what cannot be the name of a machine
                reason = getattr(error, "strerror", None) or str(error)
                if reason != complaint:
                    complaint = reason
                    text = "the metrics cannot be served at %s: %s; it is tried again every minute, and at a reload"
                    _log.warning(text, escape(self.address), escape(reason))
            if not self._over.done():
                self._again.wait(_AGAIN)

    async def _serve(self, sockets: list[socket.socket]) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: _log.debug("metrics over HTTP: %s", context.get("message"))
        )
        servers = [await asyncio.start_server(self._meet, sock=one, limit=_LONGEST) for one in sockets]
        _log.info("the metrics are served at %s", escape(self.address))
        await asyncio.wrap_future(self._over)
        for server in servers:
            server.close()

    async def _meet(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer one client; whatever it does, it is gone in the end."""
        if len(self._open) >= _MOST:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._converse(reader, writer)
        except OSError:  # TimeoutError is one
            pass
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            head = None
        writer.write(respond(head, self._newest))
        writer.write_eof()
        # What the client sends beyond its request is read too: closing over it would take the answer back.
        while await reader.read(_CHUNK):
            pass
        writer.close()
        await writer.wait_closed()

    def _newest(self) -> bytes:
        now = time.monotonic()
        if now >= self._known_at + _FRESH:
            self._known, self._known_at = self._text(), now
        return self._known


def respond(head: bytes | None, text: Callable[[], bytes]) -> bytes:
    """Return the whole answer to one request.

    Args:
        head: of the request, its last empty line included; None for one that is too long.
        text: returns the metrics.
    """
    if head is None:
        return _answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if (request := _REQUEST.match(head)) is None:
        return _answer(HTTPStatus.BAD_REQUEST)
    method, path = request[1], request[2].partition(b"?")[0]
    if method not in {b"GET", b"HEAD"}:
        return _answer(HTTPStatus.METHOD_NOT_ALLOWED)
    if path == b"/metrics":
        return _answer(HTTPStatus.OK, text(), _EXPOSITION, shown=method == b"GET")
    status = HTTPStatus.OK if path == b"/" else HTTPStatus.NOT_FOUND
    return _answer(status, _ROOT, shown=method == b"GET")


def _answer(status: HTTPStatus, body: bytes | None = None, kind: str = _PLAIN, *, shown: bool = True) -> bytes:
    body = f"{status.phrase}\n".encode() if body is None else body
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        "Allow: GET, HEAD",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + (body if shown else b"")


def listening(address: str) -> list[socket.socket]:
    """Return sockets that listen at all that an address stands for; OSError when that cannot be had.

    What this machine has no kind of IP for is left out, as long as something is left.
    """
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, place in dict.fromkeys((one[0], one[4]) for one in found):
            try:
                sockets.append(_bound(family, place))
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = error
    except OSError:
        for one in sockets:
            one.close()
        raise
    if missing is not None and not sockets:
        raise missing
    return sockets


def _bound(family: int, place: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)
        one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one
