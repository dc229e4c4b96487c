"""A stand-in for the Invoice API that shares no line with the program: strict about requests, scripted in its answers.

`with StandIn() as api:` serves on a free port of the loopback. Each order may have a script of answers; the last one
is repeated, and orders without a script get `api.default`. Every request that arrived whole is recorded; what is wrong
with a request goes to `faults`, for the test to look at in the end. Guarantees: safe to use from any thread; leaving
the block ends every connection and thread, also those that hold an answer back. Raises AssertionError when what is
waited for does not come.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from tests.integration.answers import OK, Answer
from tests.integration.multipart import Part, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PATH = re.compile(r"(?:http://[^/]+)?/web-api/order/([^/]+)/invoice")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_ORDER = "invoice-watcher-check"  # asked for without a document, so that nothing can be changed
_POLL = 0.02
PATIENCE = 30.0


@dataclass
class Request:
    """One request. Times are monotonic seconds; `answered` is taken just before the answer's first byte leaves.

    `status` is None where no answer was sent: for this client could not know that it was not accepted.
    """

    order_id: str
    path: str
    headers: Mapping[str, str]
    started: float
    parts: tuple[Part, ...] = ()
    answered: float | None = None
    status: int | None = None

    @property
    def part(self) -> Part:
        """The one part that there must be."""
        (part,) = self.parts
        return part

    @property
    def api_code(self) -> str:
        """The secret that came with it."""
        return self.headers["apicode"]


class StandIn:
    """The server, and its memory."""

    def __init__(self, *, listening: bool = True) -> None:
        self.default = OK
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.broken_off = 0
        self.stopping = threading.Event()
        self._changed = threading.Condition()
        self._scripts: dict[str, list[Answer]] = {}
        self._under_way: list[Request] = []
        self._server = _Server(self)
        self._thread: threading.Thread | None = None
        if listening:
            self.listen()

    @property
    def base_url(self) -> str:
        """What `api.base_url` has to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/web-api"

    def listen(self) -> None:
        """Accept connections from now on; until then each one is refused, for the port is bound but does not listen."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,))
        self._thread.start()

    def script(self, order_id: str, *answers: Answer) -> None:
        """Answer the requests for one order so, one after another; the last for ever."""
        with self._changed:
            self._scripts[order_id] = list(answers)

    def of(self, order_id: str) -> list[Request]:
        """Return the requests for one order, oldest first."""
        with self._changed:
            return [request for request in self.requests if request.order_id == order_id]

    def wait_for(self, count: int, order_id: str | None = None) -> list[Request]:
        """Return the whole requests (of one order) as soon as there are `count`."""
        self.wait_until(lambda: len(self.of(order_id) if order_id else self.requests) >= count)
        return self.of(order_id) if order_id else list(self.requests)

    def wait_until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until `condition` holds; it is asked again after every event."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"never came; until then: {self.requests}"

    @property
    def under_way(self) -> int:
        """How many requests have begun and are not answered yet."""
        return len(self._under_way)

    def began(self, request: Request) -> None:
        """Take note that a request's head is there."""
        with self._changed:
            self._under_way.append(request)
            self._changed.notify_all()

    def arrived(self, request: Request) -> None:
        """Take note that a request is there to its last byte."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def ended(self, request: Request) -> None:
        """Take note that a request is about to be answered, or was broken off."""
        with self._changed:
            if request in self._under_way:
                request.answered = time.monotonic()
                self._under_way.remove(request)
                self._changed.notify_all()

    def blame(self, fault: str) -> None:
        """Take note of something that no client may do."""
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    def next_answer(self, order_id: str) -> Answer:
        """Return what the next request for an order is answered."""
        with self._changed:
            script = self._scripts.get(order_id, [])
            return script.pop(0) if len(script) > 1 else (script[0] if script else self.default)

    def stop(self) -> None:
        """End everything."""
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that idle ones can be ended; its threads are waited for when it closes."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Connection, bind_and_activate=False)
        self.stand_in = stand_in
        self._connections: set[socket.socket] = set()
        self.server_bind()

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, as http.server would."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Start a thread for a connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def end_connections(self) -> None:
        """Wake every thread that reads from a connection."""
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A client that is gone is no fault; anything else is one of ours and fails the test."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            self.stand_in.blame(f"the stand-in itself: {error!r}")


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Take one invoice."""
        api = self.server.stand_in
        matched = _PATH.fullmatch(self.path)
        order_id = unquote(matched[1]) if matched else self.path
        request = Request(order_id, self.path, _headers(self), time.monotonic())
        api.began(request)
        answer = api.next_answer(order_id)
        try:
            if answer.drop == "early" or not self._take(request):
                self.close_connection = True
                return
            for fault in _faults_of(request, matched=matched is not None):
                api.blame(f"{self.path}: {fault}")
            self._answer(request, answer)
        finally:
            api.ended(request)

    def do_GET(self) -> None:
        """Nobody has a reason to ask for anything: a followed redirect would."""
        self.server.stand_in.blame(f"GET {self.path}")
        self.send_error(405)

    def _take(self, request: Request) -> bool:
        api = self.server.stand_in
        length = int(request.headers.get("content-length", "-1"))
        body = self.rfile.read(length) if length >= 0 else b""
        if len(body) != length:
            api.broken_off += 1
            return False
        try:
            request.parts = parts_of(request.headers.get("content-type", ""), body)
        except ValueError as error:
            api.blame(f"{self.path}: {error}")
        api.arrived(request)
        return True

    def _answer(self, request: Request, answer: Answer) -> None:
        stopping = self.server.stand_in.stopping
        stopping.wait(answer.delay)
        while answer.hold and not answer.hold.wait(_POLL) and not stopping.is_set():
            continue
        dropped = bool(answer.drop) or stopping.is_set()
        request.status = None if dropped else answer.status
        self.server.stand_in.ended(request)
        if dropped:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(answer)

    def _write(self, answer: Answer) -> None:
        if not answer.drip:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.stand_in.stopping.wait(answer.drip):
                return

    def log_message(self, *_: object) -> None:
        """Say nothing: stderr is pytest's."""


def _headers(connection: BaseHTTPRequestHandler) -> dict[str, str]:
    """Return the headers by lower-case name; repeated ones are joined, so that a doubled secret shows."""
    headers: dict[str, str] = {}
    for name, value in connection.headers.items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return headers


def _faults_of(request: Request, *, matched: bool) -> list[str]:
    """Return what the API document does not allow."""
    headers, part = request.headers, request.parts[0] if len(request.parts) == 1 else None
    allowed = {
        "is the documented path": matched,
        "has an ApiCode": _GUID.fullmatch(headers.get("apicode", "")) is not None,
        "accepts JSON": "application/json" in headers.get("accept", ""),
        "has no cookie": "cookie" not in headers,
        "has no other credentials": "authorization" not in headers,
        "has exactly one part": part is not None,
    }
    if request.order_id == _NO_ORDER:
        allowed["has no document"] = {part.name for part in request.parts}.isdisjoint({"File", "FileUrl"})
    elif part is not None:
        allowed["is a File or a FileUrl"] = part.name in {"File", "FileUrl"}
        allowed["names its file, a link does not"] = (part.file_name is not None) == (part.name == "File")
        allowed["is an octet-stream"] = part.name != "File" or part.content_type == "application/octet-stream"
    return [f"not true: {what}" for what, is_so in allowed.items() if not is_so]
