"""One owner floods the folder; another drops a document now and then, and must not wait for the flood.

The flood is moved in at once; the other's documents come five a second from that moment on. The API takes 20 ms, so
four workers can deliver 200 a second and no more, and the flood takes its time. Files of two owners can only be made by
root; for anybody else all of it is void.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import Arrivals, await_all_filed, deliver
from tests.benchmarks.part import Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.part import Bench

_FLOOD, _SMALL_FLOOD = 5_000, 60
_OTHERS, _FEW_OTHERS = 20, 3
_RATE = 5.0  # a second
_LATENCY = 0.02
_FLOODER, _OTHER = 60_001, 60_002
_WITHIN = 2.0  # seconds
_FIRST_OTHER = 50_000
_CANARY = 90_000


class _Turn(NamedTuple):
    """Seconds from move to request, of each document of either owner."""

    flooder: list[float]
    other: list[float]


def measure(bench: Bench) -> Result:
    """Measure how long the documents of both wait."""
    if os.geteuid():
        return Result(void=["fairness: only root can make files of two owners"])
    flood, others = (_SMALL_FLOOD, _FEW_OTHERS) if bench.quick else (_FLOOD, _OTHERS)
    turns: list[_Turn] = []
    with Sink(_LATENCY) as sink:
        for number in range(bench.rounds):
            place = Place(bench.folder / f"flood-{number}", sink.base_url, 4)
            turns.append(_turn(place, sink, flood, others))
            bench.say(f"fairness: the other owner's slowest of {others} took {max(turns[-1].other):.3f} s")
    slowest = statistics.median(_cut(turn.other, 99) for turn in turns)
    what = f"another owner's document beside a flood of {flood:,}, p99"
    against = f"the flood's own p50: {statistics.median(_cut(turn.flooder, 50) for turn in turns):.1f} s"
    table = Table(
        f"One owner drops {flood:,} files, another {others} meanwhile: seconds from move to request",
        ["owner", "files", "p50", "p99", "slowest"],
        [
            _line("who floods", [turn.flooder for turn in turns]),
            _line("the other", [turn.other for turn in turns]),
        ],
    )
    return Result([Row(what, slowest, _WITHIN, False, " s", against)], [table])


def _turn(place: Place, sink: Sink, flood: int, others: int) -> _Turn:
    floods, drops = load.orders(0, flood), load.orders(_FIRST_OTHER, others)
    staged = place.root / "owned"
    staged.mkdir(parents=True)
    _write_owned(staged, floods, _FLOODER)
    _write_owned(staged, drops, _OTHER)
    os.sync()
    with daemon(place) as service:
        service.await_ready()
        deliver(service, place, sink, load.orders(_CANARY, 1))
        arrivals = Arrivals(sink)
        moved = {order: _moved(staged, place.drop, order) for order in floods}
        moved.update(_paced(staged, place.drop, drops))
        arrivals.wait_for(service, moved)
        await_all_filed(service, place, moved)
        service.stop()
    load.verify_filed(place.done, moved)
    waits = {order: (arrivals.at[order] - at) / 1e9 for order, at in moved.items()}
    return _Turn([waits[order] for order in floods], [waits[order] for order in drops])


def _write_owned(folder: Path, orders: Sequence[str], owner: int) -> None:
    load.burst(folder, orders)
    for order in orders:
        os.chown(folder / f"{order}.pdf", owner, owner)


def _paced(staged: Path, drop: Path, orders: Sequence[str]) -> dict[str, int]:
    """Move these in, five a second; return when each was, ns of CLOCK_MONOTONIC."""
    start, moved = time.monotonic(), {}
    for number, order in enumerate(orders):
        time.sleep(max(0.0, start + number / _RATE - time.monotonic()))
        moved[order] = _moved(staged, drop, order)
    return moved


def _moved(staged: Path, drop: Path, order: str) -> int:
    at = time.monotonic_ns()
    load.moved(drop, [order], staged)
    return at


def _cut(waits: Sequence[float], percent: int) -> float:
    return statistics.quantiles(waits, n=100, method="inclusive")[percent - 1]


def _line(name: str, turns: Sequence[Sequence[float]]) -> list[str]:
    cuts = [statistics.median(_cut(waits, percent) for waits in turns) for percent in (50, 99)]
    slowest = statistics.median(map(max, turns))
    return [name, f"{len(turns[0]):,}", *(f"{figure:.3f}" for figure in (*cuts, slowest))]
