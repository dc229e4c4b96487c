"""Files that wait already when the daemon starts: ten, a thousand, a hundred thousand, a million.

All are documents of 1,000 bytes, so that a hundred thousand fit on any disk. A run ends, by SIGTERM, when a bounded
number of them has arrived. Where there are fewer, the daemon is started on as many such backlogs, one after the other,
as make up the same number (ten at most), and their rates are joined. The rate counts from the first request to the
last; CPU from READY on, a share for each file.

Beside a backlog of a hundred thousand three newcomers are dropped, one a second from the fifth second after READY on.
Between two runs what was filed is put aside, and the backlog filled up again.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.arrivals import Arrivals
from tests.benchmarks.part import Curve, Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.benchmarks.part import Bench
    from tests.benchmarks.service import Service

_SIZE = 1_000
_FIRST_NEWCOMER = 80_000_000  # beyond every backlog
_MB = 1e6
_SOON = 2.0  # seconds from the start to the first request
_MORE_MEMORY = 30.0  # MB
_SAME_RATE = 0.9
_NEWCOMER_WITHIN = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is measured.

    Attributes:
        few, some, many: files waiting, the sizes that the targets are about.
        huge: one more, which has one turn; 0 for none.
        delivered: how many are to arrive in all.
        newcomers: how many of them.
        after: seconds from READY until the first of these.
    """

    few: int = 10
    some: int = 1_000
    many: int = 100_000
    huge: int = 1_000_000
    delivered: int = 6_000
    newcomers: int = 3
    after: float = 5.0


