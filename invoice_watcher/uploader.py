"""One invoice, one answer: the only module that talks to the API.

Guarantees: a call to `send` returns an `Outcome` and never raises for anything a network or a server can do; it takes
no longer than the configured deadline; it holds no second copy of the document and at most 1 MiB of the answer; the
API code goes to the configured address and nowhere else (no redirects, no cookies, no environment proxies or netrc),
and an answer that echoes it is blackened before anybody sees it.

Short retries live here, inside one attempt, and only for what surely did not reach the API: a connection that never
stood, or broke before the document was through. Minutes and hours belong to the schedule.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests_toolbelt import MultipartEncoder
from tenacity import (
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from invoice_watcher import __version__
from invoice_watcher.deadlines import Deadlines, Exchange
from invoice_watcher.outcome import Deferred, Fault, Outcome, Source
from invoice_watcher.policy import Reply, judge_network_fault, judge_reply
from invoice_watcher.receipt import LONGEST_RESPONSE

if TYPE_CHECKING:
    import socket

    from invoice_watcher.config import Api, Secret
    from invoice_watcher.validation import Document

_LARGEST_ANSWER = 1024 * 1024
_CHUNK = 64 * 1024
_TRIES = 3
_FIRST_PAUSE = 0.1  # seconds
_BLOCK = 128 * 1024
_HTTP_1_0 = 10
_REFUSALS = 300  # and above: statuses with which no server takes a document

# The exchange that the running thread is in, for the connection to find.
_current = threading.local()


class Uploader:
    """The API, behind one pool of connections that are kept alive; shared by all workers."""

    def __init__(self, api: Api, api_code: Secret) -> None:
        """Prepare; nothing is sent.

        Args:
            api: where the API is, and how long it may take.
            api_code: the secret that goes into the `ApiCode` header.
        """
        self._api = api
        self._client = _Client(api, api_code)
        self._blacken = re.compile(re.escape(api_code.reveal().encode()), re.IGNORECASE)
        self._deadlines = Deadlines(api.deadline)
        self._stop = threading.Event()
        self._retrying = Retrying(
            retry=retry_if_result(_surely_unsent),
            stop=stop_after_attempt(_TRIES - 1) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=sleep_using_event(self._stop),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )

    def send(self, document: Document) -> Outcome:
        """Send a document, and say what came of it; the attempt's deadline holds for all its tries together."""
        deadline = time.monotonic() + self._api.deadline
        outcome = self._try(document, deadline)
        if _surely_unsent(outcome) and not self._stop.wait(_FIRST_PAUSE):
            outcome = self._retrying(self._try, document, deadline)
        return outcome

    def stop(self) -> None:
        """Break off what is being sent, from another thread; what begins afterwards is broken off too."""
        self._stop.set()
        self._deadlines.end_all()

    def close(self) -> None:
        """Give back connections and threads; nothing may be under way."""
        self._deadlines.close()
        self._client.close()

    def _try(self, document: Document, deadline: float) -> Outcome:
        body = _Body(document)
        with self._deadlines.exchange(deadline) as exchange:
            _current.exchange = exchange
            try:
                reply = self._post(document, body, deadline)
            except (OSError, HTTPError, ValueError) as error:
                return _failed(error, exchange, body)
            finally:
                _current.exchange = None
        if exchange.ended_because:
            return _broken_off(exchange, body)
        if reply.status < _REFUSALS and not body.is_through:  # it cannot have taken what it never got
            return judge_network_fault(("ConnectionError",), in_doubt=False, reached=True)
        text = reply.body.decode("utf-8", "replace")[:LONGEST_RESPONSE]
        return judge_reply(reply, datetime.now(UTC), text)

    def _post(self, document: Document, body: _Body, deadline: float) -> Reply:
        """Make the exchange; every exception of it is left to the caller."""
        remaining = max(deadline - time.monotonic(), 0.001)
        timeouts = (min(self._api.connect_timeout, remaining), min(self._api.read_timeout, remaining))
        response = self._client.post(
            f"/order/{quote(document.invoice.order_id or '', safe='')}/invoice", body, timeouts
        )
        try:
            raw = self._blacken.sub(b"***", _read_bounded(response))
        finally:
            response.close()
        return Reply(response.status_code, raw, _is_framed(response), response.headers.get("Retry-After"))


