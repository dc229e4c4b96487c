"""Memory at rest, and while all workers have large documents in their hands.

At rest, after one document, it is held against a bare process that has loaded the same modules (`imports`). The peak is
the kernel's own (VmHWM), over the whole life of a process that was given twice as many documents as it has workers, and
at least sixteen, moved in all at once, by an API that takes 200 ms to answer.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

import shutil
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import deliver
from tests.benchmarks.imports import bare, loaded
from tests.benchmarks.inside import MIB
from tests.benchmarks.part import Curve, Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.part import Bench

_SIZES = {30_000: "30 kB", 1_000_000: "1 MB", 5_000_000: "5 MB", 10 * MIB: "10 MiB"}
_SMALL_SIZES = {30_000: "30 kB", 200_000: "200 kB"}
_LATENCY = 0.2
_REST = 1.0
_FEWEST = 16
_OVER_BARE = 1.3
_A_WORKER = 3.0  # MiB


class _Turn(NamedTuple):
    """What one turn gave: bytes at rest, bytes at the peak, and how many requests waited for an answer at once."""

    rest: int
    peak: int
    at_once: int


def measure(bench: Bench) -> Result:
    """Measure a bare process, and the daemon with few and with many workers on documents of every size."""
    sizes = _SMALL_SIZES if bench.quick else _SIZES
    workers = (2,) if bench.quick else (4, 32)
    modules = loaded(bench.folder).in_the_end
    bares: list[int] = []
    turns: dict[tuple[int, int], list[_Turn]] = {(many, size): [] for many in workers for size in sizes}
    with Sink(_LATENCY) as sink:
        for number in range(bench.rounds):
            bares.append(_bare(modules))
            for (many, size), taken in turns.items():
                place = Place(bench.folder / f"{number}-{many}-{size}", sink.base_url, many)
                taken.append(_turn(place, size, sink))
                bench.say(f"memory: {many} workers, {sizes[size]}: {_mib(taken[-1].peak)} at the peak")
    rest = [turn.rest for turn in turns[workers[0], next(iter(sizes))]]
    largest = [turns[many, max(sizes)] for many in workers]
    return Result(
        rows=[_row_of_rest(rest, bares), *map(_row_of_peak, workers, largest, [sizes[max(sizes)]] * len(workers))],
        tables=[_table(turns, sizes, bares)],
        curves=[_curve(turns, workers)],
    )


def _bare(modules: Path) -> int:
    with bare(modules) as service:
        service.await_ready()
        time.sleep(_REST)
        return service.inside.resident()


def _turn(place: Place, size: int, sink: Sink) -> _Turn:
    count = max(_FEWEST, 2 * place.workers)
    with daemon(place) as service:
        service.await_ready()
        deliver(service, place, sink, load.orders(0, 1))
        time.sleep(_REST)
        rest = service.inside.resident()
        moments = deliver(service, place, sink, load.orders(1, count), size).moments()
        peak = service.inside.peak()
        service.stop()
    load.verify_filed(place.done, load.orders(1, count), size)
    shutil.rmtree(place.root)  # large ones; and so few that their going disturbs nobody
    return _Turn(rest, peak, _at_once(moments))


def _at_once(moments: Sequence[int]) -> int:
    """Return how many requests at most had begun less than the latency ago, so that none of them was answered."""
    span = _LATENCY * 1e9
    return max(sum(begun - span < other <= begun for other in moments) for begun in moments)


def _row_of_rest(rest: Sequence[int], bares: Sequence[int]) -> Row:
    ratio = statistics.median(ours / theirs for ours, theirs in zip(rest, bares, strict=True))
    both = f"{_mib(statistics.median(rest))} against {_mib(statistics.median(bares))}"
    return Row("memory at rest, × a bare process with the same imports", ratio, _OVER_BARE, False, "", both)


def _row_of_peak(workers: int, turns: Sequence[_Turn], size: str) -> Row:
    each = statistics.median((turn.peak - turn.rest) / workers for turn in turns) / MIB
    rest, peak = (statistics.median(figures) for figures in ([t.rest for t in turns], [t.peak for t in turns]))
    what = f"memory for each of {workers} workers, all on {size} documents"
    return Row(what, each, _A_WORKER, False, " MiB", f"{_mib(rest)} at rest, {_mib(peak)} at the peak")


def _table(turns: dict[tuple[int, int], list[_Turn]], sizes: dict[int, str], bares: Sequence[int]) -> Table:
    lines = [["a bare process", "–", _mib(statistics.median(bares)), "–", "–"]]
    for (workers, size), taken in turns.items():
        rest, peak, at_once = (statistics.median(figures) for figures in zip(*taken, strict=True))
        lines.append([f"{workers} workers", sizes[size], _mib(rest), _mib(peak), f"{at_once:.0f}"])
    return Table("Memory", ["", "documents", "at rest", "peak", "unanswered at once"], lines)


def _curve(turns: dict[tuple[int, int], list[_Turn]], workers: Sequence[int]) -> Curve:
    lines = {
        f"{many} workers": [
            (size / 1e6, statistics.median(turn.peak for turn in taken) / MIB)
            for (of, size), taken in turns.items()
            if of == many
        ]
        for many in workers
    }
    return Curve("memory-size", "Memory against the size of the documents", "document, MB", "peak memory, MiB", lines)


def _mib(size: float) -> str:
    return f"{size / MIB:.1f} MiB"
