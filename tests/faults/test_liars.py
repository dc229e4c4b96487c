"""A server that lies about one order: nobody else is held up, and nobody is deceived."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults import liar
from tests.faults.invariants import assert_all_delivered, assert_sound
from tests.faults.liar import MIB, PAGE, Front
from tests.integration.place import invoices, names, pdf, sidecar
from tests.integration.program import until
from tests.support.rawserver import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.liar import Call
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

MOST_MEMORY = 120 * MIB
LARGE = 9 * MIB  # more than the sockets' buffers hold, so the server decides how far it gets
HONEST = 10
MOST = 1000  # so that a fault of the program ends the test


class Lie(NamedTuple):
    """What is played, the size of the document it is played to, and whether that may have arrived."""

    play: Callable[[Call], object]
    in_doubt: bool = True
    size: int = 0


LIES = {
    "a web page": Lie(liar.saying(answer(200, PAGE, "Content-Type: text/html"))),
    "a cut-off body": Lie(liar.saying(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"order": 1')),
    "a cut-off body without a length": Lie(liar.saying(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"order":')),
    "a status line and no more": Lie(liar.saying(b"HTTP/1.1 200 OK\r\n")),
    "garbage": Lie(liar.saying(answer(200, b"\x00\xff" * 100))),
    "no content": Lie(liar.saying(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "accepted, perhaps": Lie(liar.saying(answer(202))),
    "not modified": Lie(liar.refusing(b"HTTP/1.1 304 Not Modified\r\n\r\n"), in_doubt=False),
    "multiple choices": Lie(liar.refusing(answer(300)), in_doubt=False),
    "a drip in the head": Lie(liar.dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
    "a drip in the body": Lie(liar.dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ")),
    "an endless 100 Continue": Lie(liar.dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "silence": Lie(liar.silent),
    "a reader of one byte now and then": Lie(liar.reading_slowly, in_doubt=False, size=LARGE),
    "a gigabyte": Lie(liar.a_gigabyte),
    "a gzip bomb": Lie(liar.a_bomb),
    "a reset before the body": Lie(liar.reset_before_the_body, in_doubt=False, size=LARGE),
    "a reset in the body": Lie(liar.reset_in_the_body, in_doubt=False, size=LARGE),
    "a reset after the body": Lie(liar.reset_after_the_body),
}
FOR_EVER = (
    "a web page",
    "not modified",
    "a cut-off body",
    "garbage",
    "accepted, perhaps",
    "a drip in the body",
    "a gzip bomb",
    "a reset in the body",
    "a reset after the body",
)


@pytest.fixture
def front(api: StandIn, place: Place) -> Iterator[Front]:
    """Have the place's invoices go through a server that can lie."""
    with Front(api) as front:
        place.configure(api__base_url=front.base_url, api__deadline="2s", retry__max_attempts=1000)
        yield front


def _lied_to(place: Place, front: Front, lie: Lie) -> bytes:
    """Drop the invoice that is lied about, and wait until the lie has begun."""
    content = pdf("lied to", lie.size or 100)
    front.lies["liar"] = lie.play
    place.put("liar.pdf", content)
    until(lambda: front.begun.get("liar"), "the lie")
    return content


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_one_order(api: StandIn, place: Place, start: Start, front: Front, name: str) -> None:
    """Ten others are delivered meanwhile; it waits, with its doubt told; it goes out when the lies have an end."""
    lie, daemon = LIES[name], start()
    dropped = {"liar.pdf": _lied_to(place, front, lie)}
    honest = place.put_all(invoices(range(HONEST)))
    place.until_done(*honest)
    assert names(place.failed) == []
    assert place.waiting() == ["liar.pdf"]
    told = place.note_of("liar.pdf")
    assert (told["state"], told["in_doubt"]) == ("waiting", lie.in_doubt)
    assert told["error"]["hint"]
    front.lies.clear()
    place.until_done("liar.pdf")
    assert sidecar(place.done / "liar.pdf")["in_doubt"] is lie.in_doubt
    assert all(sidecar(place.done / file)["in_doubt"] is False for file in honest)
    assert daemon.peak_memory < MOST_MEMORY
    assert daemon.stop() == 0
    assert_all_delivered(api, place, dropped | honest)


