"""One invoice, one answer: the only rooms that talk to the API. `transport` is the wire, `body` what goes over it.

Guarantees: a call to `send` returns an `Outcome` and never raises for anything a network or a server can do, but
OSError where this machine cannot read its own copy of the document, which then has not arrived; it takes
no longer than the configured deadline; it holds no second copy of a document larger than 1 MiB, and at most 1 MiB of
the answer; the API code goes to the configured address and nowhere else (no redirects, no cookies, no environment
proxies or netrc), and an answer that echoes it is blackened before anybody sees it.

Short retries live here, inside one attempt, and only for what surely did not reach the API: a connection that never
stood, or broke before the document was through. Minutes and hours belong to the schedule.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from functools import cached_property
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import requests
from tenacity import (
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event
from urllib3.exceptions import HTTPError

from invoice_watcher.deadlines import Deadlines, Exchange
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Source
from invoice_watcher.policy import Reply, judge_network_fault, judge_reply
from invoice_watcher.receipt import LONGEST_RESPONSE
from invoice_watcher.record import replace
from invoice_watcher.uploader.body import Body, UnreadableCopyError
from invoice_watcher.uploader.transport import Client, is_framed, read_bounded, running, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Api, Secret
    from invoice_watcher.validation import Document

__all__ = ["Answered", "Uploader", "tls_context"]

_NO_ORDER = "invoice-watcher-check"  # of a request that is about none
_TRIES = 3
_FIRST_PAUSE = 0.1  # seconds
_REFUSALS = 300  # and above: statuses with which no server takes a document
_NO_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # as http.client says it
_PASSING = {408, 425, 429}  # of a proxy; what it answers from 500 on passes too, for it speaks of the way beyond


class Answered(NamedTuple):
    """What came of one request, and when it was answered by the other side's clock (its header `Date`), if it said."""

    outcome: Outcome
    date: str | None = None


class Uploader:
    """The API, behind one pool of connections that are kept alive; shared by all workers."""

    def __init__(self, api: Api, api_code: Secret) -> None:
        """Prepare; nothing is sent.

        Args:
            api: where the API is, and how long it may take.
            api_code: the secret that goes into the `ApiCode` header.
        """
        self._api = api
        self._client = Client(api, api_code)
        self._api_code = api_code
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
        """Send a document, and say what came of it; the attempt's deadline holds for all its tries together.

        Raises OSError when the document cannot be read.
        """
        deadline = time.monotonic() + self._api.deadline
        outcome = self._try(document, deadline)
        if _surely_unsent(outcome) and not self._stop.wait(_FIRST_PAUSE):
            outcome = self._retrying(self._try, document, deadline)
        return outcome

    def knock(self) -> Answered:
        """Send one request without a document, for no order there is: the API answers, and has nothing to change."""
        return self._exchange(_NO_ORDER, Body(None), time.monotonic() + self._api.deadline)

    def stop(self) -> None:
        """Break off what is being sent, from another thread; what begins afterwards is broken off too."""
        self._stop.set()
        self._deadlines.end_all()

    def close(self) -> None:
        """Give back connections and threads; nothing may be under way."""
        self._deadlines.close()
        self._client.close()

    @cached_property
    def _any_spelling(self) -> re.Pattern[str]:
        """The API code as any answer may spell it; made with the first one, for it takes as long as some uploads."""
        return _any_spelling(self._api_code.reveal())

    def _try(self, document: Document, deadline: float) -> Outcome:
        order_id = document.invoice.order_id
        assert order_id is not None  # noqa: S101 - `validate` has seen to it
        return self._exchange(order_id, Body(document), deadline).outcome

    def _exchange(self, order_id: str, body: Body, deadline: float) -> Answered:
        with self._deadlines.exchange(deadline) as exchange:
            try:
                with running(exchange):
                    reply = self._post(order_id, body, deadline)
            except UnreadableCopyError as error:
                raise OSError(*error.args) from error
            except (OSError, HTTPError, ValueError) as error:
                return Answered(_failed(error, exchange, body))
        if exchange.ended_because:
            return Answered(_broken_off(exchange, body))
        if reply.status < _REFUSALS and not body.is_through:  # it cannot have taken what it never got
            return Answered(judge_network_fault(("ConnectionError",), in_doubt=False, reached=True))
        text = self._any_spelling.sub("***", reply.body.decode("utf-8", "replace"))[:LONGEST_RESPONSE]
        return Answered(self._without_code(judge_reply(reply, datetime.now(UTC), text)), reply.date)

    def _without_code(self, outcome: Outcome) -> Outcome:
        """Blacken the API code in a message too: decoding may have undone an escape under which it was hidden."""
        if isinstance(outcome, Delivered):
            return outcome
        message = self._any_spelling.sub("***", outcome.problem.message)
        return replace(outcome, problem=replace(outcome.problem, message=message))

    def _post(self, order_id: str, body: Body, deadline: float) -> Reply:
        """Make the exchange; every exception of it is left to the caller."""
        remaining = max(deadline - time.monotonic(), 0.001)
        timeouts = (min(self._api.connect_timeout, remaining), min(self._api.read_timeout, remaining))
        response = self._client.post(f"/order/{quote(order_id, safe='')}/invoice", body, timeouts)
        try:
            raw = read_bounded(response)
        finally:
            response.close()
        headers = response.headers
        return Reply(response.status_code, raw, is_framed(response), headers.get("Retry-After"), headers.get("Date"))


