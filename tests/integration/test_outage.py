"""The world's fault: the API is away, ill or slow. Everything waits, nothing is called failed, and it goes on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import lines_with, until
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

WORKERS = 4
DROPPED = [f"{number:02}.pdf" for number in range(20)]
BUSY = (408, 425, 429, 500, 502, 503, 504)
# A machine in between says that the API gave it no proper answer: the API may have taken the document all the same.
BY_A_GATEWAY = (502, 504)


def test_the_api_is_away(place: Place, start: Start) -> None:
    """No connection: the files stay where the clerk sees them, none has failed, and all go out when it is back."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        for name in DROPPED:
            place.put(name, pdf(name))
        daemon = start()
        daemon.says("paused")
        until(lambda: len(lines_with("deferred", daemon.lines)) >= 8, "more attempts while it is away")
        assert len(documents(place.work)) <= WORKERS
        assert place.waiting() == DROPPED
        assert names(place.failed) == names(place.done) == []
        away.listen()
        place.until_done(*DROPPED)
        assert sorted(request.order_id for request in away.requests) == [name[:2] for name in DROPPED]
    assert names(place.failed) == []
    assert not any(sidecar(place.done / name)["in_doubt"] for name in DROPPED)
    assert daemon.says("flows")


def test_an_api_that_is_ill_is_asked_about_one_file_at_a_time(api: StandIn, place: Place, daemon: Program) -> None:
    """With 503 for everything one probe goes out at a time, most files stay in the drop folder, and none fails."""
    api.default = Answer(503, b"", delay=0.02)
    for name in DROPPED:
        place.put(name, pdf(name))
    api.wait_for(18)
    assert names(place.failed) == names(place.done) == []
    assert len(documents(place.work)) <= 2 * WORKERS
    probes = sorted(api.requests[2 * WORKERS : 18], key=lambda request: request.started)
    assert all((one.answered or 0) <= two.started for one, two in pairwise(probes))
    api.default = OK
    place.until_done(*DROPPED)
    assert place.waiting() == names(place.failed) == []


def test_statuses_that_pass(api: StandIn, place: Place, daemon: Program) -> None:
    """A status that blames nobody's file: sent again, delivered, and the receipt counts the attempts."""
    for status in BUSY:
        api.script(str(status), Answer(status, b""), Answer(status, b"<html>bad gateway</html>"), OK)
        place.put(f"{status}.pdf", pdf())
        place.until_done(f"{status}.pdf")
        told = sidecar(place.done / f"{status}.pdf")
        assert len(api.of(str(status))) == told["attempts"] == 3
        assert told["http_status"] == 200
        assert told["in_doubt"] is (status in BY_A_GATEWAY), status
    assert names(place.failed) == []


def test_what_waits_says_why(api: StandIn, place: Place, daemon: Program) -> None:
    """Beside a claimed file that waits lies a sidecar with its reason and what to do: nothing."""
    api.default = Answer(500, b"out of order")
    place.put("12345.pdf", pdf())
    api.wait_for(2)
    told = place.note_of("12345.pdf")
    assert (told["state"], told["order_id"], told["http_status"]) == ("waiting", "12345", 500)
    assert (told["finished_at"], told["response"]) == (None, "out of order")
    assert (told["error"]["source"], told["error"]["code"]) == ("http", None)
    assert "by itself" in told["error"]["hint"]


def test_a_file_that_alone_keeps_failing_does_not_block_the_others(api: StandIn, place: Place, start: Start) -> None:
    """One poisonous file, others go through: it is put aside after retry.max_attempts, and holds nobody up."""
    place.configure(retry__max_attempts=3)
    api.script("poison", Answer(500, b"cannot bear it"))
    start()
    place.put("poison.pdf", pdf())
    others = []
    for number in range(40):
        others.append(place.put(f"{number}.pdf", pdf()).name)
        place.until_done(others[-1])
        if "poison.pdf" in names(place.failed):
            break
        _until_asked_again(api, place, len(api.of("poison")))
    place.until_failed("poison.pdf")
    told = sidecar(place.failed / "poison.pdf")
    assert (told["state"], told["http_status"], told["response"]) == ("failed", 500, "cannot bear it")
    assert (told["error"]["source"], told["error"]["code"]) == ("http", None)
    assert 3 <= told["attempts"] == len(api.of("poison")) <= 6
    assert documents(place.done) == sorted(others)


