"""One peer's turn in one round: start it, see it work, measure it, and check what it did.

The turn, in this order: a canary document shows that it is ready; memory at rest; documents at a steady pace
(latency); documents as fast as possible (rate, CPU, peak memory). Every document must then lie in the done
folder byte for byte, and every order must have reached the sink exactly once, or the turn raises VoidError
and gives no figure at all.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.load import VoidError
from tests.benchmarks.peers import running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.peers import Peer, Place, Running
    from tests.benchmarks.sink import Arrival, Sink

_STARTING = 30.0
_CANARY_EVERY = 0.5
_FIRST_CANARY = 90_000
# Longer than watchdog holds back a move (0.5 s), so what a burst leaves behind is counted to that burst.
_REST = 1.0
# What multipart framing may add to a document: two boundaries of 70 characters at most, and a few headers.
_FRAME = 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run measures.

    Attributes:
        rounds: how many turns each peer has.
        files: documents of the burst.
        paced: documents of the latency measurement.
        workers: how many uploads the daemon may have under way.
        latency: seconds the sink takes to answer.
        rate: how many of the paced documents a second.
    """

    rounds: int
    files: int
    paced: int
    workers: int
    latency: float
    rate: float = 20.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one turn gave.

    Attributes:
        rate: documents a second, from the first close to the last one filed.
        cpu_ms: user and system time for each document of the burst, ms.
        p50_ms: close to request head, median, ms.
        p99_ms: the same, 99th percentile, ms.
        idle_mb: memory resident after the first document, at rest, MB.
        peak_mb: the most memory, MB.
    """

    rate: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    idle_mb: float
    peak_mb: float


def turn(peer: Peer, place: Place, sink: Sink, plan: Plan) -> Figures:
    """Return a peer's figures; raise VoidError when it did not do its work, or not right."""
    with running(peer, place) as started:
        _await_ready(started, place)
        time.sleep(_REST)
        sink.arrivals()
        idle = started.tree.resident_mb()
        latencies = _paced(started, place, sink, plan)
        rate, cpu = _burst(started, place, sink, plan)
        cuts = statistics.quantiles(latencies, n=100, method="inclusive")
        return Figures(rate, cpu, cuts[49], cuts[98], idle, started.tree.peak_mb)


def _await_ready(started: Running, place: Place) -> None:
    """Drop canaries until one is filed.

    One is not enough: a peer that does not look for what lies there when it starts never sees a document that
    was dropped before its watch stood.
    """
    deadline = time.monotonic() + _STARTING
    canaries = iter(load.orders(_FIRST_CANARY, 1_000))
    dropped = 0.0
    while not load.filed(place.done):
        started.look()
        if time.monotonic() > deadline:
            raise VoidError(f"it filed nothing in the first {_STARTING:g} s")
        if time.monotonic() > dropped + _CANARY_EVERY:
            load.burst(place.drop, [next(canaries)])
            dropped = time.monotonic()
        time.sleep(0.02)
    time.sleep(_CANARY_EVERY)
    for missed in place.drop.glob("*.pdf"):
        missed.unlink(missing_ok=True)


def _paced(started: Running, place: Place, sink: Sink, plan: Plan) -> list[float]:
    """Return for each document at a steady pace the ms from its close to its request."""
    names, before = load.orders(0, plan.paced), load.filed(place.done)
    closed = load.paced(place.drop, names, plan.rate)
    load.await_filed(place.done, before + len(names), started.look)
    time.sleep(_REST)
    arrived = _verified(place, sink, names)
    return [(arrived[order].at - closed[order]) / 1e6 for order in names]


def _burst(started: Running, place: Place, sink: Sink, plan: Plan) -> tuple[float, float]:
    """Return documents a second, and CPU ms for each."""
    names, before = load.orders(plan.paced, plan.files), load.filed(place.done)
    cpu = started.tree.cpu_ms()
    start = load.burst(place.drop, names)
    load.await_filed(place.done, before + len(names), started.look)
    time.sleep(_REST)
    started.look()
    cpu = started.tree.cpu_ms() - cpu
    _verified(place, sink, names)
    seconds = (load.last_filed(place.done, names) - start) / 1e9
    return len(names) / seconds, cpu / len(names)


def _verified(place: Place, sink: Sink, names: Sequence[str]) -> dict[str, Arrival]:
    """Return each order's arrival; raise VoidError unless all was delivered once, whole, and filed."""
    arrivals = sink.arrivals()
    counts = Counter(arrival.order for arrival in arrivals)
    if wrong := [order for order in names if counts[order] != 1]:
        raise VoidError(f"order {wrong[0]} reached the sink {counts[wrong[0]]} times ({len(wrong)} orders not once)")
    if strange := counts.keys() - set(names):
        raise VoidError(f"the sink was sent {len(strange)} orders that were not dropped")
    if any(not load.SIZE < arrival.size <= load.SIZE + _FRAME for arrival in arrivals):
        raise VoidError("a request did not have the length of its document and a multipart frame")
    load.verify_filed(place.done, names)
    return {arrival.order: arrival for arrival in arrivals}
