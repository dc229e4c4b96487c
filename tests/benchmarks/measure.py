"""One contender's turn in one round: start it, see it work, measure it, and check what it did.

A turn, in this order: canary documents show that it is ready; memory at rest; documents at a steady pace (latency);
documents as fast as possible (rate, CPU, peak memory). Every document must then lie in the done folder byte for byte,
and every order must have reached the sink exactly once, or the turn raises VoidError and gives no figure at all.

`interleaved` gives turns to several, A B C A B C, so that the drift of the machine meets all alike; `ratio` compares
them within each round, where that drift drops out.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.benchmarks import load
from tests.benchmarks.filing import Filing
from tests.benchmarks.load import SIZE, VoidError
from tests.benchmarks.peers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.benchmarks.part import Bench
    from tests.benchmarks.peers import Peer, Place, Running
    from tests.benchmarks.sink import Arrival, Sink

_STARTING = 30.0
_CANARY_EVERY = 0.5
_FIRST_CANARY = 80_000_000
# Longer than watchdog holds back a move (0.5 s), so what a burst leaves behind is counted to that burst.
_REST = 1.0
# What multipart framing may add to a document: two boundaries of 70 characters at most, and a few headers.
_FRAME = 1024
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a turn consists of.

    Attributes:
        files: documents of the burst.
        paced: documents of the latency measurement.
        rate: how many of the paced documents a second.
    """

    files: int
    paced: int
    rate: float = 20.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a steady pace gave, for each document, in ms.

    Attributes:
        request: from its close to its request's head.
        done: from its close to its place in the done folder.
    """

    request: Sequence[float]
    done: Sequence[float]


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst gave.

    Attributes:
        rate: documents a second, from the first close to the last one filed.
        cpu_ms: user and system time for each document, ms.
    """

    rate: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a turn gave; memory in MB (10^6 bytes): after the first document, at rest, and the most of all."""

    pace: Pace
    burst: Burst
    idle_mb: float
    peak_mb: float


def interleaved(
    bench: Bench, turns: Mapping[str, Callable[[int], _T]], say: Callable[[_T], str] = str
) -> tuple[dict[str, list[_T]], list[str]]:
    """Give each its turn in each round; the turn is told the round's number, from 1 on.

    Returns:
        for each the figures of all rounds, without those that had a void one; and a sentence for each of these.
    """
    figures: dict[str, list[_T]] = {name: [] for name in turns}
    void = []
    for number in range(1, bench.rounds + 1):
        for name in list(figures):
            try:
                figures[name].append(turns[name](number))
            except VoidError as error:
                void.append(f"{name}: {error}")
                bench.say(f"  {name}, round {number}: VOID: {error}")
                del figures[name]
            else:
                bench.say(f"  {name}, round {number}: {say(figures[name][-1])}")
    return figures, void


def median(turns: Iterable[_T], figure: Callable[[_T], float]) -> float:
    """Return the median of a figure over the rounds."""
    return statistics.median(figure(turn) for turn in turns)


def ratio(turns: Sequence[_T], base: Sequence[_T], figure: Callable[[_T], float]) -> float:
    """Return the median of the ratios within each round; it may be quoted, where absolute figures may not."""
    return statistics.median(figure(one) / figure(other) for one, other in zip(turns, base, strict=True))


def percentile(values: Sequence[float], per_cent: int) -> float:
    """Return a percentile, 1 to 99, of two values or more."""
    return statistics.quantiles(values, n=100, method="inclusive")[per_cent - 1]


def turn(peer: Peer, place: Place, sink: Sink, plan: Plan) -> Figures:
    """Return a peer's figures; raise VoidError when it did not do its work, or not right."""
    with running(peer, place) as started:
        await_ready(started, place, sink)
        idle = started.tree.resident_mb()
        pace = paced(started, place, sink, load.orders(0, plan.paced), plan.rate)
        gave = burst(started, place, sink, load.orders(plan.paced, plan.files))
        return Figures(pace, gave, idle, started.tree.peak_mb)