def _until_asked_again(api: StandIn, place: Place, times: int) -> None:
    until(lambda: len(api.of("poison")) > times or names(place.failed), "a retry, or the end of them")


def test_a_file_that_fails_with_nobody_to_compare_is_never_given_up(api: StandIn, place: Place, start: Start) -> None:
    """Nothing else is sent, so nobody knows whether it is the file: it waits far beyond retry.max_attempts."""
    place.configure(retry__max_attempts=3)
    api.default = Answer(500, b"")
    start()
    place.put("12345.pdf", pdf())
    api.wait_for(10)
    assert names(place.failed) == []
    api.default = OK
    place.until_done("12345.pdf")


def test_retry_after_in_seconds(api: StandIn, place: Place, daemon: Program) -> None:
    """`Retry-After: 1` is obeyed, by every file: also by one that was dropped meanwhile."""
    api.script("1", Answer(429, b"", {"Retry-After": "1"}), OK)
    place.put("1.pdf", pdf())
    daemon.says("paused")
    place.put("2.pdf", pdf())
    place.until_done("1.pdf", "2.pdf")
    asked = api.of("1")[0].answered or 0.0
    assert all(0.99 <= request.started - asked < 5 for request in (api.of("1")[1], api.of("2")[0]))


def test_retry_after_as_a_date(api: StandIn, place: Place, daemon: Program) -> None:
    """`Retry-After` as an HTTP-date is obeyed: nothing is sent before that moment."""
    date = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    api.script("1", Answer(503, b"", {"Retry-After": format_datetime(date, usegmt=True)}), OK)
    place.put("1.pdf", pdf())
    api.wait_for(2)
    assert date.timestamp() - 0.02 <= time.time() < date.timestamp() + 5


def test_a_retry_after_that_means_nothing(api: StandIn, place: Place, daemon: Program) -> None:
    """A `Retry-After` that is no number of seconds and no date does no harm: it is sent again and delivered."""
    for number, value in enumerate(("soon", "-5", "1e9", "", "\u0661")):
        api.script(str(number), Answer(503, b"", {"Retry-After": value.encode().decode("latin-1")}), OK)
        place.put(f"{number}.pdf", pdf())
        place.until_done(f"{number}.pdf")


def test_a_retry_after_of_ages(api: StandIn, place: Place, daemon: Program) -> None:
    """A number beyond all measure holds up nothing but the sending: the daemon lives, and can be stopped."""
    api.default = Answer(503, b"", {"Retry-After": "99999999999999999999999"})
    place.put("1.pdf", pdf())
    daemon.says("paused")
    assert daemon.stop() == 0
    assert place.waiting() == ["1.pdf"]


def test_the_connection_breaks_after_the_whole_document(api: StandIn, place: Place, daemon: Program) -> None:
    """Nobody knows whether the API took it: sent again, and the receipt says that this is so."""
    api.script("1", Answer(drop="late"), OK)
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    told = sidecar(place.done / "1.pdf")
    assert (len(api.of("1")), told["attempts"], told["in_doubt"]) == (2, 2, True)


def test_the_connection_breaks_before_the_document_is_through(api: StandIn, place: Place, daemon: Program) -> None:
    """A connection that breaks amid the document: the API cannot have it, and it is sent again without a doubt."""
    api.script("1", Answer(drop="early"), OK)
    place.put("1.pdf", pdf("", 10 * 1024 * 1024))
    place.until_done("1.pdf")
    assert len(api.requests) == 1
    assert sidecar(place.done / "1.pdf")["in_doubt"] is False


