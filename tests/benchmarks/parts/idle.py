"""What it costs to wait: wake-ups and processor time while nothing is dropped.

Three daemons wait side by side through the same minutes, after one document each: one without anything beside its work,
one with the default configuration, one as a service with a watchdog and metrics. A minute holds two of the timed looks
into the folder and one message to a watchdog of two minutes, so minutes are alike, and a week is 10,080 of them.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import deliver
from tests.benchmarks.part import Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon
from tests.benchmarks.sink import Sink
from tests.integration.scrape import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.inside import Inside
    from tests.benchmarks.part import Bench

_MINUTE = 60.0
_WEEK = 7 * 24 * 60 * _MINUTE
_REST = 5.0
_LEAST_WAKE_UPS = 2.0  # a second
_LEAST_CPU = 0.05  # seconds a minute
_WATCHDOG = {"WATCHDOG_USEC": "120000000"}


class _Variant(NamedTuple):
    """A way to run the daemon: what differs in its configuration and in its environment."""

    title: str
    settings: dict[str, object]
    environment: dict[str, str]


class _Cost(NamedTuple):
    """What a second of waiting costs: wake-ups, and seconds on a processor."""

    wake_ups: float
    cpu: float


def measure(bench: Bench) -> Result:
    """Let the daemons wait, a minute for each round."""
    seconds, rest = (3.0, 1.0) if bench.quick else (_MINUTE, _REST)
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        waiting = {variant.title: _waiting(stack, bench, sink, variant) for variant in _variants()}
        time.sleep(rest)
        costs: dict[str, list[_Cost]] = {title: [] for title in waiting}
        for number in range(bench.rounds):
            for title, cost in zip(waiting, _waited(list(waiting.values()), seconds), strict=True):
                costs[title].append(cost)
            bench.say(f"idle: minute {number + 1} of {bench.rounds} is over")
    typical = {
        title: _Cost(*(statistics.median(figures) for figures in zip(*taken, strict=True)))
        for title, taken in costs.items()
    }
    last = list(typical.items())[1:]
    return Result(rows=[row for title, cost in last for row in _rows(title, cost)], tables=[_table(typical)])


def _variants() -> list[_Variant]:
    metrics: dict[str, object] = {"metrics": {"listen": f"127.0.0.1:{free_port()}"}}
    return [
        _Variant("no page, watchdog or metrics", {"status_page": None}, {}),
        _Variant("default configuration", {}, {}),
        _Variant("with watchdog and metrics", metrics, _WATCHDOG),
    ]


def _waiting(stack: ExitStack, bench: Bench, sink: Sink, variant: _Variant) -> Inside:
    """Start a daemon that has delivered one document, and has nothing left to do."""
    place = Place(bench.folder / variant.title.replace(" ", "-"), sink.base_url, 4, variant.settings)
    service = stack.enter_context(daemon(place, variant.environment))
    service.await_ready()
    deliver(service, place, sink, load.orders(0, 1))
    return service.inside


def _waited(waiting: Sequence[Inside], seconds: float) -> list[_Cost]:
    """Return what each of them cost a second, over so many."""
    start = time.monotonic()
    before = [(inside.wake_ups(), inside.seconds()) for inside in waiting]
    while (left := start + seconds - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
        for inside in waiting:  # or threads that come and go between would not be seen
            inside.wake_ups()
    passed = time.monotonic() - start
    return [
        _Cost((inside.wake_ups() - woken) / passed, (inside.seconds() - spent) / passed)
        for inside, (woken, spent) in zip(waiting, before, strict=True)
    ]


def _rows(title: str, cost: _Cost) -> list[Row]:
    wake_ups, cpu = cost.wake_ups, cost.cpu * _MINUTE
    return [
        Row(f"wake-ups a second while idle, {title}", wake_ups, _LEAST_WAKE_UPS, False, "", f"{wake_ups:.2f} a second"),
        Row(f"CPU a minute while idle, {title}", cpu, _LEAST_CPU, False, " s", f"{cpu * 1000:.1f} ms a minute"),
    ]


def _table(typical: dict[str, _Cost]) -> Table:
    columns = ["", "wake-ups a second", "CPU ms a minute", "wake-ups a week", "CPU s a week"]
    lines = [
        [
            title,
            f"{cost.wake_ups:.2f}",
            f"{cost.cpu * _MINUTE * 1000:.1f}",
            f"{cost.wake_ups * _WEEK:,.0f}",
            f"{cost.cpu * _WEEK:,.1f}",
        ]
        for title, cost in typical.items()
    ]
    return Table("Waiting for a week", columns, lines)
