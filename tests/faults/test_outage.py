"""The API is away for long, with a thousand invoices waiting: they wait in sight, it is asked rarely, and all go out.

`retry.max` is a second here instead of five minutes, so ten seconds stand for the best part of an hour; a simulated day
with the true times is in tests/test_queue.py.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import lines_with, until
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

WORKERS = 4
DROPPED = [f"{number:04}.pdf" for number in range(1000)]
LONGEST = 1.0
RAMP = 8  # failures until the back-off is at its longest, those that begin the pause included
PROBES = 6  # after that
_ILL = Answer(503, b"")


def _drop_all(place: Place) -> None:
    place.configure(retry__initial="50ms", retry__max=f"{LONGEST}s")
    for name in DROPPED:
        place.put(name, pdf(name))


def _deferred(daemon: Program) -> int:
    return len(lines_with("deferred", daemon.lines))


def _assert_kept(place: Place, most: int) -> None:
    assert names(place.failed) == names(place.done) == []
    assert len(documents(place.work)) <= most
    assert place.waiting() == DROPPED


def _assert_delivered_once(api: StandIn, place: Place) -> None:
    place.until_done(*DROPPED)
    assert sorted({one.order_id for one in api.requests if one.answered}) == [name[:-4] for name in DROPPED]
    assert names(place.failed) == place.waiting() == []
    assert not any(sidecar(place.done / name)["in_doubt"] for name in DROPPED)


def test_a_thousand_files_and_nobody_listens(place: Place, start: Start) -> None:
    """Connection refused: a probe now and then, no more than a file per worker out of sight, and all go afterwards."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        _drop_all(place)
        daemon = start()
        until(lambda: _deferred(daemon) >= RAMP, "the longest back-off")
        before, began = _deferred(daemon), time.monotonic()
        until(lambda: _deferred(daemon) >= before + PROBES, "more probes")
        _assert_kept(place, WORKERS)
        assert _deferred(daemon) - before <= 1 + (time.monotonic() - began) / (0.9 * LONGEST)
        away.listen()
        _assert_delivered_once(away, place)
        assert len(away.requests) == len(DROPPED)
    assert daemon.stop() == 0


def test_a_thousand_files_and_an_ill_api(api: StandIn, place: Place, start: Start) -> None:
    """503 for everything: one probe at a time with `retry.max` between them, few files out of sight, none failed."""
    api.default = _ILL
    _drop_all(place)
    daemon = start()
    probes = api.wait_for(WORKERS + RAMP + PROBES)[-PROBES:]
    _assert_kept(place, 2 * WORKERS)
    assert all(two.started - (one.answered or 0.0) >= 0.9 * LONGEST for one, two in pairwise(probes))
    api.default = OK
    _assert_delivered_once(api, place)
    assert daemon.stop() == 0


def _until_tried_again(daemon: Program, place: Place, times: int) -> None:
    def tried() -> bool:
        return len(lines_with("deferred poison.pdf", daemon.lines)) > times

    until(lambda: tried() or "poison.pdf" in names(place.failed), "a retry, or the end of them")


@pytest.mark.parametrize("poison", [_ILL, Answer(drop="early"), Answer(drop="late")])
def test_poison_in_an_outage(api: StandIn, place: Place, start: Start, poison: Answer) -> None:
    """One document never gets an answer, during an outage or after it: it holds up nobody, and is put aside alone."""
    place.configure(retry__max_attempts=3)
    api.default = _ILL
    api.script("poison", poison)
    first = place.put("0000.pdf", pdf())
    place.put_after(first, "poison.pdf", pdf("", 2 << 20))
    others = ["0000.pdf"] + [place.put(f"{number:04}.pdf", pdf()).name for number in range(1, 50)]
    daemon = start()
    daemon.says("paused")
    api.default = OK
    place.until_done(*others)
    while "poison.pdf" not in names(place.failed):
        others.append(place.put(f"{len(others):04}.pdf", pdf()).name)
        place.until_done(others[-1])
        _until_tried_again(daemon, place, len(lines_with("deferred poison.pdf", daemon.lines)))
    place.until_failed("poison.pdf")
    assert sidecar(place.failed / "poison.pdf")["error"]["reason"] == "keeps_failing"
    assert documents(place.failed) == ["poison.pdf"]
    assert documents(place.done) == sorted(others)
    assert daemon.stop() == 0
