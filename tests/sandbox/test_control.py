"""The stand-in told how to behave, and asked what it received, while it runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.sandbox import Mode, Sandbox, running
from invoice_watcher.sandbox.rules import DROPPED, Answer, Post, Shape
from invoice_watcher.sandbox.state import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TIMEOUT = 20
USUAL = {"latency": 0, "fail": None, "fail_for": None, "retry_after": None, "down": False}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a stand-in."""
    with running() as sandbox:
        yield sandbox


def post(sandbox: Sandbox, order_id: str = "12345") -> requests.Response:
    """Send an invoice."""
    return requests.post(
        f"{sandbox.base_url}/order/{order_id}/invoice",
        headers={"ApiCode": GUID},
        files={"File": ("1.pdf", b"%PDF")},
        timeout=TIMEOUT,
    )


def put(sandbox: Sandbox, mode: object) -> requests.Response:
    """Tell the stand-in over HTTP how to behave."""
    return requests.put(f"{sandbox.origin}/sandbox/mode", json=mode, timeout=TIMEOUT)


def get(sandbox: Sandbox, what: str) -> Any:  # noqa: ANN401 - it is JSON
    """Ask the stand-in over HTTP."""
    return requests.get(f"{sandbox.origin}/sandbox/{what}", timeout=TIMEOUT).json()


def test_what_was_received_can_be_asked_and_forgotten(sandbox: Sandbox) -> None:
    """GET tells each upload in order with its answer; DELETE forgets them, and what FLAKY orders count."""
    post(sandbox, "E103")
    post(sandbox, "FLAKY1")
    first, second = get(sandbox, "invoices")
    assert (first["order_id"], first["status"], first["code"], first["size"]) == ("E103", 400, 103, 4)
    assert (second["order_id"], second["status"], second["api_code_ok"]) == ("FLAKY1", 503, True)
    assert first["at"].endswith("Z")
    assert requests.delete(f"{sandbox.origin}/sandbox/invoices", timeout=TIMEOUT).status_code == 204
    assert get(sandbox, "invoices") == []
    assert post(sandbox, "FLAKY1").status_code == 503


def test_failing_with_a_status(sandbox: Sandbox) -> None:
    """A mode with `fail` answers every call so, until another mode is set; what it leaves out is as usual."""
    assert put(sandbox, {"fail": 503, "retry_after": 7}).json() == {**USUAL, "fail": 503, "retry_after": 7}
    answer = post(sandbox)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert requests.get(sandbox.base_url, timeout=TIMEOUT).status_code == 503
    assert put(sandbox, {"latency": 0}).json() == USUAL == get(sandbox, "mode")
    assert post(sandbox).status_code == 200
    assert [row.status for row in sandbox.received()] == [503, 200]


def test_being_down(sandbox: Sandbox) -> None:
    """While it is down nothing is answered but the control, which brings it back."""
    put(sandbox, {"down": True})
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            post(sandbox)
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.base_url, timeout=TIMEOUT)
    assert get(sandbox, "mode")["down"] is True
    put(sandbox, {})
    assert post(sandbox).status_code == 200


def test_a_connection_kept_alive_dies_when_it_goes_down(sandbox: Sandbox) -> None:
    """Being down also closes connections that were opened before."""
    with requests.Session() as session:
        assert session.get(sandbox.base_url, timeout=TIMEOUT).status_code == 404
        sandbox.mode = Mode(down=True)
        with pytest.raises(requests.ConnectionError):
            session.get(sandbox.base_url, timeout=TIMEOUT)


def test_latency(sandbox: Sandbox) -> None:
    """Latency delays every answer of the API, and never the control."""
    put(sandbox, {"latency": 0.5})
    before = time.monotonic()
    post(sandbox)
    assert time.monotonic() - before >= 0.5
    sandbox.mode = Mode(latency=3600)
    assert get(sandbox, "mode")["latency"] == 3600
    assert requests.post(f"{sandbox.origin}/sandbox/mode", timeout=TIMEOUT).status_code == 405


@pytest.mark.parametrize(
    "mode",
    [
        {"latency": -1},
        {"latency": 3601},
        {"latency": "1"},
        {"fail": 99},
        {"fail": 600},
        {"fail": "503"},
        {"fail": 503.0},
        {"fail_for": -1},
        {"retry_after": 1.5},
        {"retry_after": -1},
        {"retry_after": True},
        {"down": 1},
        {"no\nsuch": 1},
        [],
        "x" * 70_000,
    ],
)
def test_an_impossible_mode_changes_nothing(sandbox: Sandbox, mode: object) -> None:
    """What no mode can be is answered 400 with one line that says why, and the old mode stays."""
    put(sandbox, {"fail": 500})
    answer = put(sandbox, mode)
    assert answer.status_code == 400
    assert answer.text.count("\n") == 1
    assert get(sandbox, "mode")["fail"] == 500


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 60_000, b"\xff", b'{"latency": NaN}', b'{"fail_for": Infinity}'])
def test_a_mode_that_is_no_json(text: bytes) -> None:
    """A broken text is refused with a reason, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        Mode.from_json(text)


@given(st.binary() | st.text().map(str.encode))
def test_every_text_is_a_mode_or_is_refused(text: bytes) -> None:
    """No text does anything but give a mode or a ValueError."""
    try:
        assert isinstance(Mode.from_json(text), Mode)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most texts are refused, a few are modes


def test_failing_for_a_while() -> None:
    """With `fail_for` the failure ends by itself, counted from when the mode was set."""
    mode = Mode(fail=429, fail_for=5, retry_after=1)
    assert mode.answer(4.9) == Answer(Shape.BARE, 429, retry_after=1)
    assert mode.answer(5.0) is None
    assert Mode(down=True, fail=503).answer(0) == DROPPED
    with running(mode=Mode(fail=429, fail_for=0)) as sandbox:
        assert post(sandbox).status_code == 200


def test_only_the_last_ten_thousand_are_kept() -> None:
    """A stand-in left running for weeks does not grow: the oldest rows go."""
    sandbox = Sandbox("http://x", api_code=None, mode=Mode())
    for number in range(KEPT + 5):
        sandbox.note(Post(str(number), GUID), Answer())
        sandbox.earlier(str(number))
    assert KEPT == len(sandbox.received()) == 10_000
    assert sandbox.received()[0].order_id == "5"
    assert (sandbox.earlier("0"), sandbox.earlier(str(KEPT))) == (0, 1)


def test_waiting_for_what_is_to_come(sandbox: Sandbox) -> None:
    """A test can wait for the n-th upload instead of sleeping, and is not held for ever."""
    sender = threading.Thread(target=lambda: [post(sandbox) for _ in range(2)])
    sender.start()
    assert len(sandbox.wait_for(2, timeout=TIMEOUT)) == 2
    sender.join()
    assert len(sandbox.wait_for(3, timeout=0)) == 2
