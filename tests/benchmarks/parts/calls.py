"""System calls per delivered document of 30 kB, in steady state: all of them counted, each of them justified.

The sum is the kernel's own count, which does not disturb the daemon; it holds also the futex calls by which threads
wait for each other and wake each other, and the few of the daemon's rest. The names are strace's, from a delivery of
its own.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import deliver
from tests.benchmarks.calls import SETTLED, counted, named, per_document
from tests.benchmarks.needed import NEEDED
from tests.benchmarks.part import Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.part import Bench

_MOST = 60.0
# Calls of the daemon's own rest fall into the time of some documents.
_SELDOM = 0.5
_WORKERS = 4


class _Turn(NamedTuple):
    """Calls for each document: of all kinds, futex among them, and by name."""

    every: float
    futex: float
    named: dict[str, float]


def measure(bench: Bench) -> Result:
    """Count in each round with a daemon of its own; medians of the rounds."""
    with Sink() as sink:
        turns = [_turn(bench, sink, number) for number in range(bench.rounds)]
    every = statistics.median(turn.every for turn in turns)
    futex = statistics.median(turn.futex for turn in turns)
    names = {
        name: statistics.median(turn.named.get(name, 0.0) for turn in turns) for turn in turns for name in turn.named
    }
    parts = f"{every - futex:.1f}, and {futex:.1f} to hand over between threads"
    row = Row("system calls per document of 30 kB", every, _MOST, False, "", parts)
    return Result(rows=[row], tables=[_table(names, every, futex)])


def _turn(bench: Bench, sink: Sink, number: int) -> _Turn:
    undisturbed, traced = (40, 20) if bench.quick else (1_000, 300)
    place = Place(bench.folder / f"calls-{number}", sink.base_url, _WORKERS)
    with daemon(place) as service:
        service.await_ready()
        deliver(service, place, sink, load.orders(0, 4 * _WORKERS))
        time.sleep(SETTLED)
        with counted(service.pid, place.root) as kernel:
            deliver(service, place, sink, load.orders(1_000, undisturbed))
        with named(service.pid, place.root) as calls:
            deliver(service, place, sink, load.orders(10_000, traced))
    every, futex = kernel.every / undisturbed, kernel.futex / undisturbed
    bench.say(f"calls: {every:.1f} for a document, {futex:.1f} of them futex")
    return _Turn(every, futex, per_document(calls, traced))


def _table(names: Mapping[str, float], every: float, futex: float) -> Table:
    """Return the calls in the order of a document's way, those that nobody justified after them."""
    known = [_line(name, names[name], need.why) for name, need in NEEDED.items() if name in names]
    strange = [_line(name, times, _unjustified(times)) for name, times in names.items() if name not in NEEDED]
    rest = every - futex - sum(names.values())
    lines: Sequence[Sequence[str]] = [
        *known,
        *strange,
        [
            "futex",
            "between threads",
            f"{futex:.1f}",
            "one thread waits for the interpreter, a lock or work; one wakes it",
        ],
        ["", "the two counts differ by", f"{rest:+.1f}", "the scan, which finds fewer at once when all is slow"],
    ]
    return Table("What the kernel is asked for", ["call", "on", "for a document", "what for"], lines)


def _unjustified(times: float) -> str:
    return "not justified" if times > _SELDOM else "now and then, however much there is to deliver"


def _line(name: str, times: float, why: str) -> list[str]:
    call, _, on = name.partition(" ")
    return [call, on, f"{times:.1f}", why]
