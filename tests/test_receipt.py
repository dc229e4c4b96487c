"""The sidecar: what an accountant keeps, what a program reads, and what no stranger can break."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invoice_watcher.escaping import encodable
from invoice_watcher.hints import hint_for
from invoice_watcher.outcome import Deferred, Delivered, Fault, Problem, Rejected, Source
from invoice_watcher.receipt import (
    Error,
    Receipt,
    ReceiptError,
    State,
    decode,
    encode,
    error_of,
    nanoseconds,
    problem_of,
    state_of,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSED = Problem(Source.API, 103, "order_closed", "Order is already shipped or cancelled", hint_for("order_closed"))

FAILED = Receipt(
    state="failed",
    order_id="12345",
    file="12345.pdf",
    size=30211,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    owner="anna",
    received_at="2026-11-22T10:15:00.123Z",
    finished_at="2026-11-22T10:15:02.456Z",
    attempts=1,
    in_doubt=False,
    http_status=400,
    error=error_of(CLOSED),
    response='{"error": {"code": 103}}',
)

GOLDEN = r"""{
  "version": 1,
  "state": "failed",
  "order_id": "12345",
  "file": "12345.pdf",
  "size": 30211,
  "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  "owner": "anna",
  "received_at": "2026-11-22T10:15:00.123Z",
  "finished_at": "2026-11-22T10:15:02.456Z",
  "attempts": 1,
  "in_doubt": false,
  "http_status": 400,
  "error": {
    "source": "api",
    "code": 103,
    "reason": "order_closed",
    "message": "Order is already shipped or cancelled",
    "hint": "HINT"
  },
  "response": "{\"error\": {\"code\": 103}}"
}
""".replace("HINT", hint_for("order_closed"))

ANY_TEXT = (st.text(st.characters()) | st.binary().map(os.fsdecode)).map(encodable)
ERRORS = st.builds(Error, st.sampled_from(Source), st.none() | st.integers(0, 999), ANY_TEXT, ANY_TEXT, ANY_TEXT)
RECEIPTS = st.builds(
    Receipt,
    state=st.sampled_from(get_args(State)),
    order_id=st.none() | ANY_TEXT,
    file=ANY_TEXT,
    size=st.integers(0, 2**63),
    sha256=st.none() | ANY_TEXT,
    owner=ANY_TEXT,
    received_at=ANY_TEXT,
    finished_at=st.none() | ANY_TEXT,
    attempts=st.integers(0, 10**6),
    in_doubt=st.booleans(),
    http_status=st.none() | st.integers(100, 999),
    error=st.none() | ERRORS,
    response=st.none() | ANY_TEXT,
    sending=st.sampled_from([True, msgspec.UNSET]),
    crashes=st.integers(1, 3) | st.just(msgspec.UNSET),
    strikes=st.integers(1, 10) | st.just(msgspec.UNSET),
)


def test_a_sidecar_looks_as_documented() -> None:
    """The names of the fields, their order and their form are fixed: other programs read them."""
    assert encode(FAILED).decode() == GOLDEN


# As 0.1.0 wrote them; never to be changed, whatever fields are added.
OF_0_1_0 = (
    """{
  "version": 1,
  "state": "failed",
  "order_id": "12345",
  "file": "12345.pdf",
  "size": 30211,
  "sha256": "6cca22e9e86f89db955c392ebac457d027bd96d7d03d7c228f87cb367e43ee78",
  "owner": "anna",
  "received_at": "2026-11-22T10:15:00.123Z",
  "finished_at": "2026-11-22T10:15:02.456Z",
  "attempts": 1,
  "in_doubt": false,
  "http_status": 400,
  "error": {
    "source": "api",
    "code": 103,
    "reason": "order_closed",
    "message": "Order is already shipped or cancelled",
    "hint": "Send the invoice to the customer another way."
  },
  "response": "{\\"error\\": {\\"code\\": 103}}"
}
""",
    """{
  "version": 1,
  "state": "waiting",
  "order_id": null,
  "file": "scan.pdf",
  "size": 1,
  "sha256": null,
  "owner": "1000",
  "received_at": "2026-11-22T10:15:00.123Z",
  "finished_at": null,
  "attempts": 2,
  "in_doubt": true,
  "http_status": null,
  "error": null,
  "response": null,
  "sending": true,
  "crashes": 1,
  "strikes": 1
}
""",
)


@pytest.mark.parametrize("text", OF_0_1_0)
def test_the_receipts_of_0_1_0_are_read_for_ever(text: str) -> None:
    """After any update, old receipts still count as receipts, and what was under way still has its note."""
    receipt = decode(text.encode())
    assert {key: value for key, value in msgspec.to_builtins(receipt).items() if key in json.loads(text)} == json.loads(
        text
    )


def test_what_is_done_has_no_error() -> None:
    """`error` is there, and null, so that a program need not ask whether it is there."""
    done = msgspec.structs.replace(FAILED, state="done", error=None, response=None, http_status=200)
    fields = json.loads(encode(done))
    assert fields["error"] is None
    assert fields["response"] is None
    assert list(fields) == list(json.loads(GOLDEN))


def test_a_waiting_one_tells_a_little_more_at_its_end() -> None:
    """What recovery needs to know stands behind the documented fields, and only where there is something to say."""
    waiting = msgspec.structs.replace(FAILED, state="waiting", finished_at=None)
    more = waiting.with_state(sending=True, crashes=2, strikes=3)
    assert list(json.loads(encode(more)))[-3:] == ["sending", "crashes", "strikes"]
    assert decode(encode(more)) == more
    assert encode(more.with_state(sending=False, crashes=0, strikes=0)) == encode(waiting)


@given(RECEIPTS)
def test_what_was_written_is_read_back(receipt: Receipt) -> None:
    """Whatever names, owners and answers there are, beyond the basic plane, controlling or turning, none is lost."""
    assert decode(encode(receipt)) == receipt


@given(RECEIPTS)
def test_any_json_parser_reads_the_same(receipt: Receipt) -> None:
    """The values are those of the record for a parser that is not ours, and in the documented order."""
    assert list(json.loads(encode(receipt)).items()) == list(msgspec.to_builtins(receipt).items())


@given(RECEIPTS)
def test_a_sidecar_is_safe_to_look_at(receipt: Receipt) -> None:
    """`cat` on a sidecar shows text: the only character that does not print is the line feed."""
    text = encode(receipt).decode("utf-8", "strict")
    assert text.replace("\n", "").isprintable()
    assert text.endswith("}\n")


def test_letters_stay_letters() -> None:
    """An accountant reads names as they are; what does not print is spelled in JSON's own way."""
    receipt = msgspec.structs.replace(FAILED, file="Müller 発注 🧾\u202e\x1b\x7f\U000e0041.pdf")
    assert r'"Müller 発注 🧾\u202e\u001b\u007f\udb40\udc41.pdf"' in encode(receipt).decode()


