"""What the API's answer to a request without a document says about the API code, the address, and the clock."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import hints, sandbox
from invoice_watcher.checks.api import ask, compare_clocks
from invoice_watcher.config import Api, Secret
from invoice_watcher.outcome import API_CODES, ApiCode, Fault
from tests.support.findings import Line, lines
from tests.support.rawserver import RawServer, answer, answering, saying

if TYPE_CHECKING:
    from tests.support.rawserver import Peer, Script

CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"
PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"


def _asked(url: str, code: str = CODE, deadline: float = 5.0) -> list[Line]:
    told = lines(ask(Api(base_url=url, deadline=deadline), Secret(code)))
    assert code not in repr(told).lower()
    return told


def _told(script: Script, deadline: float = 5.0) -> Line:
    with RawServer(script) as server:
        return _asked(server.url, deadline=deadline)[0]


def _refusal(code: int, message: str = "", status: int = 400) -> bytes:
    return answer(status, b'{"error": {"code": %d, "message": "%s"}}' % (code, message.encode()))


def test_the_request_can_change_nothing() -> None:
    """One POST, for no order there is, with neither a document nor a link, and the usual header."""
    with RawServer(answering(_refusal(107))) as server:
        assert _asked(f"{server.url}/web-api")[0].grade == "ok"
    (request,) = server.requests
    assert request.line == "POST /web-api/order/invoice-watcher-check/invoice HTTP/1.1"
    assert request.headers["ApiCode"] == CODE
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    names = [part.get_param("name", header="Content-Disposition") for part in request.parts]
    assert names == ["Check"]
    assert request.parts[0].get_payload() == ""


def test_the_sandbox_answers_it_as_the_api_document_says() -> None:
    """Nothing arrives there but a request without a document; another API code is told from the right one."""
    with sandbox.running(api_code=CODE) as stand_in:
        (line, clock) = _asked(stand_in.base_url)
        assert (line.grade, "code 107" in line.text, clock.grade) == ("ok", True, "ok")
        line = _asked(stand_in.base_url, CODE.replace("0", "1"))[0]
        assert (line.grade, "the API code is refused" in line.text) == ("fault", True)
        received = stand_in.received()
    assert [(row.order_id, row.file_name, row.file_url, row.code) for row in received] == [
        ("invoice-watcher-check", None, None, 107),
        ("invoice-watcher-check", None, None, 101),
    ]


@pytest.mark.parametrize("code", sorted(set(API_CODES) - {101}))
def test_an_api_that_finds_fault_with_the_order_or_the_document_knows_the_code(code: int) -> None:
    """107 is what the API document promises; 100 if it looks for the order first. Both answer the question."""
    line = _told(answering(_refusal(code)))
    assert (line.grade, f"code {code}" in line.text) == ("ok", True)


@pytest.mark.parametrize(("raw", "grade", "said"), [
    (answer(200, b"{}"), "ok", "does not refuse the API code"),
    (answer(200, b"", "Content-Type: text/xml"), "ok", "does not refuse the API code"),
    (_refusal(101), "fault", "the API code is refused"),
    (_refusal(101, status=200), "fault", "the API code is refused"),
    (answer(401, b""), "fault", "the API code is refused"),
    (answer(403, b"{}"), "fault", "the API code is refused"),
    (answer(302, b"", "Location: /login"), "fault", "check api.base_url"),
    (_refusal(107, status=302), "fault", "check api.base_url"),  # every invoice would meet the redirect
    (answer(200, PAGE), "fault", "A web page answered"),
    (answer(404, PAGE), "fault", "check api.base_url"),
    (answer(405, b""), "fault", "check api.base_url (usually https://"),
    (answer(400, b"what?"), "note", "the first invoice will show it"),
    (answer(415, b"{}"), "note", "the first invoice will show it"),
    (answer(500, b""), "fault", "not well now"),
    (answer(503, b"", "Retry-After: 60"), "fault", "not well now"),
    (answer(429, b""), "fault", "not well now"),
    (b"HTTP/1.1 200 OK\r\n\r\n{", "fault", "not well now"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "fault", "not well now"),
    (b"", "fault", "not well now"),
])  # fmt: skip
def test_each_answer_has_its_meaning(raw: bytes, grade: str, said: str) -> None:
    """The API code is refused, the address is wrong, or the API is not well: each with what to do."""
    line = _told(saying(raw))
    assert (line.grade, line.subject) == (grade, "API answer")
    assert said in line.text


@pytest.mark.parametrize(
    ("cure", "told"),
    [("Ask the service to unlock the account.", "ask the service to unlock the account"), ("API: ask.", "API: ask")],
)
def test_a_new_code_of_the_operators_brings_its_own_cure(monkeypatch: pytest.MonkeyPatch, cure: str, told: str) -> None:
    """Of a code that only its row and its cure tell, `check --online` gives that cure, and not another fault's."""
    monkeypatch.setitem(API_CODES, 111, ApiCode("account_locked", "Account is locked", Fault.OPERATOR))
    monkeypatch.setitem(hints._CURES, "account_locked", cure)
    line = _told(answering(_refusal(111)))
    assert (line.grade, line.text.endswith(f"code 111, HTTP 400, Account is locked; {told}")) == ("fault", True)


