"""Whose fault is it? Every status, body, code and broken connection has one answer, and the right one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.answer import Body, read_answer
from invoice_watcher.hints import REASONS, hint_for
from invoice_watcher.outcome import API_CODES, Deferred, Delivered, Fault, Outcome, Problem, Rejected, Source
from invoice_watcher.policy import (
    NETWORK_FAULTS,
    Reply,
    api_code_doubted,
    judge_network_fault,
    judge_reply,
    keeps_failing,
    rejected_locally,
    row_for_status,
)
from invoice_watcher.uploader.transport import OversizedError

if TYPE_CHECKING:
    from types import ModuleType

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)

BODIES = {
    "empty": b"",
    "clean JSON": b'{"ok": true}',
    "clean XML": b"<InvoiceResponse/>",
    "error without code": b'{"error": {"message": "No."}}',
    "error of unknown code": b'{"code": 999, "message": "No."}',
    "web page": b"<!doctype html><html><body>Sign in</body></html>",
    "unclear": b"OK",
    "cut off": b'{"code": 10',
}
NOT_CLEAN = sorted(BODIES.keys() - {"empty", "clean JSON", "clean XML"})

FILE = {400, 413, 415, 422}
OPERATOR = {401, 403, 404, 405, 407, 410, *range(300, 400)}
WORLD = {408, 425, 429, *range(500, 600)}


def judged(status: int, body: bytes = b"", *, framed: bool = True, retry_after: str | None = None) -> Outcome:
    """Return the outcome of an answer."""
    return judge_reply(Reply(status, body, framed, retry_after), NOW, body.decode("utf-8", "replace"))


def deferred(status: int, body: bytes = b"", *, framed: bool = True, retry_after: str | None = None) -> Deferred:
    """Return the outcome of an answer, which must be a deferral."""
    outcome = judged(status, body, framed=framed, retry_after=retry_after)
    assert isinstance(outcome, Deferred)
    return outcome


def error(code: int, message: str = "") -> bytes:
    """Return the API's error object."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


@pytest.mark.parametrize("name", ["empty", "clean JSON", "clean XML"])
def test_a_good_answer_is_a_delivery(name: str) -> None:
    """Status 200 with an empty body, or with JSON or XML in which there is no error."""
    assert judged(200, BODIES[name]) == Delivered(200, BODIES[name].decode())


def test_an_empty_answer_needs_a_frame() -> None:
    """A server that dies after its status line has not taken the document; JSON and XML show their own end."""
    outcome = deferred(200, b"", framed=False)
    assert (outcome.fault, outcome.problem.reason, outcome.in_doubt) == (Fault.WORLD, "unclear_answer", True)
    assert judged(200, BODIES["clean JSON"], framed=False) == Delivered(200, '{"ok": true}')
    assert isinstance(judged(200, BODIES["clean XML"], framed=False), Delivered)


@pytest.mark.parametrize(
    ("name", "fault", "reason", "in_doubt"),
    [
        ("web page", Fault.OPERATOR, "web_page", True),
        ("unclear", Fault.WORLD, "unclear_answer", True),
        ("cut off", Fault.WORLD, "unclear_answer", True),
        ("error without code", Fault.WORLD, "unclear_answer", False),
        ("error of unknown code", Fault.WORLD, "unclear_answer", False),
    ],
)
@pytest.mark.parametrize("framed", [True, False])
def test_a_200_that_proves_nothing_is_no_delivery(
    name: str,
    fault: Fault,
    reason: str,
    *,
    in_doubt: bool,
    framed: bool,
) -> None:
    """A page, garbage, or an error in a 200 leaves the document waiting; in doubt unless an error was named."""
    outcome = deferred(200, BODIES[name], framed=framed)
    assert (outcome.fault, outcome.problem.reason, outcome.in_doubt) == (fault, reason, in_doubt)
    assert outcome.reached


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("name", BODIES)
def test_every_status_has_an_outcome(name: str, *, framed: bool) -> None:
    """From 100 to 999: only a 200 delivers, only 400, 413, 415 and 422 reject without a code, all else waits."""
    for status in range(100, 1000):
        outcome = judged(status, BODIES[name], framed=framed)
        if isinstance(outcome, Delivered):
            assert status == 200
            assert name not in NOT_CLEAN
            continue
        assert isinstance(outcome, Rejected) is (status in FILE)
        assert outcome.http_status == status
        assert outcome.response == BODIES[name].decode()
        assert outcome.problem.reason in REASONS
        assert outcome.problem.hint == hint_for(outcome.problem.reason)
        assert outcome.problem.message