def await_ready(started: Running, place: Place, sink: Sink) -> None:
    """Drop canaries until one is filed, and leave no trace of them but in the done folder.

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
    _await_rest(started, place, sink, deadline)


def _await_rest(started: Running, place: Place, sink: Sink, deadline: float) -> None:
    """Return when no canary is on its way any more, neither unseen in the drop folder nor at the sink."""
    time.sleep(_CANARY_EVERY)
    for missed in place.drop.glob("*.pdf"):
        missed.unlink(missing_ok=True)
    time.sleep(_REST)
    sent = len(sink.arrivals())
    while load.filed(place.done) < sent:
        started.look()
        if time.monotonic() > deadline:
            raise VoidError("it did not file all that it sent")
        time.sleep(_CANARY_EVERY)


def paced(started: Running, place: Place, sink: Sink, names: Sequence[str], rate: float) -> Pace:
    """Drop documents of these orders, `rate` a second; raise VoidError when they are not all delivered right."""
    before = load.filed(place.done)
    with Filing(place.done) as filing:
        closed = load.paced(place.drop, names, rate)
        load.await_filed(place.done, before + len(names), started.look)
        time.sleep(_REST)
    arrived = verified(place, sink, names)
    return Pace(
        [(arrived[order].at - closed[order]) / 1e6 for order in names],
        [(filing.at[f"{order}.pdf"] - closed[order]) / 1e6 for order in names],
    )


def burst(started: Running, place: Place, sink: Sink, names: Sequence[str]) -> Burst:
    """Drop documents of these orders at once; raise VoidError when they are not all delivered right."""
    return dropped(started, place, sink, names, lambda: load.burst(place.drop, names))


def dropped(  # noqa: PLR0913 - what is measured, where, and how much of it
    started: Running, place: Place, sink: Sink, names: Sequence[str], drop: Callable[[], int], *, size: int = SIZE
) -> Burst:
    """Let `drop` drop the documents of these orders, each of `size` bytes; like `burst` otherwise.

    Args:
        drop: returns when the first of them was dropped, ns of the wall clock.
    """
    before, cpu = load.filed(place.done), started.tree.cpu_ms()
    start = drop()
    load.await_filed(place.done, before + len(names), started.look)
    time.sleep(_REST)
    started.look()
    cpu = started.tree.cpu_ms() - cpu
    verified(place, sink, names, size)
    seconds = (load.last_filed(place.done, names) - start) / 1e9
    return Burst(len(names) / seconds, cpu / len(names))


def verified(place: Place, sink: Sink, names: Sequence[str], size: int = SIZE) -> dict[str, Arrival]:
    """Return each order's arrival; raise VoidError unless all was delivered once, whole, and filed."""
    arrived = delivered(sink, names, size)
    load.verify_filed(place.done, names, size)
    return arrived


def delivered(sink: Sink, names: Sequence[str], size: int = SIZE) -> dict[str, Arrival]:
    """Return each order's arrival since the sink was last asked; raise VoidError unless all came once and whole."""
    arrivals = sink.arrivals()
    counts = Counter(arrival.order for arrival in arrivals)
    if wrong := [order for order in names if counts[order] != 1]:
        raise VoidError(f"order {wrong[0]} reached the sink {counts[wrong[0]]} times ({len(wrong)} orders not once)")
    if strange := counts.keys() - set(names):
        raise VoidError(f"the sink was sent {len(strange)} orders that were not dropped")
    if short := sum(arrival.size <= size for arrival in arrivals):
        raise VoidError(f"{short} of {len(names)} documents were sent before they were whole")
    if any(arrival.size > size + _FRAME for arrival in arrivals):
        raise VoidError("a request was longer than its document and a multipart frame")
    return {arrival.order: arrival for arrival in arrivals}
