"""Part `large`: documents of 9 MB with 4 workers, beside what uploads only.

The documents lie on the disk, written back, before anybody's turn begins. The daemon gets them moved into its folder
and does the whole job; the ceilings upload them with 4 threads. Raises nothing: what is void is in the result.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.ceilings import CEILINGS, Stock, stocked
from tests.benchmarks.measure import await_ready, dropped, interleaved, median, ratio
from tests.benchmarks.part import Bench, Result, Row, Table
from tests.benchmarks.peers import DAEMON, Place, running
from tests.benchmarks.sink import Sink, ceiling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SIZE = 9_000_000
_WORKERS = 4
_BARE = "bare requests loop"
_BOUND = 0.7


def measure(bench: Bench) -> Result:
    """Measure the daemon and the ceilings in turns."""
    names = load.orders(0, 8 if bench.quick else 100)
    with Sink() as sink:
        most = ceiling(sink, _SIZE)
        stock = stocked(bench.folder / "large-stock", names, _SIZE)
        turns: dict[str, Callable[[int], float]] = {
            DAEMON.title: lambda number: _rate(bench.folder / f"large-{number}", sink, names),
            **{title: _uploads(upload, stock, sink) for title, upload in CEILINGS.items()},
        }
        rates, void = interleaved(bench, turns, lambda rate: f"{rate:,.0f} files/s")
    return Result(_rows(rates), [_table(rates, len(names), most)], void=void)


def _uploads(upload: Callable[[Stock, Sink, int], float], stock: Stock, sink: Sink) -> Callable[[int], float]:
    def take(_: int) -> float:
        os.sync()
        return upload(stock, sink, _WORKERS)

    return take


def _rate(root: Path, sink: Sink, names: Sequence[str]) -> float:
    """Return the daemon's files a second, from the first move into its folder to the last document filed."""
    place = Place(root, sink.base_url, _WORKERS)
    staged = stocked(root / "staged", names, _SIZE)
    with running(DAEMON, place) as started:
        await_ready(started, place, sink)
        os.sync()
        gave = dropped(started, place, sink, names, lambda: load.moved(place.drop, names, staged.folder), size=_SIZE)
        return gave.rate


def _rows(rates: Mapping[str, Sequence[float]]) -> list[Row]:
    own, bare = (rates.get(title, []) for title in (DAEMON.title, _BARE))
    if not own or not bare:
        return []
    measured = f"{median(own, float):,.0f} against {median(bare, float):,.0f} files/s"
    return [Row(f"9 MB documents, 4 workers, against a {_BARE}", ratio(own, bare, float), _BOUND, True, " ×", measured)]


def _table(rates: Mapping[str, Sequence[float]], count: int, most: float) -> Table:
    bare = rates.get(_BARE, [])
    lines = [
        [title, f"{median(turns, float):,.0f}", f"{ratio(turns, bare, float):.2f}" if bare else "–"]
        for title, turns in rates.items()
    ]
    title = (
        f"{count} documents of 9 MB, 4 at once; all but the daemon upload only: no watching, no moving, nothing "
        f"recorded (the sink could take {most:,.0f} requests a second)"
    )
    return Table(title, ("", "files/s", f"× {_BARE}"), lines)