def test_a_name_that_is_no_utf_8_can_be_recorded() -> None:
    """Its broken bytes are spelled out, so that the file can still be told from another."""
    receipt = msgspec.structs.replace(FAILED, file=encodable(os.fsdecode(b"caf\xe9.pdf")))
    assert decode(encode(receipt)).file == r"caf\xe9.pdf"


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_another_version_is_not_taken_for_this_one(version: int) -> None:
    """A downgraded program leaves what a newer one wrote, rather than read it wrongly."""
    with pytest.raises(ReceiptError, match=f"version {version}"):
        decode(GOLDEN.replace('"version": 1', f'"version": {version}').encode())


def test_further_fields_do_no_harm() -> None:
    """A field that is added one day does not make old programs fail."""
    assert decode(GOLDEN.replace('"size"', '"colour": {"red": 1}, "size"').encode()) == FAILED


def damaged() -> Iterator[bytes]:
    """Yield files that lie where a receipt should, and are none."""
    yield from (b"", b"\0" * 8192, b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000)
    yield GOLDEN.encode() + b"\0" * 100
    yield GOLDEN.encode("utf-16")
    for right, wrong in (
        ('"failed"', '"lost"'),
        ("30211", '"30211"'),
        ("30211", "9" * 5000),
        ("30211", "NaN"),
        ('"version": 1', '"version": "1"'),
        ("false", "0"),
        ('"api"', '"oracle"'),
        ('"anna"', r'"\ud800"'),
        ('"anna"', "null"),
        ('"size": 30211,', ""),
    ):
        assert right in GOLDEN
        yield GOLDEN.replace(right, wrong).encode()
    yield GOLDEN.encode().replace(b"anna", b"\xff")