@pytest.mark.parametrize("name", BODIES)
def test_every_failing_status_has_its_fault(name: str) -> None:
    """The operator's pause the queue, the world's are waited out, whatever body they carry."""
    for status in OPERATOR:
        assert deferred(status, BODIES[name]).fault is Fault.OPERATOR
    for status in {*range(100, 1000)} - OPERATOR - FILE - {*range(200, 300)}:
        assert deferred(status, BODIES[name]).fault is Fault.WORLD


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *((400, "http_400"), (413, "http_413"), (415, "http_415"), (422, "http_422")),
        *((401, "access_denied"), (403, "access_denied"), (404, "wrong_address"), (405, "wrong_address")),
        *((300, "redirected"), (301, "redirected"), (302, "redirected"), (307, "redirected"), (399, "redirected")),
        *((408, "timeout"), (425, "busy"), (429, "busy"), (503, "busy"), (504, "timeout")),
        *((500, "server_error"), (502, "server_error"), (599, "server_error")),
        *((402, "request_failed"), (418, "request_failed"), (499, "request_failed"), (600, "request_failed")),
        *((999, "request_failed"), (100, "unclear_answer"), (201, "unclear_answer"), (204, "unclear_answer")),
        *((202, "unclear_answer"), (206, "unclear_answer"), (299, "unclear_answer")),
    ],
)
def test_each_status_has_its_stable_word(status: int, reason: str) -> None:
    """Programs that read `reason` in a sidecar can rely on it."""
    outcome = judged(status)
    assert isinstance(outcome, Rejected | Deferred)
    assert outcome.problem.reason == reason
    assert outcome.problem.source is Source.HTTP
    assert row_for_status(status).reason == reason


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 226, 299])
@pytest.mark.parametrize("name", ["empty", "clean JSON", "clean XML", "unclear"])
def test_another_success_proves_nothing(status: int, name: str) -> None:
    """Only 200 is documented. Another 2xx may mean that the document was taken, so it waits, and is in doubt."""
    outcome = deferred(status, BODIES[name])
    assert outcome.fault is Fault.WORLD
    assert outcome.in_doubt


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_lost_the_answer_leaves_doubt(status: int) -> None:
    """The machine before the API had no answer from it: the API may well have taken the document."""
    assert deferred(status, BODIES["web page"]).in_doubt


@pytest.mark.parametrize("status", [300, 301, 308, 401, 403, 404, 408, 429, 500, 503, 599, 999])
def test_a_clear_refusal_leaves_no_doubt(status: int) -> None:
    """A document that the API itself refused has not arrived: sending it again puts nothing in doubt."""
    assert not deferred(status).in_doubt


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 413, 418, 500, 502, 503, 999])
@pytest.mark.parametrize("code", sorted(API_CODES))
def test_a_documented_code_decides_at_any_status(code: int, status: int) -> None:
    """The API's code says more than the status, which its document leaves open; a 200 with an error is an error."""
    outcome = judged(status, error(code, "in its own words"), framed=False)
    if API_CODES[code].fault is not Fault.FILE:
        assert isinstance(outcome, Deferred)
        assert (outcome.fault, outcome.in_doubt, outcome.reached) == (API_CODES[code].fault, False, True)
    else:
        assert isinstance(outcome, Rejected)
    reason = API_CODES[code].reason
    assert outcome.problem == Problem(Source.API, code, reason, "in its own words", hint_for(reason))
    assert (outcome.http_status, outcome.response) == (status, error(code, "in its own words").decode())


