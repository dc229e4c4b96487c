"""A million files in the done folder, against an empty one: the same burst, turn by turn.

Half of them are documents, which are empty, for nobody opens them; half are their receipts, copies of a real one. They
are written once; each burst adds its own. Neither the measurement nor the wait for its end lists the folder.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

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

    from tests.benchmarks.part import Bench

_FILES, _FEW_FILES = 1_000_000, 1_000
_BURST, _SMALL_BURST = 2_000, 50
_FIRST = 10_000_000  # order of the documents that are dropped, beyond those that lie there
_REST = 1.0
_SAME_RATE = 0.9


class _Turn(NamedTuple):
    """Start to READY in seconds, documents a second, CPU seconds for each, bytes of memory at the peak."""

    ready: float
    rate: float
    cpu: float
    peak: int


def measure(bench: Bench) -> Result:
    """Measure the burst with an empty and a full done folder, in turn."""
    files, burst = (_FEW_FILES, _SMALL_BURST) if bench.quick else (_FILES, _BURST)
    empty: list[_Turn] = []
    full: list[_Turn] = []
    with Sink() as sink:
        archive = Place(bench.folder / "full", sink.base_url, 4)
        _fill(archive, sink, files)
        bench.say(f"archive: {files:,} files lie in the done folder")
        for number in range(bench.rounds):
            first = _FIRST + number * (burst + 1)
            empty.append(_turn(Place(bench.folder / f"empty-{number}", sink.base_url, 4), sink, first, burst))
            full.append(_turn(archive, sink, first, burst))
            bench.say(f"archive: {full[-1].rate:,.0f} files/s against {empty[-1].rate:,.0f} with an empty one")
    return Result([_row(empty, full, files)], [_table({"empty": empty, f"{files:,} files": full})])


def _fill(place: Place, sink: Sink, files: int) -> None:
    """Have one document delivered, and write others like it, with its receipt, into the done folder."""
    with daemon(place) as service:
        service.await_ready()
        canary = load.orders(0, 1)
        deliver(service, place, sink, canary)
        service.stop()
    receipt = (place.done / f"{canary[0]}.pdf.json").read_bytes()
    folder = os.open(place.done, os.O_RDONLY)
    for order in load.orders(1, files // 2 - 1):
        os.mknod(f"{order}.pdf", 0o640, dir_fd=folder)
        descriptor = os.open(f"{order}.pdf.json", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640, dir_fd=folder)
        os.write(descriptor, receipt)
        os.close(descriptor)
    os.close(folder)
    os.sync()


def _turn(place: Place, sink: Sink, first: int, count: int) -> _Turn:
    """Start the daemon, have it deliver one document, and then a burst."""
    names = load.orders(first + 1, count)
    with daemon(place) as service:
        ready = service.await_ready()
        deliver(service, place, sink, load.orders(first, 1))
        time.sleep(_REST)
        arrivals, spent = Arrivals(sink), service.inside.seconds()
        start = load.burst(place.drop, names)
        arrivals.wait_for_any(service, count)
        await_all_filed(service, place, names)
        time.sleep(_REST)
        cpu, peak = service.inside.seconds() - spent, service.inside.peak()
        service.stop()
    load.verify_filed(place.done, names)
    seconds = (load.last_filed(place.done, names) - start) / 1e9
    os.sync()
    return _Turn(ready, count / seconds, cpu / count, peak)


def _row(empty: Sequence[_Turn], full: Sequence[_Turn], files: int) -> Row:
    ratio = statistics.median(one.rate / other.rate for one, other in zip(full, empty, strict=True))
    rates = [statistics.median(turn.rate for turn in turns) for turns in (full, empty)]
    what = f"rate with {files:,} files in the done folder, × that with none"
    return Row(what, ratio, _SAME_RATE, True, "", f"{rates[0]:,.0f} against {rates[1]:,.0f} files/s")


def _table(turns: dict[str, list[_Turn]]) -> Table:
    lines = []
    for name, taken in turns.items():
        ready, rate, cpu, peak = (statistics.median(figures) for figures in zip(*taken, strict=True))
        lines.append([name, f"{ready:.2f}", f"{rate:,.0f}", f"{cpu * 1000:.2f}", f"{peak / 1e6:.0f}"])
    return Table("What lies in the done folder", ["", "READY s", "files/s", "CPU ms/file", "peak MB"], lines)