@pytest.mark.parametrize("raw", list(damaged()), ids=lambda raw: repr(raw[-30:]))
def test_what_is_no_receipt_is_refused(raw: bytes) -> None:
    """A damaged or foreign file is told apart, and never half believed."""
    with pytest.raises(ReceiptError):
        decode(raw)


def test_a_receipt_cut_off_anywhere_is_refused() -> None:
    """A disk that lost the end of a file does not make a decision out of the rest."""
    for length in range(len(GOLDEN.rstrip())):
        with pytest.raises(ReceiptError):
            decode(GOLDEN.encode()[:length])


@given(st.binary() | st.builds(lambda at, byte: GOLDEN.encode()[:at] + byte + GOLDEN.encode()[at + 1 :],
                               st.integers(0, len(GOLDEN)), st.binary(max_size=2)))  # fmt: skip
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing that lies in the folder under a sidecar's name can stop the program."""
    try:
        receipt = decode(raw)
    except ReceiptError:
        return
    assert decode(encode(receipt)) == receipt


def test_a_problem_survives_a_restart() -> None:
    """What is told about a document before a crash is told after it."""
    assert problem_of(decode(encode(FAILED)).error or pytest.fail("no error")) == CLOSED


def test_a_message_is_bounded_and_can_be_written() -> None:
    """An API that answers with a novel, or with half a surrogate pair, still leaves a sidecar."""
    problem = Problem(Source.API, None, "http_400", "\ud800" + "x" * 10**6, "Ask.")
    message = error_of(problem).message
    assert message.startswith(r"\ud800xxx")
    assert len(message) == 1000


def test_the_state_is_the_folder() -> None:
    """`done`, `failed` and `waiting` are the three things that can become of an attempt."""
    assert state_of(Delivered(200, "")) == "done"
    assert state_of(Rejected(CLOSED)) == "failed"
    assert state_of(Deferred(CLOSED, Fault.WORLD)) == "waiting"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1795342502.456, "2026-11-22T10:15:02.456Z"),
        (1795342502, "2026-11-22T10:15:02.000Z"),
        (0.0009, "1970-01-01T00:00:00.000Z"),
        (-1.5, "1969-12-31T23:59:58.500Z"),
        *(
            (out_of_range, "1970-01-01T00:00:00.000Z")
            for out_of_range in (1e12, 1e300, -1e12, float("inf"), float("nan"))
        ),
    ],
)
def test_times_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    """RFC 3339 with a Z; a file system's wildest date does not stop the program."""
    assert timestamp(seconds) == text


@example(2_199_018_059_798)  # as a float of seconds, a thousand times this is a little less
@given(st.integers(-2_208_988_800_000, 7_258_118_400_000))
def test_a_time_is_read_back_to_the_millisecond(milliseconds: int) -> None:
    """After a restart a document keeps its place in the queue (for dates from 1900 to 2200)."""
    assert nanoseconds(timestamp(milliseconds / 1000), -1) == milliseconds * 1_000_000


@given(
    st.text()
    | st.datetimes().map(str)
    | st.sampled_from(["", "2026-11-22", "2026-11-22T10:15:02", "Z", "99999-01-01Z"])
)
def test_what_is_no_time_is_not_guessed(text: str) -> None:
    """An edited time, or one without its zone, is not read in the zone in which the machine happens to stand."""
    assert nanoseconds(text, -1) == -1


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sidecar means the same moment in Antwerp and in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert timestamp(1795342502.456) == "2026-11-22T10:15:02.456Z"
        assert nanoseconds("2026-11-22T10:15:02.456Z", -1) == 1795342502456000000
    finally:
        monkeypatch.undo()
        time.tzset()
