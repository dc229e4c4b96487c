"""The system calls of a delivered document: exactly those that `tests/benchmarks/needed.py` justifies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.arrivals import deliver
from tests.benchmarks.calls import SETTLED, named, per_document
from tests.benchmarks.needed import NEEDED
from tests.benchmarks.service import daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.benchmarks.peers import Place
    from tests.benchmarks.sink import Sink

_DOCUMENTS = 200
# What happens now and then is counted to the documents that are under way just then.
_NOW_AND_THEN = 0.25


def test_every_call_of_a_delivery_is_justified(
    fresh: Callable[[], Place], sink: Sink, record_property: Callable[[str, object], None]
) -> None:
    """Whoever makes the daemon ask the kernel for more has to say what for; it does not creep in."""
    calls = _calls(fresh(), sink)
    record_property("system calls per document, without futex", round(sum(calls.values()), 1))
    assert _unjustified(calls) == {}


def test_no_justification_outlives_its_call(fresh: Callable[[], Place], sink: Sink) -> None:
    """The table says what is done, and nothing else."""
    assert NEEDED.keys() - _calls(fresh(), sink).keys() == set()


def test_a_call_that_was_added_is_seen(fresh: Callable[[], Place], sink: Sink, wasteful: Mapping[str, str]) -> None:
    """The guard can fail."""
    assert "newfstatat /" in _unjustified(_calls(fresh(), sink, wasteful))


def _calls(place: Place, sink: Sink, more: Mapping[str, str] | None = None) -> dict[str, float]:
    with daemon(place, more) as service:
        service.await_ready()
        deliver(service, place, sink, load.orders(0, 4 * place.workers))
        time.sleep(SETTLED)
        with named(service.pid, place.root) as calls:
            deliver(service, place, sink, load.orders(1_000, _DOCUMENTS))
    return per_document(calls, _DOCUMENTS)


def _unjustified(calls: Mapping[str, float]) -> dict[str, float]:
    """Return what has no line in the table, or is made more often than it says."""
    return {
        name: times
        for name, times in calls.items()
        if times > (NEEDED[name].times if name in NEEDED else 0) + _NOW_AND_THEN
    }