def _until_given_up(place: Place, content: bytes) -> dict[str, bytes]:
    """Deliver others, one after another, until the lied-to one is put aside; return all that was dropped."""
    dropped = {"liar.pdf": content}
    while "liar.pdf" not in names(place.failed):
        file = f"{len(dropped)}.pdf"
        dropped[file] = pdf(file)
        place.put(file, dropped[file])
        place.until_done(file)
        assert len(dropped) < MOST, "it was not given up"
    place.until_failed("liar.pdf")
    return dropped


@pytest.mark.parametrize("name", FOR_EVER)
def test_a_lie_that_never_ends(api: StandIn, place: Place, start: Start, front: Front, name: str) -> None:
    """One order is lied to for ever while others succeed: after `retry.max_attempts` it is put aside, and says why."""
    place.configure(retry__max_attempts=2, api__deadline="1s")
    lie, daemon = LIES[name], start()
    dropped = _until_given_up(place, _lied_to(place, front, lie))
    told = sidecar(place.failed / "liar.pdf")
    assert (told["error"]["reason"], told["in_doubt"]) == ("keeps_failing", lie.in_doubt)
    assert told["attempts"] >= 2
    assert daemon.stop() == 0
    assert_sound(api, place, dropped)


def test_an_early_refusal_and_a_reset(api: StandIn, place: Place, start: Start, front: Front) -> None:
    """413 before the document was read, then a reset: whether it is heard or not, it is not sent for ever."""
    place.configure(retry__max_attempts=2)
    daemon = start()
    dropped = _until_given_up(place, _lied_to(place, front, Lie(liar.early_refusal, size=LARGE)))
    told = sidecar(place.failed / "liar.pdf")
    assert told["error"]["reason"] in {"http_413", "keeps_failing"}
    assert told["in_doubt"] is False
    assert daemon.stop() == 0
    assert_sound(api, place, dropped)


FORGED = "2026-11-22T00:00:00.000Z INFO delivered 1.pdf"
NASTY = f"no\r\n{FORGED}\x1b[2K\x1b]0;x\x07\u202egpj\u2066\x00\x7f<script>alert(1)</script>"
IN_A_LINE = NASTY.replace("\r\n", "\x0b").encode()
REFUSED = {
    "message": answer(400, json.dumps({"error": {"code": 103, "message": NASTY}}).encode()),
    "megabyte": answer(400, json.dumps({"error": {"code": 103, "message": NASTY * 5_000}}).encode()),
    "cut": answer(400, json.dumps({"error": {"code": 103, "message": NASTY * 9_000}}).encode()[: MIB - 1]),
    "page": answer(400, NASTY.encode() * 1000, "Content-Type: text/html"),
    "reason": b"HTTP/1.1 400 " + IN_A_LINE + b"\r\nContent-Length: 2\r\n\r\n{}",
    "value": b"HTTP/1.1 400 No\r\nX: " + IN_A_LINE + b"\r\nContent-Length: 2\r\n\r\n{}",
    "field": b"HTTP/1.1 400 No\r\n" + IN_A_LINE + b": y\r\nContent-Length: 2\r\n\r\n{}",
    "wait": b"HTTP/1.1 400 No\r\nRetry-After: " + IN_A_LINE + b"\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_words(place: Place, start: Start, front: Front, form: str) -> None:
    """Line breaks, escapes, reversed text, NUL, a megabyte of them: they forge no line, and break no receipt."""
    place.configure(log__format=form)
    daemon = start()
    for order, raw in REFUSED.items():
        front.lies[order] = liar.refusing(raw)
        place.put(f"{order}.pdf", pdf(order))
    front.lies["yes"] = liar.saying(b"HTTP/1.1 200 " + IN_A_LINE + b"\r\nContent-Length: 2\r\n\r\n{}")
    place.put("yes.pdf", pdf("yes"))
    place.until_failed(*(f"{order}.pdf" for order in REFUSED))
    place.until_done("yes.pdf")
    assert daemon.stop() == 0  # where each line is looked at
    assert [line for line in daemon.lines if line.startswith(FORGED) or len(line) > 20_000] == []
    for order in REFUSED:
        raw = (place.failed / f"{order}.pdf.json").read_bytes()
        assert re.fullmatch(rb"[\x20-\x7e\n]{,20000}", raw), order
        assert sidecar(place.failed / f"{order}.pdf")["error"]["reason"] in {"order_closed", "http_400"}