UNCLEAR = {
    "cut": Answer(200, b'{"status": "o'),
    "text": Answer(200, b"OK"),
    "cut-xml": Answer(200, b"<InvoiceResponse><Code>"),
    "no-content": Answer(204, b""),
    "accepted": Answer(202, b"{}"),
    "short": Answer(200, b"{}", {"Content-Length": "50", "Connection": "close"}),
    "huge": Answer(200, b"[" + b"0," * (1 << 20) + b"0]"),
}


def test_an_answer_that_proves_nothing(api: StandIn, place: Place, start: Start) -> None:
    """A 200 alone is no receipt: what cannot be read as the API's yes is sent again, in doubt, never filed as done."""
    place.configure(api__read_timeout="1s", api__deadline="2s")
    start()
    for name, answer in UNCLEAR.items():
        api.script(name, answer, OK)
        place.put(f"{name}.pdf", pdf())
        place.until_done(f"{name}.pdf")
        told = sidecar(place.done / f"{name}.pdf")
        assert (len(api.of(name)), told["attempts"], told["in_doubt"]) == (2, 2, True), name


def test_answers_that_are_a_yes(api: StandIn, place: Place, daemon: Program) -> None:
    """An empty body, or JSON or XML without an error in it, is the API's yes."""
    for number, body in enumerate((b"", b"<InvoiceResponse/>", b'{"error": null}', b'{"Code": 0}', b"[]")):
        api.script(str(number), Answer(200, body))
        place.put(f"{number}.pdf", pdf())
        place.until_done(f"{number}.pdf")
        assert len(api.of(str(number))) == 1, body


def test_no_answer_within_the_read_timeout(api: StandIn, place: Place, start: Start) -> None:
    """api.read_timeout ends the waiting; the document was through, so the next attempt is in doubt."""
    place.configure(api__read_timeout="300ms")
    start()
    api.script("1", Answer(delay=3), OK)
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    first, second = api.of("1")
    assert 0.25 < second.started - first.started < 2.5
    assert sidecar(place.done / "1.pdf")["in_doubt"] is True


def test_the_deadline_bounds_a_whole_attempt(api: StandIn, place: Place, start: Start) -> None:
    """A server that sends a byte now and then keeps nobody beyond api.deadline; what it sent is not believed."""
    place.configure(api__deadline="1s", api__read_timeout="10s")
    daemon = start()
    api.script("1", Answer(200, b"{" + b" " * 100 + b"}", drip=0.1), OK)
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    first, second = api.of("1")
    assert 0.9 < second.started - first.started < 4
    assert sidecar(place.done / "1.pdf")["in_doubt"] is True
    assert lines_with("deadline", daemon.lines)


def test_what_is_no_invoice_is_told_during_an_outage(api: StandIn, place: Place, start: Start) -> None:
    """The API is away and the queue paused: bad files go to failed/ at once all the same, good ones stay."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url, retry__initial="1m", retry__max="5m")
        daemon = start()
        good = [place.put(f"{number}.pdf", pdf()).name for number in range(10)]
        daemon.says("paused")
        bad = ["bad name.pdf", "empty.pdf", "program.exe", "large.pdf", "page.pdf"]
        place.put("bad name.pdf", pdf())
        place.put("program.exe", b"MZ")
        place.put("large.pdf", pdf("", (10 << 20) + 1))
        place.put("page.pdf", b"<html></html>")
        place.put("empty.pdf", b"")
        place.until_failed(*bad)
        assert documents(place.failed) == sorted(bad)
        assert place.waiting() == sorted(good)
        assert len(names(place.drop)) >= 2
        finished = place.once() if daemon.stop() == 0 else None
        assert finished is not None
        assert finished.status == 75, finished.err


def test_run_once_in_an_outage_rejects_what_is_no_invoice(place: Place) -> None:
    """However many good files lie there: a bad name is told, and the status says that a person is needed."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        good = [place.put(f"{number}.pdf", pdf()).name for number in range(10)]
        place.put("bad name.pdf", pdf())
        finished = place.once()
    assert finished.status == 1, finished.err
    assert documents(place.failed) == ["bad name.pdf"]
    assert place.waiting() == sorted(good)
