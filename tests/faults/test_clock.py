"""The machine's clock is set while the program runs: nothing is sent in a storm, kept for ever, or given up too early.

`retry.max`, `settle.quiet` and every other duration is the true one, whatever the clock says meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tests.faults.clock import DAY, JUMPS, Clock, clock
from tests.integration.answers import OK, Answer
from tests.integration.place import names, pdf, sidecar

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

__all__ = ["clock"]

CUT_OFF = b"%PDF-1.7\n1 0 obj\n"
# It may be whole, and may not be: a shortcut whose last line has no end is sent when its patience is over.
DOUBTFUL = b"[InternetShortcut]\r\nURL=https://example.com/1.pdf"
_TICK = 0.05  # seconds by which a file's time may be older than the moment at which it was made


@pytest.fixture(autouse=True)
def _configured(place: Place) -> None:
    place.configure(settle__rescan="1h")  # what is found in these tests is found by the kernel's hint, or when due


def _assert_clock_was(clock: Clock, told: str) -> None:
    assert abs(datetime.fromisoformat(told).timestamp() - clock.time()) < 60, told


def test_set_while_nothing_is_to_be_done(api: StandIn, place: Place, start: Start, clock: Clock) -> None:
    """An idle program stays idle; the next file is sent once, and its receipt tells the time as it was then."""
    place.configure(settle__quiet="200ms")
    daemon = start(**clock.env)
    for order, ahead in enumerate(JUMPS.values()):
        clock.set(ahead)
        before = daemon.cpu_seconds
        time.sleep(0.5)  # in which nothing happens: that is what is tested
        assert daemon.cpu_seconds - before < 0.25
        place.put(f"{order}.pdf", pdf())
        place.until_done(f"{order}.pdf")
        _assert_clock_was(clock, sidecar(place.done / f"{order}.pdf")["finished_at"])
    assert len(api.requests) == len(JUMPS)
    assert daemon.stop() == 0


@pytest.mark.parametrize("jump", JUMPS)
def test_set_while_files_settle(api: StandIn, place: Place, start: Start, clock: Clock, jump: str) -> None:
    """What is quiet for settle.quiet is sent, what stays cut off is rejected in time: not sooner, and not never."""
    place.configure(settle__quiet="500ms", settle__incomplete_after="2s")
    daemon = start(**clock.env)
    dropped = time.monotonic()
    place.put("whole.pdf", pdf())
    place.put("cut.pdf", CUT_OFF)
    clock.set(JUMPS[jump])
    place.until_done("whole.pdf")
    assert api.requests[0].started - dropped >= 0.5 - _TICK
    place.until_failed("cut.pdf")
    assert time.monotonic() - dropped >= 2 - _TICK
    assert sidecar(place.failed / "cut.pdf")["error"]["reason"] == "incomplete"
    assert len(api.requests) == 1
    assert daemon.stop() == 0


def test_set_during_a_back_off_and_a_pause(api: StandIn, place: Place, start: Start, clock: Clock) -> None:
    """What has to wait for a second waits for a second: not less, for the API is to be spared, and not for a day."""
    place.configure(retry__initial="1s", retry__max="1s")
    daemon = start(**clock.env)
    answers = (Answer(500, b""), Answer(503, b"", {"Retry-After": "1"})) * 2
    for order, ahead, answer in zip(map(str, range(len(JUMPS))), JUMPS.values(), answers, strict=True):
        clock.set(0)
        api.script(order, answer, OK)
        name = place.put(f"{order}.pdf", pdf()).name
        place.note_of(name)
        clock.set(ahead)
        place.until_done(name)
        first, second = api.of(order)
        assert second.started - (first.answered or 0.0) >= 0.99, name
    assert names(place.failed) == []
    assert daemon.stop() == 0


def test_set_during_an_upload(api: StandIn, place: Place, start: Start, clock: Clock) -> None:
    """An upload that is under way when the clock is set goes on, is not in doubt, and holds up nobody else."""
    daemon = start(**clock.env)
    for order, ahead in zip(map(str, range(len(JUMPS))), JUMPS.values(), strict=True):
        clock.set(0)
        hold = threading.Event()
        api.script(order, Answer(hold=hold))
        name = place.put(f"{order}.pdf", pdf()).name
        api.wait_for(1, order)
        clock.set(ahead)
        place.put(f"{order}-beside.pdf", pdf())
        place.until_done(f"{order}-beside.pdf")
        hold.set()
        place.until_done(name)
        told = sidecar(place.done / name)
        assert (told["attempts"], told["in_doubt"]) == (1, False)
        _assert_clock_was(clock, told["finished_at"])
    assert len(api.requests) == 2 * len(JUMPS)
    assert daemon.stop() == 0


@pytest.mark.parametrize("jump", JUMPS)
def test_wrong_at_the_start(api: StandIn, place: Place, start: Start, clock: Clock, jump: str) -> None:
    """A machine whose clock has lost its battery delivers what lies there, whatever times the files have."""
    place.configure(settle__quiet="300ms")
    clock.set(JUMPS[jump])
    for order, ahead in zip(map(str, range(len(JUMPS))), JUMPS.values(), strict=True):
        path = place.put(f"{order}.pdf", pdf())
        os.utime(path, times=(0, time.time() + ahead))
    daemon = start(**clock.env)
    place.until_done(*(f"{order}.pdf" for order in range(len(JUMPS))))
    assert len(api.requests) == len(JUMPS)
    assert daemon.stop() == 0


@pytest.mark.parametrize("jump", JUMPS)
def test_set_while_a_doubtful_document_waits_for_the_api(
    api: StandIn, place: Place, start: Start, clock: Clock, jump: str
) -> None:
    """A document that was given its patience, and then met an API that was ill, is sent again and not kept for ever."""
    place.configure(settle__incomplete_after="1s")
    daemon = start(**clock.env)
    api.script("1", Answer(500, b""), OK)
    place.put("1.url", DOUBTFUL)
    place.note_of("1.url")
    clock.set(JUMPS[jump])
    place.until_done("1.url")
    assert len(api.requests) == 2
    assert daemon.stop() == 0


@pytest.mark.parametrize("ahead", [-DAY, DAY])
def test_retry_after_as_a_date_while_the_clock_is_wrong(
    api: StandIn, place: Place, start: Start, clock: Clock, ahead: int
) -> None:
    """A date of the API's is compared with the API's own clock (`Date`): neither an hour's pause, nor none at all."""
    clock.set(ahead)
    daemon = start(**clock.env)
    date = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    api.script("1", Answer(503, b"", {"Retry-After": format_datetime(date, usegmt=True)}), OK)
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert date.timestamp() - 1 <= time.time()
    assert daemon.stop() == 0