def test_silence_ends_at_the_deadline() -> None:
    """`check --online` gives up an API whose answer never comes to an end, at `api.deadline`."""
    began = time.monotonic()

    def dripping(peer: Peer) -> None:
        peer.request()
        peer.drip(b"H")

    line = _told(dripping, deadline=0.5)
    assert (line.grade, "not well now" in line.text) == ("fault", True)
    assert time.monotonic() - began < 3


def test_a_port_that_was_closed_meanwhile() -> None:
    """An API that was just reached and is gone when it is asked is a fault in a sentence."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (line,) = _asked(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert (line.grade, "not well now" in line.text) == ("fault", True)


def test_what_the_api_says_is_bounded_and_never_the_code() -> None:
    """What the API says is shown cut to a bound, and the API code in it is never shown."""
    assert len(_told(answering(_refusal(107, "x" * 500_000))).text) < 500
    assert "***" in _told(answering(_refusal(101, f"not {CODE.upper()}"))).text


@pytest.mark.parametrize(("seconds", "grade", "said"), [
    (0, "ok", "agrees"),
    (-59, "ok", "agrees"),
    (61, "note", "0:01:01 ahead of"),
    (-599, "note", "0:09:59 behind"),
    (3600, "fault", "1:00:00 ahead of"),
    (-86400 * 400, "fault", "400 days behind"),
])  # fmt: skip
def test_the_clocks_are_compared(seconds: int, grade: str, said: str) -> None:
    """A clock a minute from the API's deserves a note; one that is ten minutes off makes receipts worthless."""
    theirs = datetime(2026, 11, 22, 12, tzinfo=UTC)
    (line,) = lines(compare_clocks(theirs + timedelta(seconds=seconds), theirs))
    assert (line.grade, line.subject, said in line.text) == (grade, "clock", True)


@pytest.mark.parametrize("status", [200, 401, 503])
def test_the_date_of_any_answer_will_do(status: int) -> None:
    """The clocks are compared by any answer that has a date, also by one that refuses."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    with RawServer(answering(answer(status, b"{}", f"Date: {date}"))) as server:
        line = _asked(server.url)[1]
    assert (line.grade, "behind the API" in line.text) == ("fault", True)


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 99999 99:99:99 GMT", "\x1b[31m"])
def test_a_date_that_is_none_is_nothing_to_tell_of(date: str) -> None:
    """An answer without a date, or with what is none, says nothing about the clock."""
    with RawServer(answering(answer(200, b"{}", f"Date: {date}"))) as server:
        assert len(_asked(server.url)) == 1
