"""Whose fault is it? The one table from what happened to what becomes of the invoice.

Guarantees: every HTTP status from 100 to 999, every body, and every exception class of `requests` has an outcome
(tests prove the tables total). A 200 is a delivery only when its body is empty or parses without an error in it,
and it was properly framed; whatever proves nothing is deferred and marked in doubt. Pure: the time is an argument.
Raises nothing.

The rules are the API document's; where it is silent (statuses, shapes) they are RFC 9110's meaning of a status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.answer import Answer, Body, read_answer
from invoice_watcher.backoff import http_date, retry_after
from invoice_watcher.hints import hint_for
from invoice_watcher.outcome import API_CODES, Deferred, Delivered, Fault, Outcome, Problem, Rejected, Source
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from datetime import datetime

_SUCCESS = 200
_GATEWAYS = frozenset({502, 504})  # RFC 9110: the machine before the API got no valid answer from it, or none in time


class Row(NamedTuple):
    """One row of a table: whose fault, the stable reason, and a sentence for want of the API's own."""

    fault: Fault
    reason: str
    message: str


_STATUSES = {
    400: Row(Fault.FILE, "http_400", "The API refused the request"),
    401: Row(Fault.OPERATOR, "access_denied", "The API does not accept the API code"),
    403: Row(Fault.OPERATOR, "access_denied", "The API denies access"),
    404: Row(Fault.OPERATOR, "wrong_address", "There is no invoice API at the configured address"),
    405: Row(Fault.OPERATOR, "wrong_address", "The configured address does not take invoices"),
    407: Row(Fault.OPERATOR, "wrong_address", "The proxy asks for a password"),
    408: Row(Fault.WORLD, "timeout", "The API waited too long for the document"),
    410: Row(Fault.OPERATOR, "wrong_address", "The invoice API has left the configured address"),
    413: Row(Fault.FILE, "http_413", "The API found the document too large"),
    415: Row(Fault.FILE, "http_415", "The API does not take this kind of document"),
    422: Row(Fault.FILE, "http_422", "The API could not use the document"),
    425: Row(Fault.WORLD, "busy", "The API asked to be called later"),
    429: Row(Fault.WORLD, "busy", "The API takes no more calls for now"),
    503: Row(Fault.WORLD, "busy", "The API is out of service for now"),
    504: Row(Fault.WORLD, "timeout", "The API's machines did not answer one another in time"),
}

_REDIRECT = Row(Fault.OPERATOR, "redirected", "The API has moved to another address; redirects are not followed")
_SERVER_ERROR = Row(Fault.WORLD, "server_error", "The API met an error of its own")
_UNLISTED = Row(Fault.WORLD, "request_failed", "The API answered with a status that it does not document")
_UNCLEAR = Row(Fault.WORLD, "unclear_answer", "The API's answer does not say whether it took the document")
_WEB_PAGE = Row(Fault.OPERATOR, "web_page", "A web page answered in place of the API")

_UNREACHABLE = Row(Fault.WORLD, "unreachable", "The API cannot be reached")
_TIMEOUT = Row(Fault.WORLD, "timeout", "The API did not answer in time")
_BROKEN = Row(Fault.WORLD, "broken_connection", "The connection to the API broke")
_TLS = Row(Fault.OPERATOR, "tls", "There is no secure connection to the API")
_ADDRESS = Row(Fault.OPERATOR, "wrong_address", "The configured address or proxy cannot be used")
_PROXY = Row(Fault.WORLD, "unreachable", "The configured proxy cannot be reached or will not connect")
_REQUEST = Row(Fault.WORLD, "request_failed", "The request could not be made")

# Every class of requests.exceptions, by name, so that this module needs no foreign import.
NETWORK_FAULTS = {
    "ChunkedEncodingError": _BROKEN,
    "ConnectTimeout": _UNREACHABLE,
    "ConnectionError": _BROKEN,
    "ContentDecodingError": _UNCLEAR,
    "HTTPError": _UNCLEAR,
    "InvalidHeader": _UNCLEAR,  # the answer's: several lengths that differ; ours is as it has to be
    "InvalidJSONError": _UNCLEAR,
    "InvalidProxyURL": _ADDRESS,
    "InvalidSchema": _ADDRESS,
    "InvalidURL": _ADDRESS,
    "JSONDecodeError": _UNCLEAR,
    "MissingSchema": _ADDRESS,
    "ProxyError": _PROXY,
    "ProxySchemeUnsupported": _ADDRESS,  # urllib3's, and the only one there that is no HTTPError
    "ReadTimeout": _TIMEOUT,
    "RequestException": _REQUEST,
    "RetryError": _REQUEST,
    "SSLError": _TLS,
    "StreamConsumedError": _REQUEST,
    "Timeout": _TIMEOUT,
    "TooManyRedirects": _REDIRECT,
    "URLRequired": _ADDRESS,
    "UnrewindableBodyError": _REQUEST,
    # Faults that the uploader tells apart beneath requests' classes.
    "DeadlineExceeded": Row(Fault.WORLD, "timeout", "The whole attempt took longer than its deadline"),
    "NoCertificates": Row(Fault.OPERATOR, "tls", "The file of trusted certificates (api.ca_bundle) cannot be found"),
    "NotConnected": _UNREACHABLE,
    "OversizedError": Row(Fault.WORLD, "unclear_answer", "The API's answer is too large to be one"),
    "Stopped": Row(Fault.WORLD, "stopped", "The program was stopped while the document was being sent"),
}


