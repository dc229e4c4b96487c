"""Part `held`: an API that takes its time. With a latency of L and K uploads at once nobody can be faster than K/L.

At 50 ms the daemon has 8 and 32 workers, beside the ceilings with as many threads. For the curve it meets latencies
from 0 to 2 s with 1 to 64 workers, once each, in bursts that take some seconds. The daemon does the whole job, the
ceilings upload only. Raises nothing: what is void is in the result.
"""

# ruff: noqa: RUF001 - a table is typeset with the dash

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.ceilings import CEILINGS, Stock, stocked
from tests.benchmarks.load import VoidError
from tests.benchmarks.measure import await_ready, burst, interleaved, median
from tests.benchmarks.part import Bench, Curve, Result, Row, Table
from tests.benchmarks.peers import DAEMON, Place, running
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LATENCY = 0.05
_BOUNDS = {8: 0.95, 32: 0.90}
_LATENCIES = (0.0, 0.01, 0.05, 0.2, 1.0, 2.0)
_WORKERS = (1, 4, 8, 32, 64)
# What one point takes, in seconds, if all goes as fast as it can; and what nothing here exceeds, in files a second.
_POINT = 3.0
_FASTEST = 700.0


def measure(bench: Bench) -> Result:
    """Measure the daemon and the ceilings against the ideal, and the daemon over the whole grid."""
    rates: dict[int, Mapping[str, Sequence[float]]] = {}
    void: list[str] = []
    for workers in list(_BOUNDS)[: 1 if bench.quick else None]:
        rates[workers], never = _beside(bench, workers)
        void += [f"{workers} workers, {sentence}" for sentence in never]
    points, never = _grid(bench)
    own = {workers: figures[DAEMON.title] for workers, figures in rates.items() if DAEMON.title in figures}
    return Result(
        [_row(workers, turns) for workers, turns in own.items()],
        [_table(rates), _grid_table(points)],
        [_curve(points)],
        [*void, *never],
    )


def _beside(bench: Bench, workers: int) -> tuple[dict[str, list[float]], list[str]]:
    """Return the rates of the daemon and the ceilings with so many workers or threads."""
    names = load.orders(0, workers * (5 if bench.quick else int(_POINT / _LATENCY)))
    stock = stocked(bench.folder / f"held-stock-{workers}", names)
    with Sink(_LATENCY) as sink:
        turns: dict[str, Callable[[int], float]] = {
            DAEMON.title: lambda number: _rate(bench, f"held-{workers}-{number}", sink, workers, names),
            **{title: _uploads(upload, stock, sink, workers) for title, upload in CEILINGS.items()},
        }
        return interleaved(bench, turns, lambda rate: f"{workers} at once: {rate:,.1f} files/s")


def _uploads(
    upload: Callable[[Stock, Sink, int], float], stock: Stock, sink: Sink, threads: int
) -> Callable[[int], float]:
    return lambda _: upload(stock, sink, threads)


def _rate(bench: Bench, name: str, sink: Sink, workers: int, names: Sequence[str]) -> float:
    """Return the daemon's files a second, from the first close to the last document filed."""
    place = Place(bench.folder / name, sink.base_url, workers)
    with running(DAEMON, place) as started:
        await_ready(started, place, sink)
        return burst(started, place, sink, names).rate


def _grid(bench: Bench) -> tuple[dict[float, list[tuple[float, float]]], list[str]]:
    """Return for each latency the files a second by workers, and what is void."""
    points: dict[float, list[tuple[float, float]]] = {}
    void = []
    for latency in _LATENCIES[1:2] if bench.quick else _LATENCIES:
        with Sink(latency) as sink:
            for workers in _WORKERS[2:3] if bench.quick else _WORKERS:
                names = load.orders(0, 20 if bench.quick else _count(latency, workers))
                name = f"grid-{latency * 1000:g}-{workers}"
                try:
                    rate = _rate(bench, name, sink, workers, names)
                except VoidError as error:
                    void.append(f"{name}: {error}")
                    continue
                points.setdefault(latency, []).append((workers, rate))
                bench.say(f"  {DAEMON.title}, {latency * 1000:g} ms, {workers} workers: {rate:,.1f} files/s")
    return points, void


def _count(latency: float, workers: int) -> int:
    """Return how many files one point takes: as many whole rounds of all workers as fit, and two at least."""
    rate = min(workers / latency, _FASTEST) if latency else _FASTEST
    return workers * max(2, round(_POINT * rate / workers))


def _row(workers: int, rates: Sequence[float]) -> Row:
    ideal = workers / _LATENCY
    rate = median(rates, float)
    measured = f"{rate:,.0f} of {ideal:,.0f} files/s"
    return Row(
        f"API latency 50 ms, {workers} workers, of the ideal", rate / ideal, _BOUNDS[workers], True, "", measured
    )


def _table(rates: Mapping[int, Mapping[str, Sequence[float]]]) -> Table:
    columns = ["files/s at 50 ms", *(f"{workers} at once (ideal {workers / _LATENCY:,.0f})" for workers in rates)]
    lines = [
        [title, *(_cell(figures.get(title, []), workers) for workers, figures in rates.items())]
        for title in (DAEMON.title, *CEILINGS)
    ]
    return Table(
        "An API that takes 50 ms; the last two upload only: no watching, no moving, nothing recorded", columns, lines
    )


def _cell(rates: Sequence[float], workers: int) -> str:
    if not rates:
        return "void"
    rate = median(rates, float)
    return f"{rate:,.0f} ({rate * _LATENCY / workers:.0%})"


def _grid_table(points: Mapping[float, Sequence[tuple[float, float]]]) -> Table:
    columns = ["API latency", *(f"{workers} worker{'s'[: workers > 1]}" for workers in _WORKERS)]
    lines = []
    for latency, rates in points.items():
        known = dict(rates)
        cells = (f"{known[workers]:,.1f}" if workers in known else "–" for workers in _WORKERS)
        lines.append([f"{latency * 1000:,g} ms", *cells])
    return Table(f"{DAEMON.title}: files/s against API latency and workers", columns, lines)


def _curve(points: Mapping[float, Sequence[tuple[float, float]]]) -> Curve:
    lines = {f"API latency {latency * 1000:,g} ms": rates for latency, rates in points.items()}
    title = "Throughput against API latency and workers"
    return Curve("throughput", title, "workers", "files a second", lines, logarithmic=True)