class _Client:
    """What of requests is needed here: its transport, beneath the session.

    A session adds redirects, cookies, netrc and the environment's proxies, all of which must not be, and takes
    twice the time. `HTTPAdapter.send` is what it calls in the end (requests, "Transport Adapters").
    """

    def __init__(self, api: Api, api_code: Secret) -> None:
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

    def post(self, path: str, body: _Body, timeouts: tuple[float, float]) -> requests.Response:
        """Send one request and read the head of its answer; raises what the adapter raises."""
        request = requests.PreparedRequest()
        request.method = "POST"
        request.url = self._base_url + path
        own = {"Content-Type": body.content_type, "Content-Length": str(body.len)}
        request.headers = requests.structures.CaseInsensitiveDict(self._headers | own)
        request.body = body  # type: ignore[assignment]  # the stubs know only bytes and text; a file may be streamed too
        return self._adapter.send(request, True, timeouts, self._verify, None, self._proxies)

    def close(self) -> None:
        self._adapter.close()


def _prepared_url(base_url: str) -> str:
    """Let requests write the address as it goes over the wire (international host names, RFC 3986)."""
    request = requests.PreparedRequest()
    request.prepare_url(base_url, None)
    return (request.url or base_url).rstrip("/")


class OversizedError(requests.RequestException):
    """The answer is larger than any answer of this API."""


class _Body:
    """The multipart body, made while it is read; knows whether all of it was handed to the connection."""

    def __init__(self, document: Document) -> None:
        document.file.seek(0)
        if document.link is None:
            part = {"File": (document.invoice.sent_name, document.file, "application/octet-stream")}
            self._encoder = MultipartEncoder(part)
        else:
            self._encoder = MultipartEncoder({"FileUrl": document.link})
        self.content_type: str = self._encoder.content_type
        self.len: int = self._encoder.len  # what requests takes for Content-Length
        self.is_through = False

    def read(self, size: int = -1) -> bytes:
        """Return the next piece; the empty one, which ends it, is asked for when the last has been sent."""
        piece: bytes = self._encoder.read(size)
        self.is_through = self.is_through or not piece
        return piece


def _under_way(connection: HTTPConnection) -> Exchange | None:
    """Tell the exchange of this thread which connection it runs over, so that it can be ended from outside."""
    exchange: Exchange | None = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.connection = connection
    return exchange


def _connected(exchange: Exchange | None) -> None:
    """The connection stands; an exchange whose time ran out while it was made ends here."""
    if exchange is not None:
        exchange.connected = True
        if exchange.ended_because:
            raise ConnectionAbortedError(exchange.ended_because)


class _HTTP(HTTPConnection):
    """A connection that is known to the exchange that runs over it."""

    def connect(self) -> None:
        exchange = _under_way(self)
        super().connect()
        _connected(exchange)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        if (exchange := _under_way(self)) is not None:
            exchange.connected = self.sock is not None
        super().request(*args, **kwargs)


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

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().init_poolmanager(*args, blocksize=_BLOCK, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on as they are
        chosen = super().proxy_manager_for(*args, blocksize=_BLOCK, **kwargs)
        chosen.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return chosen


def _read_bounded(response: requests.Response) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_content(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_ANSWER:
            raise OversizedError(f"an answer of more than {_LARGEST_ANSWER} bytes")
    return b"".join(pieces)


def _is_framed(response: requests.Response) -> bool:
    """Whether a cut would have been noticed: RFC 9112 section 6.3, and not a status line with nothing behind it."""
    headers = response.headers
    if "Content-Length" in headers or "chunked" in headers.get("Transfer-Encoding", "").lower():
        return True
    closing = response.raw.version == _HTTP_1_0 or headers.get("Connection", "").lower() == "close"
    return bool(headers) and closing


def _surely_unsent(outcome: Outcome) -> bool:
    """Whether trying again at once may help and can do no harm."""
    return (
        isinstance(outcome, Deferred)
        and outcome.problem.source is Source.NETWORK
        and outcome.fault is Fault.WORLD
        and outcome.problem.reason in {"unreachable", "broken_connection"}
        and not outcome.in_doubt
    )


def _failed(error: Exception, exchange: Exchange, body: _Body) -> Deferred:
    """Map a foreign exception: what ended the exchange overrides what the exchange made of it."""
    if exchange.ended_because:
        return _broken_off(exchange, body)
    names = tuple(cls.__name__ for cls in type(error).__mro__)
    unconnected = isinstance(error, requests.ConnectionError | requests.Timeout) and not exchange.connected
    if unconnected and not isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        names = ("NotConnected",)
    return judge_network_fault(names, in_doubt=body.is_through, reached=exchange.connected)


def _broken_off(exchange: Exchange, body: _Body) -> Deferred:
    return judge_network_fault((exchange.ended_because or "",), in_doubt=body.is_through, reached=exchange.connected)
