"""What of requests is needed here: its transport, with connections that can be ended from outside.

Guarantees: one address, one pool, kept alive; no redirects, no cookies, no netrc, no environment proxies; at most 1 MiB
of an answer. Raises what requests' `HTTPAdapter.send` raises, and `OversizedError`.
"""

from __future__ import annotations

import errno
import threading
import zlib
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from invoice_watcher import __version__

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from invoice_watcher.config import Api, Secret
    from invoice_watcher.deadlines import Exchange
    from invoice_watcher.uploader.body import Body

_LARGEST_ANSWER = 1024 * 1024
_CHUNK = 64 * 1024
_BLOCK = 128 * 1024
_HTTP_1_0 = 10
_EITHER_HEADER = 32 + zlib.MAX_WBITS  # gzip's or zlib's

# The exchange that the running thread is in, for the connection to find.
_current = threading.local()


class OversizedError(requests.RequestException):
    """The answer is larger than any answer of this API."""


@contextmanager
def running(exchange: Exchange) -> Iterator[None]:
    """Let whatever connection this thread uses within the block belong to `exchange`."""
    _current.exchange = exchange
    try:
        yield
    finally:
        _current.exchange = None


class Client:
    """The transport, beneath a session.

    A session adds redirects, cookies, netrc and the environment's proxies, all of which must not be.
    `HTTPAdapter.send` is what it calls in the end (requests, "Transport Adapters").
    """

    def __init__(self, api: Api, api_code: Secret) -> None:
        """Prepare; nothing is sent."""
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=api.workers, max_retries=0)
        self._base_url = _prepared_url(api.base_url)
        self._verify = str(api.ca_bundle) if api.ca_bundle else True
        self._proxies = {"http": api.proxy, "https": api.proxy} if api.proxy else {}
        self._headers = {
            "User-Agent": f"invoice-watcher/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "ApiCode": api_code.reveal(),
        }

    def post(self, path: str, body: Body, timeouts: tuple[float, float]) -> requests.Response:
        """Send one request and read the head of its answer; raises what the adapter raises."""
        request = requests.PreparedRequest()
        request.method = "POST"
        request.url = self._base_url + path
        own = {"Content-Type": body.content_type, "Content-Length": str(body.len)}
        request.headers = requests.structures.CaseInsensitiveDict(self._headers | own)
        request.body = body  # type: ignore[assignment]  # the stubs know only bytes and text; a file may be streamed too
        return self._adapter.send(request, True, timeouts, self._verify, None, self._proxies)

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()


def _prepared_url(base_url: str) -> str:
    """Let requests write the address as it goes over the wire (international host names, RFC 3986)."""
    request = requests.PreparedRequest()
    request.prepare_url(base_url, None)
    return (request.url or base_url).rstrip("/")


