"""Part `duel`: bursts of the daemon and of the naive script, in many short turns.

Two targets hang on a ratio near one, and what else runs on the same host changes any rate by a fifth from one minute to
the next. So these two take turns by themselves, three times as often as all others, each burst right after the other's;
2,000 documents each, 4 workers, no quiet time. Raises nothing: what is void is in the result.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.measure import await_ready, burst, interleaved, median, ratio
from tests.benchmarks.part import Bench, Result, Row, Table
from tests.benchmarks.peers import DAEMON, NAIVE, Peer, Place, running
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.measure import Burst

_FILES, _FEW_FILES = 2_000, 100
_TIMES_AS_OFTEN = 3
_AT_LEAST = 1.0  # times the rate of the naive script
_AT_MOST = 1.3  # times its processor time


def measure(bench: Bench) -> Result:
    """Measure both, turn by turn."""
    often = bench if bench.quick else replace(bench, rounds=_TIMES_AS_OFTEN * bench.rounds)
    with Sink() as sink:
        turns = {peer.title: _turn(peer, bench, sink) for peer in (DAEMON, NAIVE)}
        figures, void = interleaved(often, turns, _said)
    if void:
        return Result(void=void)
    own, naive = figures[DAEMON.title], figures[NAIVE.title]
    lines = [_line(title, bursts, naive) for title, bursts in figures.items()]
    title = f"Burst against burst: medians of {often.rounds} turns each"
    return Result(_rows(own, naive), [Table(title, ("", "files/s", "× naive", "CPU ms/file", "× naive"), lines)])


def _turn(peer: Peer, bench: Bench, sink: Sink) -> Callable[[int], Burst]:
    def take(number: int) -> Burst:
        place = Place(bench.folder / f"{peer.name}-{number}", sink.base_url)
        with running(peer, place) as started:
            await_ready(started, place, sink)
            return burst(started, place, sink, load.orders(0, _FEW_FILES if bench.quick else _FILES))

    return take


def _said(gave: Burst) -> str:
    return f"{gave.rate:,.0f} files/s, {gave.cpu_ms:.2f} CPU ms/file"


def _rows(own: Sequence[Burst], naive: Sequence[Burst]) -> list[Row]:
    rates = f"{median(own, _rate):,.0f} against {median(naive, _rate):,.0f} files/s"
    costs = f"{median(own, _cpu):.2f} against {median(naive, _cpu):.2f} ms"
    rate, cost = ratio(own, naive, _rate), ratio(own, naive, _cpu)
    return [
        Row(f"burst, 4 workers, against {NAIVE.title}", rate, _AT_LEAST, True, " ×", rates),
        Row(f"CPU per file, against {NAIVE.title}", cost, _AT_MOST, False, " ×", costs),
    ]


def _line(title: str, bursts: Sequence[Burst], naive: Sequence[Burst]) -> list[str]:
    return [
        title,
        f"{median(bursts, _rate):,.0f}",
        f"{ratio(bursts, naive, _rate):.2f}",
        f"{median(bursts, _cpu):.2f}",
        f"{ratio(bursts, naive, _cpu):.2f}",
    ]


def _rate(gave: Burst) -> float:
    return gave.rate


def _cpu(gave: Burst) -> float:
    return gave.cpu_ms