_QUICK = _Plan(few=25, some=50, many=300, huge=0, delivered=50, newcomers=1, after=0.1)


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run gave; in seconds, files a second, and bytes.

    Attributes:
        ready: start to READY.
        first: start to the first request.
        rate: requests a second, from the first to the last that was waited for.
        cpu: processor time for each file.
        peak: the most memory.
        stop: SIGTERM to the end.
        newcomer: the longest that a newcomer waited, close to request; 0.0 without any.
    """

    ready: float
    first: float
    rate: float
    cpu: float
    peak: int
    stop: float
    newcomer: float


class _Backlog:
    """A folder that is filled up to a number of waiting files before each run."""

    def __init__(self, place: Place, count: int) -> None:
        self.place = place
        self.count = count
        self._waiting: set[str] = set()
        self._next = self._newcomers = self._runs = 0
        place.done.mkdir(parents=True)

    def fill(self) -> None:
        """Put aside what was filed, and write what is missing; have the disk done with it."""
        self._runs += 1
        self.place.done.rename(self.place.root / f"done-{self._runs}")
        self.place.done.mkdir()
        new = load.orders(self._next, self.count - len(self._waiting))
        self._next += len(new)
        load.burst(self.place.drop, new, _SIZE)
        self._waiting.update(new)
        os.sync()

    def drop_newcomer(self) -> tuple[str, int]:
        """Write one more; return its order, and when it was closed, ns of CLOCK_MONOTONIC."""
        (order,) = load.orders(_FIRST_NEWCOMER + self._newcomers, 1)
        self._newcomers += 1
        self._waiting.add(order)
        return order, load.paced(self.place.drop, [order], 1, _SIZE)[order]

    def verify(self, arrived: Arrivals) -> None:
        """Raise VoidError unless what arrived lies in the done folder, and all the rest still waits."""
        self._waiting -= arrived.at.keys()
        load.verify_filed(self.place.done, arrived.at, _SIZE)
        if load.filed(self.place.done) != len(arrived.at):
            raise load.VoidError("documents were filed that never arrived")
        if load.filed(self.place.drop) != len(self._waiting):
            raise load.VoidError("not all that did not arrive still waits in the drop folder")


def measure(bench: Bench) -> Result:
    """Measure every size in turn, each as often as there are rounds; the hugest once."""
    plan = _QUICK if bench.quick else _Plan()
    runs: dict[int, list[_Run]] = {}
    void: list[str] = []
    with Sink() as sink:
        backlogs = [_made(bench, sink, count) for count in (plan.few, plan.some, plan.many)]
        for _ in range(bench.rounds):
            for backlog in backlogs:
                runs.setdefault(backlog.count, []).append(_joined(backlog, sink, plan))
                bench.say(_told(backlog.count, runs[backlog.count][-1]))
        if plan.huge:
            try:
                runs[plan.huge] = [_run(_made(bench, sink, plan.huge), sink, plan)]
                bench.say(_told(plan.huge, runs[plan.huge][-1]))
            except load.VoidError as error:  # the targets stand without it
                void.append(f"{plan.huge:,} waiting: {error}")
    return Result(_rows(runs, plan), [_table(runs)], _curves(runs), void)


def _made(bench: Bench, sink: Sink, count: int) -> _Backlog:
    return _Backlog(Place(bench.folder / f"backlog-{count}", sink.base_url, 4), count)


def _joined(backlog: _Backlog, sink: Sink, plan: _Plan) -> _Run:
    """Run as often as it takes to deliver enough, ten times at most; the rates are those of the whole."""
    runs = [_run(backlog, sink, plan) for _ in range(max(1, min(10, plan.delivered // backlog.count)))]
    return replace(_typical(runs), rate=statistics.harmonic_mean([run.rate for run in runs]))


def _run(backlog: _Backlog, sink: Sink, plan: _Plan) -> _Run:
    """Start the daemon on a full backlog, and end it when enough has arrived."""
    backlog.fill()
    arrivals, wanted = Arrivals(sink), min(backlog.count, plan.delivered)
    with daemon(backlog.place) as service:
        ready = service.await_ready()
        arrivals.look()
        before, spent = len(arrivals.at), service.inside.seconds()
        newcomer = _newcomers(backlog, service, arrivals, plan) if backlog.count == plan.many else 0.0
        arrivals.wait_for_any(service, wanted)
        cpu = (service.inside.seconds() - spent) / max(1, len(arrivals.at) - before)
        peak = service.inside.peak()
        stop = service.stop()
    arrivals.look()
    backlog.verify(arrivals)
    moments = arrivals.moments()
    rate = (wanted - 1) / (moments[wanted - 1] - moments[0]) * 1e9
    return _Run(ready, (moments[0] - service.started) / 1e9, rate, cpu, peak, stop, newcomer)


def _newcomers(backlog: _Backlog, service: Service, arrivals: Arrivals, plan: _Plan) -> float:
    """Drop newcomers beside the backlog; return the longest that one waited, seconds."""
    time.sleep(plan.after)
    closed: dict[str, int] = {}
    while len(closed) < plan.newcomers:
        time.sleep(1.0 if closed else 0.0)
        closed.update([backlog.drop_newcomer()])
    arrivals.wait_for(service, closed)
    return max(arrivals.at[order] - at for order, at in closed.items()) / 1e9


def _rows(runs: Mapping[int, Sequence[_Run]], plan: _Plan) -> list[Row]:
    few, some, many = runs[plan.few], runs[plan.some], runs[plan.many]
    first, newcomer = (statistics.median(figures) for figures in ([r.first for r in many], [r.newcomer for r in many]))
    more = statistics.median((one.peak - other.peak) / _MB for one, other in zip(many, few, strict=True))
    ratio = statistics.median(one.rate / other.rate for one, other in zip(many, some, strict=True))
    peaks = [statistics.median(run.peak for run in taken) / _MB for taken in (many, few)]
    rates = [statistics.median(run.rate for run in taken) for taken in (many, some)]
    waiting = f"with {plan.many:,} waiting"
    return [
        Row(f"start to first upload {waiting}", first, _SOON, False, " s", f"{len(many)} starts"),
        Row(
            f"memory {waiting}, above that with {plan.few}",
            more,
            _MORE_MEMORY,
            False,
            " MB",
            f"peaks of {peaks[0]:.0f} and {peaks[1]:.0f} MB",
        ),
        Row(
            f"rate {waiting}, × that with {plan.some:,}",
            ratio,
            _SAME_RATE,
            True,
            "",
            f"{rates[0]:,.0f} against {rates[1]:,.0f} files/s",
        ),
        Row(
            f"a newcomer {waiting}, close → request", newcomer, _NEWCOMER_WITHIN, False, " s", "the slowest of each run"
        ),
    ]


def _told(count: int, run: _Run) -> str:
    return f"backlog: {count:,} waiting, first upload after {run.first:.2f} s, then {run.rate:,.0f} files/s"


def _table(runs: Mapping[int, Sequence[_Run]]) -> Table:
    columns = ["waiting", "READY s", "first upload s", "files/s", "CPU ms/file", "peak MB", "newcomer s", "stop s"]
    return Table("Backlogs of documents of 1 kB", columns, [_line(count, taken) for count, taken in runs.items()])


def _line(count: int, taken: Sequence[_Run]) -> list[str]:
    run = _typical(taken)
    return [
        f"{count:,}",
        f"{run.ready:.2f}",
        f"{run.first:.2f}",
        f"{run.rate:,.0f}",
        f"{run.cpu * 1000:.2f}",
        f"{run.peak / _MB:.0f}",
        f"{run.newcomer:.2f}" if run.newcomer else "–",
        f"{run.stop:.2f}",
    ]


def _typical(taken: Sequence[_Run]) -> _Run:
    """Return the median of each figure."""
    return _Run(**{field.name: statistics.median(getattr(run, field.name) for run in taken) for field in fields(_Run)})


def _curves(runs: Mapping[int, Sequence[_Run]]) -> list[Curve]:
    typical = {count: _typical(taken) for count, taken in sorted(runs.items())}

    def curve(name: str, title: str, y: str, figure: Callable[[_Run], float]) -> Curve:
        points = [(float(count), figure(run)) for count, run in typical.items()]
        return Curve(f"backlog-{name}", title, "files waiting at the start", y, {"invoice-watcher": points}, True)

    return [
        curve("first", "First upload against the backlog", "seconds from the start", lambda run: run.first),
        curve("rate", "Rate against the backlog", "files a second", lambda run: run.rate),
        curve("memory", "Memory against the backlog", "peak memory, MB", lambda run: run.peak / _MB),
        curve("cost", "Cost against the backlog", "CPU ms a file", lambda run: run.cpu * 1000),
    ]
