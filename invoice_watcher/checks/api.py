"""The API itself: one request without a document, for no order there is, and what its answer says.

It goes the way of every upload and is judged as every answer is, so what this finds is what uploads meet. A request
without a document can change no order: the API says 107, or, of an order that it does not know, 100. Guarantees: ends
within the configured deadline; the API code is never shown. Raises nothing.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from invoice_watcher.backoff import http_date
from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.config import BASE_URLS
from invoice_watcher.hints import cure_for
from invoice_watcher.outcome import API_CODES, WRONG_API_CODE, Deferred, Delivered, Fault, Rejected
from invoice_watcher.uploader import Uploader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Api, Secret
    from invoice_watcher.outcome import Outcome, Problem

_LONGEST_TEXT = 300
_TOLERABLE = timedelta(minutes=1)
_ODD = timedelta(minutes=10)  # receipts are there to prove when an invoice was sent
_CODE = "correct the API code (production and sandbox have one each: api.environment), then restart the service"
# Where whoever sets it up needs more than the log's cure (`hints.cure_for`) tells.
_CURES = {
    "access_denied": _CODE,
    "wrong_address": f"check api.base_url (usually {BASE_URLS['production']}) and api.proxy",
}
_PATIENCE = (
    "nothing to mend here if others reach it no better: invoices wait, and go out by themselves; try again later"
)


def ask(api: Api, code: Secret) -> Iterator[Finding]:
    """Yield what the API answers, whether it refuses the API code, and how far the clocks are apart."""
    with closing(Uploader(api, code)) as uploader:
        outcome, date = uploader.knock()
    yield judge(outcome)
    if moment := http_date(date):
        yield from compare_clocks(datetime.now(UTC), moment)


def judge(outcome: Outcome) -> Finding:
    """Say what an answer to a request without a document means."""
    if isinstance(outcome, Delivered):
        return ok("API answer", f"it does not refuse the API code (HTTP {outcome.http_status})")
    problem = outcome.problem
    said = _said(problem, outcome.http_status)
    if problem.code == WRONG_API_CODE:
        return fault("API answer", f"the API code is refused: {said}", _CODE)
    if isinstance(outcome, Deferred) and outcome.fault is Fault.OPERATOR:
        refused = "the API code is refused: " if problem.reason == "access_denied" else ""
        return fault("API answer", refused + said, _CURES.get(problem.reason) or _clause(cure_for(problem.reason)))
    if problem.code in API_CODES:
        return ok("API answer", f"it does not refuse the API code ({said})")
    if isinstance(outcome, Rejected):
        text = f"it refuses a request without a document ({said}), which does not tell whether it accepts the API code"
        return note("API answer", text, "the first invoice will show it")
    return fault("API answer", f"it is not well now: {said}", _PATIENCE)


def _clause(sentence: str) -> str:
    """Return a sentence as the end of another one."""
    begins_small = sentence[1:2].islower()  # not where it begins with API or TLS
    return (sentence[:1].lower() if begins_small else sentence[:1]) + sentence[1:].removesuffix(".")


def _said(problem: Problem, status: int | None) -> str:
    """Return the answer in short; its words may be anybody's."""
    numbers = [f"code {problem.code}"] * (problem.code is not None) + [f"HTTP {status}"] * (status is not None)
    return ", ".join([*numbers, problem.message[:_LONGEST_TEXT]])


def compare_clocks(ours: datetime, theirs: datetime) -> Iterator[Finding]:
    """Yield how far this machine's clock is from the API's, as its answer dates itself."""
    apart = abs(ours - theirs)
    which = "ahead of" if ours > theirs else "behind"
    text = f"this machine is {_shown(apart)} {which} the API"
    if apart < _TOLERABLE:
        yield ok("clock", "agrees with the API's")
    elif apart < _ODD:
        yield note("clock", text, "have a time service set it: timedatectl set-ntp true")
    else:
        yield fault("clock", f"{text}; receipts would be dated wrong", "set it: timedatectl set-ntp true")


def _shown(span: timedelta) -> str:
    return f"{span.days} days" if span.days else str(timedelta(seconds=round(span.total_seconds())))