def _any_spelling(code: str) -> re.Pattern[str]:
    """Match the API code as an answer may spell it: escaped in JSON or XML, in UTF-16, without its dashes."""
    between = rf"(?:\x00|{_spellings('-')})*"
    return re.compile(between.join(_spellings(digit) for digit in code.replace("-", "")), re.IGNORECASE)


def _spellings(letter: str) -> str:
    forms = (rf"{form}|\\u{ord(form):04x}|&#0*{ord(form)};|&#x0*{ord(form):x};" for form in {letter, letter.swapcase()})
    return f"(?:{'|'.join(forms)})"


def _surely_unsent(outcome: Outcome) -> bool:
    """Whether trying again at once may help and can do no harm."""
    return (
        isinstance(outcome, Deferred)
        and outcome.problem.source is Source.NETWORK
        and outcome.fault is Fault.WORLD
        and outcome.problem.reason in {"unreachable", "broken_connection"}
        and not outcome.in_doubt
    )


def _failed(error: Exception, exchange: Exchange, body: Body) -> Deferred:
    """Map a foreign exception: what ended the exchange overrides what the exchange made of it."""
    if exchange.ended_because:
        return _broken_off(exchange, body)
    return judge_network_fault(
        _names(error, exchange), in_doubt=body.is_through, reached=exchange.connected, detail=_detail(error)
    )


def _names(error: Exception, exchange: Exchange) -> tuple[str, ...]:
    """The names by which the policy knows an exception, with what only the exchange can tell about it."""
    if type(error) is OSError:  # requests has no class for it
        return ("NoCertificates",)
    is_tls = isinstance(error, requests.exceptions.SSLError)
    if is_tls and exchange.connected:  # the handshake was sound, so nothing is wrong with certificates
        return ("ConnectionError",)
    if 300 <= (status := _proxy_status(error) or 0) < 500 and status not in _PASSING:  # noqa: PLR2004 - RFC 9110
        return ("InvalidProxyURL",)
    unconnected = isinstance(error, requests.ConnectionError | requests.Timeout) and not exchange.connected
    if unconnected and not is_tls and not isinstance(error, requests.exceptions.ProxyError):
        return ("NotConnected",)
    return tuple(cls.__name__ for cls in type(error).__mro__)


def _detail(error: BaseException | None) -> str:
    """The innermost words of the system: why a certificate is not accepted, or what errno means.

    Only these: the texts of the outer exceptions may hold the address of a proxy, and with it a password.
    """
    if status := _proxy_status(error):
        return f"the proxy answered {status}"
    words = ""
    for one in _chain(error):
        if isinstance(one, SSLCertVerificationError):
            return one.verify_message
        words = (one.strerror if isinstance(one, OSError) else None) or words
    return words


def _proxy_status(error: BaseException | None) -> int | None:
    """What the proxy answered when it was asked for a way to the API; None when that is not what went wrong."""
    found = (_NO_TUNNEL.match(str(one)) for one in _chain(error) if isinstance(one, OSError))
    return next((int(match[1]) for match in found if match), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, the innermost last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _broken_off(exchange: Exchange, body: Body) -> Deferred:
    return judge_network_fault((exchange.ended_because or "",), in_doubt=body.is_through, reached=exchange.connected)