def tls_context(api: Api) -> ssl.SSLContext:
    """Return the terms on which a secure connection is made here; OSError when the trusted certificates are away."""
    context = create_urllib3_context()
    context.load_verify_locations(api.ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    return context


def read_bounded(response: requests.Response) -> bytes:
    """Return the decoded body, or raise OversizedError.

    urllib3 before 2.6 unpacks a piece whole, whatever it grows to, so what was compressed against our wish
    (`Accept-Encoding: identity`) is unpacked here, up to the bound.
    """
    is_packed = response.raw.headers.pop("Content-Encoding", "identity").lower() in {"gzip", "x-gzip", "deflate"}
    pieces, size = [], 0
    for piece in response.iter_content(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_ANSWER:
            raise OversizedError(f"an answer of more than {_LARGEST_ANSWER} bytes")
    return _unpacked(b"".join(pieces)) if is_packed else b"".join(pieces)


def _unpacked(raw: bytes) -> bytes:
    try:
        body = zlib.decompressobj(_EITHER_HEADER).decompress(raw, _LARGEST_ANSWER + 1)
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(str(error)) from error
    if len(body) > _LARGEST_ANSWER:
        raise OversizedError(f"an answer of more than {_LARGEST_ANSWER} bytes, unpacked")
    return body


def is_framed(response: requests.Response) -> bool:
    """Whether a cut would have been noticed: RFC 9112 section 6.3, and not a status line with nothing behind it."""
    headers = response.headers
    if headers.get("Content-Length", "").isdigit() or "chunked" in headers.get("Transfer-Encoding", "").lower():
        return True
    closing = response.raw.version == _HTTP_1_0 or headers.get("Connection", "").lower() == "close"
    return bool(headers) and closing


def _under_way(connection: _HTTP) -> Exchange | None:
    """Tell the exchange of this thread which connection it runs over, so that it can be ended from outside."""
    exchange: Exchange | None = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.take(connection)
    return exchange


def _connected(exchange: Exchange | None) -> None:
    """The connection stands; an exchange whose time ran out while it was made ends here."""
    if exchange is not None:
        exchange.connected = True
        _raise_if_ended(exchange)


def _raise_if_ended(exchange: Exchange) -> None:
    if exchange.ended_because:
        raise ConnectionAbortedError(exchange.ended_because)


def _connect(new_conn: Callable[[], socket.socket], connecting: Future[socket.socket]) -> None:
    """Make a connection for the one who waits for it; when nobody does any more, close it."""
    try:
        sock = new_conn()
    except (OSError, HTTPError, ValueError) as error:
        if connecting.set_running_or_notify_cancel():
            connecting.set_exception(error)
    else:
        if connecting.set_running_or_notify_cancel():
            connecting.set_result(sock)
        else:
            sock.close()


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:  # no thread is to be had: TasksMax=, RLIMIT_NPROC, or no memory for its stack
        raise OSError(errno.EAGAIN, str(error)) from error


class _HTTP(HTTPConnection):
    """A connection that is known to the exchange that runs over it, and knows it."""

    exchange: Exchange | None = None
    _head: bytes | None = None  # of the request that is being sent; empty until it is written, None when it is out

    def _new_conn(self) -> socket.socket:
        """Connect in a thread of its own: nothing wakes one that looks up a name, or whose SYN nobody answers.

        When the exchange is ended meanwhile, that thread is left to end by its own timeouts.
        """
        if (exchange := _under_way(self)) is None:
            return super()._new_conn()
        connecting: Future[socket.socket] = Future()
        exchange.begin_connecting(connecting)
        args = (super()._new_conn, connecting)
        _start(threading.Thread(target=_connect, args=args, name="connecting", daemon=True))
        try:
            return connecting.result()
        except CancelledError:
            raise ConnectionAbortedError(exchange.ended_because) from None

    def connect(self) -> None:
        exchange = _under_way(self)
        super().connect()
        _connected(exchange)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        """Send it, unless the exchange was ended before: over a connection kept alive it would arrive whole."""
        if (exchange := _under_way(self)) is not None:
            _raise_if_ended(exchange)
            exchange.connected = self.sock is not None
        self._head = b""
        try:
            super().request(*args, **kwargs)
        finally:
            self._head = None

    def send(self, data: Any) -> None:  # noqa: ANN401 - passed on as it is
        """Send the head of a request together with the first piece of its body: one packet, one wake-up over there."""
        if self._head is None:
            super().send(data)
        elif not self._head:
            self._head = data
        else:
            head, self._head = self._head, None
            super().send(head + data)


class _HTTPS(_HTTP, HTTPSConnection):
    """The same over TLS; the pool connects it before the request."""

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        if (exchange := _under_way(self)) is not None:
            exchange.begin_handshake(sock)
        return sock


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class _Adapter(HTTPAdapter):
    """One pool for one address, with connections that can be ended; no retries of its own."""

    _pool: Any = None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        """Look the pool up once: address, proxy and certificates are the same for all documents."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().init_poolmanager(*args, blocksize=_BLOCK, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on as they are
        chosen = super().proxy_manager_for(*args, blocksize=_BLOCK, **kwargs)
        chosen.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return chosen