class Reply(Record, frozen=True):
    """An HTTP answer, complete as far as HTTP can tell.

    Attributes:
        status: the HTTP status.
        body: the decoded body, within the size bound.
        framed: its end was announced (Content-Length, chunked, or a declared closing connection), so that a
            missing end would have been noticed.
        retry_after: the header's text, if any.
        date: that of the header `Date`, if any: when the server sent it, by its own clock.
    """

    status: int
    body: bytes
    framed: bool = True
    retry_after: str | None = None
    date: str | None = None


def judge_reply(reply: Reply, now: datetime, text: str) -> Outcome:
    """Decide what an answer means.

    Args:
        reply: the answer.
        now: the wall clock, for a `Retry-After` that is a date where the answer does not tell its own.
        text: the start of the body as the sidecar shows it.
    """
    answer = read_answer(reply.body)
    redirected = 300 <= reply.status < 400  # noqa: PLR2004 - the class of redirects, RFC 9110 section 15.4
    if answer.code in API_CODES and not redirected:
        return _by_code(reply, answer, now, text)
    if reply.status == _SUCCESS and _proves(reply, answer):
        return Delivered(reply.status, text)
    row = _row_for(reply.status, answer)
    problem = _problem(Source.HTTP if answer.code is None else Source.API, row, answer)
    if row.fault is Fault.FILE:
        return Rejected(problem, reply.status, text)
    waiting = _wait_asked_for(reply, now)
    return Deferred(problem, row.fault, reply.status, text, _leaves_doubt(reply, answer), waiting, reached=True)


def judge_network_fault(class_names: tuple[str, ...], *, in_doubt: bool, reached: bool, detail: str = "") -> Deferred:
    """Decide what a failed exchange means.

    Args:
        class_names: the names of the exception's class and its bases, most special first.
        in_doubt: the whole document had been handed to the connection before it failed.
        reached: a connection stood, so the fault may lie with this document.
        detail: the system's own words for it, for the administrator.
    """
    row = next((NETWORK_FAULTS[name] for name in class_names if name in NETWORK_FAULTS), _REQUEST)
    message = f"{row.message}: {detail}" if detail else row.message
    problem = Problem(Source.NETWORK, None, row.reason, message, hint_for(row.reason))
    return Deferred(problem, row.fault, in_doubt=in_doubt, reached=reached)


def row_for_status(status: int) -> Row:
    """Return what an HTTP status says by itself, whatever the body; a 200 by itself proves nothing."""
    if row := _STATUSES.get(status):
        return row
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110 section 15.4
        return _REDIRECT
    if 500 <= status < 600:  # noqa: PLR2004 - RFC 9110 section 15.6
        return _SERVER_ERROR
    return _UNCLEAR if status < 300 else _UNLISTED  # noqa: PLR2004 - RFC 9110 sections 15.2 and 15.3


def rejected_locally(code: int | None, reason: str, message: str, hint: str | None = None) -> Rejected:
    """Return the rejection for a fault found before anything was sent.

    Args:
        code: the API's, where it would refuse it too.
        reason: a stable word.
        message: becomes a sentence.
        hint: in place of that for the reason.
    """
    message = message[:1].upper() + message[1:]
    return Rejected(Problem(Source.VALIDATION, code, reason, message, hint or hint_for(reason)))


def api_code_doubted(refusal: Rejected) -> Deferred:
    """Return what a 101 means while it may be the configuration's fault: nobody at the share can mend it."""
    reason = "api_code_refused"
    problem = Problem(refusal.problem.source, refusal.problem.code, reason, refusal.problem.message, hint_for(reason))
    return Deferred(problem, Fault.OPERATOR, refusal.http_status, refusal.response, reached=True)


def keeps_failing(last: Deferred, attempts: int) -> Rejected:
    """Return the rejection of a document that alone keeps failing while others go through."""
    own = last.problem.reason if last.problem.code in API_CODES else "keeps_failing"
    message = f"{last.problem.message} (tried {attempts} times)"
    problem = Problem(last.problem.source, last.problem.code, own, message, hint_for(own))
    return Rejected(problem, last.http_status, last.response)


def _by_code(reply: Reply, answer: Answer, now: datetime, text: str) -> Outcome:
    api = API_CODES[answer.code or 0]
    problem = Problem(Source.API, answer.code, api.reason, answer.message or api.message, hint_for(api.reason))
    if api.fault is Fault.FILE:
        return Rejected(problem, reply.status, text)
    waiting = _wait_asked_for(reply, now)
    return Deferred(problem, api.fault, reply.status, text, retry_after=waiting, reached=True)


def _wait_asked_for(reply: Reply, now: datetime) -> float | None:
    return retry_after(reply.retry_after, http_date(reply.date) or now)


def _leaves_doubt(reply: Reply, answer: Answer) -> bool:
    """Whether the API may have taken the document: it says neither so nor no, or a gateway lost its answer."""
    return reply.status in _GATEWAYS or (reply.status < 300 and answer.body is not Body.ERROR)  # noqa: PLR2004 - RFC 9110


def _proves(reply: Reply, answer: Answer) -> bool:
    """JSON and XML end by themselves; an empty body needs a frame, or it is a connection cut after the status."""
    return answer.body is Body.CLEAN or (answer.body is Body.EMPTY and reply.framed)


def _row_for(status: int, answer: Answer) -> Row:
    if answer.body is Body.WEB_PAGE and 200 <= status < 300:  # noqa: PLR2004 - RFC 9110 section 15.3
        return _WEB_PAGE
    return row_for_status(status)


def _problem(source: Source, row: Row, answer: Answer) -> Problem:
    return Problem(source, answer.code, row.reason, answer.message or row.message, hint_for(row.reason))
