"""From the start of the process to READY=1, beside bare processes that load the same modules, or none.

Each is heard at the same notification socket. The modules are those that the daemon has loaded when it says READY
(`imports`); all files are in the page cache, and all modules compiled.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from tests.benchmarks.imports import bare, loaded
from tests.benchmarks.part import Result, Row, Table
from tests.benchmarks.peers import Place
from tests.benchmarks.service import daemon

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.benchmarks.part import Bench
    from tests.benchmarks.service import Service

_TURNS = 5  # in each round, for a start is short
_OVER_IMPORTS = 1.5
_LONGEST = 0.6  # seconds
_NOWHERE = "http://127.0.0.1:9/web-api"  # nothing is sent


def measure(bench: Bench) -> Result:
    """Start each of them in turn."""
    lists = loaded(bench.folder)
    place = Place(bench.folder / "daemon", _NOWHERE, 4)
    times: dict[str, list[float]] = {"invoice-watcher": [], "the same imports": [], "the interpreter": []}
    for _ in range(1 if bench.quick else bench.rounds * _TURNS):
        times["invoice-watcher"].append(_started(daemon(place)))
        times["the same imports"].append(_started(bare(lists.when_ready)))
        times["the interpreter"].append(_started(bare(lists.nothing)))
    typical = {name: statistics.median(taken) for name, taken in times.items()}
    bench.say("start: " + ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in typical.items()))
    ours, theirs = times["invoice-watcher"], times["the same imports"]
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    both = f"{typical['invoice-watcher'] * 1000:.0f} against {typical['the same imports'] * 1000:.0f} ms"
    lines = [[name, f"{seconds * 1000:.0f}", f"{min(times[name]) * 1000:.0f}"] for name, seconds in typical.items()]
    return Result(
        rows=[
            Row("start to READY, × the same imports", ratio, _OVER_IMPORTS, False, "", both),
            Row("start to READY", typical["invoice-watcher"], _LONGEST, False, " s", f"{len(ours)} starts"),
        ],
        tables=[Table("From start to READY", ["", "ms, median", "ms, fastest"], lines)],
    )


def _started(contender: AbstractContextManager[Service]) -> float:
    with contender as service:
        return service.await_ready()