# As the API document has them: the code, the word that stays the same for programs, and whose fault it is.
DOCUMENTED = {
    100: ("unknown_order", Fault.FILE),
    101: ("wrong_api_code", Fault.FILE),
    103: ("order_closed", Fault.FILE),
    104: ("bad_link", Fault.FILE),
    105: ("link_unreachable", Fault.WORLD),
    106: ("unsupported_format", Fault.FILE),
    107: ("no_document", Fault.FILE),
    108: ("empty", Fault.FILE),
    109: ("too_large", Fault.FILE),
    110: ("file_and_link", Fault.FILE),
}
UNKNOWN = [code for code in (1, 99, 102, 111, 500, -1, 99999) if code not in DOCUMENTED]


def test_the_codes_are_those_of_the_document() -> None:
    """None is missing, none is made up, and each has its stable word and its fault."""
    assert {code: (row.reason, row.fault) for code, row in API_CODES.items()} == DOCUMENTED


@pytest.mark.parametrize("code", sorted(API_CODES))
def test_a_code_without_a_message_has_the_documents_sentence(code: int) -> None:
    """A code without a message is explained by the API document's own."""
    outcome = judged(400, error(code))
    assert isinstance(outcome, Rejected | Deferred)
    assert (outcome.problem.reason, outcome.problem.message) == (API_CODES[code].reason, API_CODES[code].message)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503, 302, 418])
@pytest.mark.parametrize("code", UNKNOWN)
def test_an_unknown_code_is_judged_by_its_status(code: int, status: int) -> None:
    """The code and its message are kept for the sidecar; what happens is what the status says."""
    plain, outcome = judged(status), judged(status, error(code, "New rule."))
    assert isinstance(plain, Rejected | Deferred)
    assert isinstance(outcome, Rejected | Deferred)
    assert type(outcome) is type(plain)
    assert outcome.problem == Problem(
        Source.API, code, plain.problem.reason, "New rule.", hint_for(plain.problem.reason)
    )


@pytest.mark.parametrize("status", range(300, 400))
@pytest.mark.parametrize("body", [b"", b"{}", error(103, "Closed"), error(100), BODIES["web page"]])
def test_a_redirect_is_never_an_answer(status: int, body: bytes) -> None:
    """Whoever answers in the API's place cannot have a document filed away, neither as done nor as failed."""
    outcome = deferred(status, body)
    assert (outcome.fault, outcome.problem.reason) == (Fault.OPERATOR, "redirected")


def test_the_apis_own_message_is_kept() -> None:
    """The clerk reads what the API said; where it said nothing, a sentence of ours."""
    spoken, silent = judged(422, b'{"message": "Page 3 is blank"}'), judged(422)
    assert isinstance(spoken, Rejected)
    assert isinstance(silent, Rejected)
    assert spoken.problem.message == "Page 3 is blank"
    assert silent.problem.message == row_for_status(422).message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("99999999999", 3600.0),
        (format_datetime(NOW + timedelta(seconds=30)), 30.0),
        ("soon", None),
        (None, None),
    ],
)
@pytest.mark.parametrize(("status", "body"), [(429, b""), (503, b""), (500, b"{}"), (200, b"?"), (503, error(105))])
def test_the_apis_wish_to_wait_is_passed_on(
    header: str | None, seconds: float | None, status: int, body: bytes
) -> None:
    """`Retry-After` is obeyed with whatever makes the document wait, within its hour."""
    assert deferred(status, body, retry_after=header).retry_after == seconds


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    """This machine's clock is a day behind: thirty seconds are waited, and no hour."""
    there = NOW + timedelta(days=1)
    date, until = (format_datetime(one, usegmt=True) for one in (there, there + timedelta(seconds=30)))
    outcome = judge_reply(Reply(503, b"", retry_after=until, date=date), NOW, "")
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after == 30


