"""The stand-in as a WSGI application: requests read, rules asked, answers written, lines logged.

    POST   /web-api/order/{order_id}/invoice  the API
    GET    /sandbox/invoices                  what was received, as JSON, oldest first
    DELETE /sandbox/invoices                  forget it
    GET    /sandbox/mode                      how requests are treated, as JSON
    PUT    /sandbox/mode                      treat them so: a JSON object with keys of `state.Mode`

The mode rules everything but /sandbox/, so that it can always be taken back. A document is read to its end,
counted and hashed, and never kept. Raises Unanswered where the connection is to be closed without a word, and
OSError where the client's request broke off.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from typing import TYPE_CHECKING, cast

from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from invoice_watcher.escaping import escape
from invoice_watcher.record import asdict
from invoice_watcher.sandbox.answers import MEDIA_TYPES, XML, rendered, summary
from invoice_watcher.sandbox.rules import Answer, Document, Post, Shape, answer_to, bare
from invoice_watcher.sandbox.state import PREFIX, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO
    from wsgiref.types import StartResponse, WSGIEnvironment

    from _typeshed import ReadableBuffer

    from invoice_watcher.sandbox.state import Sandbox

LOG = logging.getLogger("invoice_watcher.sandbox")

_CONTROL = "/sandbox/"
_PATHS = Map(
    [
        Rule(f"{PREFIX}/order/<order_id>/invoice", endpoint="invoice", methods=["POST"]),
        Rule(f"{_CONTROL}invoices", endpoint="invoices", methods=["GET", "DELETE"]),
        Rule(f"{_CONTROL}mode", endpoint="mode", methods=["GET", "PUT"]),
    ],
    # The API takes a path as it is; a redirect to a tidier one is nothing it is known to give.
    merge_slashes=False,
)
# A rest of a body up to this size is read and thrown away, so that the connection can serve the next request.
_LONGEST_REST = 64 * 1024 * 1024
_LONGEST_MODE = 64 * 1024
_LONGEST_SHOWN = 200
_READ_AT_ONCE = 64 * 1024


class Unanswered(Exception):  # noqa: N818 - not an error: the connection is meant to be closed
    """Close the connection without an answer."""


class Tally(io.BytesIO):
    """Where a document is written to be counted and hashed, and not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, chunk: ReadableBuffer) -> int:
        """Count and hash `chunk`."""
        view = memoryview(chunk)
        self.size += view.nbytes
        self.digest.update(view)
        return view.nbytes


class _Request(Request):
    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - werkzeug calls it so
        content_type: str | None,  # noqa: ARG002 - likewise
        filename: str | None = None,  # noqa: ARG002 - likewise
        content_length: int | None = None,  # noqa: ARG002 - likewise
    ) -> IO[bytes]:
        return Tally()


class Application:
    """The WSGI application of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request.

        Raises:
            Unanswered: the connection is to be closed without a word.
            OSError: the request broke off; nobody is left to answer.
        """
        request = _Request(environ)
        try:
            response = self._respond(request)
            if not _drained(request):
                response.headers["Connection"] = "close"
        except ClientDisconnected:
            raise ConnectionAbortedError from None
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            endpoint, arguments = _PATHS.bind("").match(request.path, request.method)
            if endpoint == "invoice":
                return self._invoice(request, **arguments)
            if endpoint == "invoices":
                return self._logged(request, self._invoices(request))
            return self._logged(request, self._mode(request))
        except ClientDisconnected:
            raise
        except HTTPException as error:
            return self._elsewhere(request, error)

    def _elsewhere(self, request: Request, error: HTTPException) -> Response:
        """Return what a request that is none of the API's is answered: 404, 405, 413, or as the mode says."""
        controlled = request.path.startswith(_CONTROL)
        answer = (None if controlled else self._sandbox.mode_answer()) or bare(error.code or 400)
        response = self._sent(request, answer, f"{request.method} {request.path}", hurried=controlled)
        if isinstance(error, MethodNotAllowed) and answer.status == error.code:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    def _invoice(self, request: Request, order_id: str) -> Response:
        post = _post(request, order_id)
        answer = self._sandbox.mode_answer() or answer_to(
            post, api_code=self._sandbox.api_code, earlier=self._sandbox.earlier(order_id)
        )
        self._sandbox.note(post, answer)
        return self._sent(request, answer, f"POST order {order_id[:_LONGEST_SHOWN]} invoice {_described(post)}")

    def _sent(self, request: Request, answer: Answer, what: str, *, hurried: bool = False) -> Response:
        """Return `answer` once its time has come."""
        wait = 0 if hurried else answer.delay + self._sandbox.mode.latency
        dropped = answer.shape is Shape.DROPPED or self._sandbox.stopping.wait(wait)
        said = "closed without an answer" if dropped else summary(answer)
        LOG.info("%s -> %s", escape(what[: 2 * _LONGEST_SHOWN]), said)
        if dropped:
            raise Unanswered
        media_type = request.accept_mimetypes.best_match(MEDIA_TYPES, XML)
        status, headers, body = rendered(answer, media_type)
        return Response(body, status, headers)

    def _logged(self, request: Request, response: Response) -> Response:
        LOG.info("%s %s -> %d", request.method, request.path, response.status_code)
        return response

    def _invoices(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._sandbox.forget()
            return Response(status=204)
        return _json([asdict(row) for row in self._sandbox.received()])

    def _mode(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                self._sandbox.mode = Mode.from_json(request.stream.read(_LONGEST_MODE))
            except ValueError as error:
                return Response(f"{escape(str(error))}\n", 400)
        return _json(asdict(self._sandbox.mode))


def _post(request: Request, order_id: str) -> Post:
    """Return the request, its body read; a body that is not multipart holds no document."""
    multipart = request.mimetype == "multipart/form-data"
    uploaded = request.files.get("File") if multipart else None
    document = None
    if uploaded is not None and uploaded.filename:
        tally = cast("Tally", uploaded.stream)
        document = Document(uploaded.filename, tally.size, tally.digest.hexdigest())
    file_url = request.form.get("FileUrl") if multipart else None
    # What the parser left unread must be seen to be there: half a request is no request.
    _drained(request)
    return Post(order_id, request.headers.get("ApiCode"), document, file_url)


def _described(post: Post) -> str:
    if post.document is not None:
        return f"{post.document.size / 1000:.1f} kB"
    return "without a document" if post.file_url is None else "as a link"


def _drained(request: Request) -> bool:
    """Read what is left of the body, up to a bound; return whether its end was reached.

    Bytes left over would be taken for the next request of the connection; and where a connection is closed
    over unread bytes, TCP resets it and the client may never see its answer.
    """
    left = _LONGEST_REST
    while left > 0 and (chunk := request.stream.read(_READ_AT_ONCE)):
        left -= len(chunk)
    return left > 0


def _json(value: object) -> Response:
    return Response(json.dumps(value), content_type="application/json")