def exceptions_of(module: ModuleType) -> list[type[BaseException]]:
    """Return every exception that a package defines; a warning is logged, never raised."""
    package = module.__name__.partition(".")[0]
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Exception)]
    return [cls for cls in found if cls.__module__.startswith(package) and not issubclass(cls, Warning)]


def names_of(cls: type[BaseException]) -> tuple[str, ...]:
    """Return the names by which the uploader tells an exception."""
    return tuple(base.__name__ for base in cls.__mro__)


REQUESTS = exceptions_of(requests.exceptions)
URLLIB3 = exceptions_of(urllib3.exceptions)


@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: cls.__name__)
def test_every_exception_of_requests_has_a_row_of_its_own(cls: type[BaseException]) -> None:
    """The newest release too: a class that is added upstream fails here, and not in the night."""
    assert cls.__name__ in NETWORK_FAULTS


@pytest.mark.parametrize("cls", [*REQUESTS, *URLLIB3], ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_foreign_exception_is_some_ones_fault(cls: type[BaseException]) -> None:
    """Also what urllib3 raises through requests; and never the document's, for nobody has judged it yet."""
    assert not NETWORK_FAULTS.keys().isdisjoint(names_of(cls))
    outcome = judge_network_fault(names_of(cls), in_doubt=False, reached=False)
    assert outcome.fault in {Fault.WORLD, Fault.OPERATOR}
    assert outcome.problem.source is Source.NETWORK
    assert outcome.problem.reason in REASONS
    assert outcome.problem.hint == hint_for(outcome.problem.reason)


def test_no_row_is_left_over() -> None:
    """Each row of the table is a foreign class, or a fault that the uploader tells apart itself."""
    ours = {"DeadlineExceeded", "NoCertificates", "NotConnected", "OversizedError", "Stopped"}
    assert set(NETWORK_FAULTS) <= {cls.__name__ for cls in [*REQUESTS, *URLLIB3]} | ours
    assert names_of(OversizedError)[0] in ours


@pytest.mark.parametrize(
    ("cls", "fault", "reason"),
    [
        (requests.exceptions.SSLError, Fault.OPERATOR, "tls"),
        (requests.exceptions.ConnectTimeout, Fault.WORLD, "unreachable"),
        (requests.exceptions.ReadTimeout, Fault.WORLD, "timeout"),
        (requests.exceptions.ProxyError, Fault.WORLD, "unreachable"),
        (requests.exceptions.ChunkedEncodingError, Fault.WORLD, "broken_connection"),
        (requests.exceptions.InvalidURL, Fault.OPERATOR, "wrong_address"),
        (requests.exceptions.InvalidHeader, Fault.WORLD, "unclear_answer"),
        (requests.exceptions.TooManyRedirects, Fault.OPERATOR, "redirected"),
        (ConnectionResetError, Fault.WORLD, "broken_connection"),
        (BrokenPipeError, Fault.WORLD, "broken_connection"),
        (OversizedError, Fault.WORLD, "unclear_answer"),
        (UnicodeEncodeError, Fault.WORLD, "request_failed"),
        (OSError, Fault.WORLD, "request_failed"),
    ],
)
def test_a_broken_exchange_is_told_apart(cls: type[BaseException], fault: Fault, reason: str) -> None:
    """A certificate is the administrator's to mend; a connection that breaks, the world's; the special class wins."""
    outcome = judge_network_fault(names_of(cls), in_doubt=False, reached=True)
    assert (outcome.fault, outcome.problem.reason) == (fault, reason)


@pytest.mark.parametrize(
    ("name", "reason"), [("DeadlineExceeded", "timeout"), ("NotConnected", "unreachable"), ("Stopped", "stopped")]
)
def test_what_the_uploader_ended_itself_is_the_worlds_fault(name: str, reason: str) -> None:
    """The deadline, a stop, or no connection: the document waits."""
    outcome = judge_network_fault((name,), in_doubt=False, reached=False)
    assert (outcome.fault, outcome.problem.reason) == (Fault.WORLD, reason)


def test_a_broken_exchange_is_told_with_the_systems_own_words() -> None:
    """The administrator reads what the system said of it behind our sentence, where it said anything."""
    told, untold = (
        judge_network_fault(("NotConnected",), in_doubt=False, reached=False, **detail).problem.message
        for detail in ({"detail": "Connection refused"}, {})
    )
    assert (told, untold) == ("The API cannot be reached: Connection refused", "The API cannot be reached")


@given(class_names=st.lists(st.text()).map(tuple), in_doubt=st.booleans(), reached=st.booleans())
def test_whatever_broke_the_document_waits(class_names: tuple[str, ...], *, in_doubt: bool, reached: bool) -> None:
    """An exception that nobody has heard of defers too; doubt and reach are as the uploader saw them."""
    outcome = judge_network_fault(class_names, in_doubt=in_doubt, reached=reached)
    assert outcome.problem.reason in REASONS
    assert (outcome.in_doubt, outcome.reached) == (in_doubt, reached)
    assert (outcome.http_status, outcome.response, outcome.retry_after) == (None, None, None)


@given(status=st.integers(100, 999), body=st.binary(), framed=st.booleans(), header=st.none() | st.text())
def test_any_answer_has_an_outcome(status: int, body: bytes, *, framed: bool, header: str | None) -> None:
    """Whatever a server sends, the program knows what to do, and takes no garbage for a delivery."""
    outcome = judged(status, body, framed=framed, retry_after=header)
    assert isinstance(outcome, Delivered | Rejected | Deferred)
    if isinstance(outcome, Delivered):
        assert status == 200
        assert read_answer(body).body is Body.CLEAN or (framed and read_answer(body).body is Body.EMPTY)


def test_a_local_fault_carries_the_apis_code() -> None:
    """What the program refuses itself has the API's code, so a clerk's script need not care which of them it was."""
    assert rejected_locally(108, "empty", "The file is empty") == Rejected(
        Problem(Source.VALIDATION, 108, "empty", "The file is empty", hint_for("empty"))
    )


def test_a_document_that_keeps_failing_says_why() -> None:
    """The last answer goes into its sidecar, with how often it was tried and what to do now."""
    last = deferred(500, b'{"message": "Oops"}')
    rejected = keeps_failing(last, 10)
    assert rejected.problem == Problem(
        Source.HTTP, None, "keeps_failing", "Oops (tried 10 times)", hint_for("keeps_failing")
    )
    assert (rejected.http_status, rejected.response) == (500, '{"message": "Oops"}')


def test_a_link_that_cannot_be_fetched_keeps_its_own_reason() -> None:
    """After its last try a 105 is still told as 105, with the advice for links."""
    problem = keeps_failing(deferred(400, error(105, "Timeout")), 3).problem
    assert (problem.code, problem.reason) == (105, "link_unreachable")
    assert problem.message == "Timeout (tried 3 times)"
    assert problem.hint == hint_for("link_unreachable")


def test_a_101_that_may_be_the_configurations_fault_is_told_so() -> None:
    """Nobody at the share can mend the API code: the note says whose matter it is, and keeps what the API said."""
    refusal = judged(400, error(101, "Wrong API code"))
    assert isinstance(refusal, Rejected)
    assert api_code_doubted(refusal) == Deferred(
        Problem(Source.API, 101, "api_code_refused", "Wrong API code", hint_for("api_code_refused")),
        Fault.OPERATOR,
        400,
        error(101, "Wrong API code").decode(),
        reached=True,
    )
