"""Part `burst`: the whole job side by side: watch, upload, move away; the daemon with 4 workers, and what people write.

Everybody gets the same: 200 documents at 20 a second, which gives the latencies, then 2,000 as fast as one thread can
write them. The daemon has no quiet time, as the others have none; further turns of it, at the steady pace only, have
the default one. `duel` compares the rates of the daemon and the naive script more closely. A peer that cannot be had
here, or does not do its work right, is named in the table with why. Raises nothing: what is void is in the result.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.config import Settle
from tests.benchmarks import load
from tests.benchmarks.load import SIZE, VoidError
from tests.benchmarks.measure import (
    Figures,
    Pace,
    Plan,
    await_ready,
    interleaved,
    median,
    paced,
    percentile,
    ratio,
    turn,
)
from tests.benchmarks.part import Bench, Curve, Result, Row, Table
from tests.benchmarks.peers import CURL, DAEMON, NAIVE, PEERS, Peer, Place, running
from tests.benchmarks.sink import Sink, ceiling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Turns = Mapping[str, Sequence[Figures]]

# A sender that takes more of the sink than this is measured together with it.
_FREE = 0.5
_QUIET = Settle().quiet * 1000
_WITH_QUIET = f"{DAEMON.title}, settle.quiet {_QUIET / 1000:g}s"
# Targets hang on these; the others are company, and void figures of theirs are no fault of the run.
_NEEDED = (DAEMON, NAIVE, CURL)
_TITLES_NEEDED = tuple(f"{peer.title}: " for peer in _NEEDED)
_COLUMNS = (
    "peer",
    "files/s",
    "× naive",
    "CPU ms/file",
    "close → request ms, p50 / p99",
    "close → done ms, p50 / p99",
    "RSS MB, idle / peak",
)
_NO_FIGURES = ["–"] * (len(_COLUMNS) - 1)


def measure(bench: Bench) -> Result:
    """Measure the daemon and all peers that can be had on this machine."""
    plan = Plan(100, 20) if bench.quick else Plan(2_000, 200)
    peers = _NEEDED if bench.quick else PEERS
    absent = _absent(peers)
    with Sink() as sink:
        most = ceiling(sink, SIZE)
        turns = {peer.title: _turn(peer, bench, sink, plan) for peer in peers if peer not in absent}
        figures, failed = interleaved(bench, turns, _said)
        quiet, never = interleaved(bench, {_WITH_QUIET: _quiet_turn(bench, sink, plan)}, _said_pace)
    _warn_of_sink(bench, figures, most)
    paces = quiet.get(_WITH_QUIET, [])
    missing = [*(f"{peer.title}: {why}" for peer, why in absent.items()), *failed]
    lines = [*_lines(figures), *_quiet_lines(paces), *([sentence, *_NO_FIGURES] for sentence in missing)]
    return Result(
        [*_rate_rows(figures), *_latency_rows(figures), *_quiet_rows(paces)],
        [Table(_title(plan, most), _COLUMNS, lines)],
        _curves(figures),
        [*(sentence for sentence in missing if sentence.startswith(_TITLES_NEEDED)), *never],
    )


def _absent(peers: Sequence[Peer]) -> dict[Peer, str]:
    """Return those that cannot run here, and why."""
    absent = {}
    for peer in peers:
        try:
            peer.require()
        except VoidError as error:
            absent[peer] = str(error)
    return absent


def _turn(peer: Peer, bench: Bench, sink: Sink, plan: Plan) -> Callable[[int], Figures]:
    return lambda number: turn(peer, Place(bench.folder / f"{peer.name}-{number}", sink.base_url), sink, plan)


def _quiet_turn(bench: Bench, sink: Sink, plan: Plan) -> Callable[[int], Pace]:
    def take(number: int) -> Pace:
        place = Place(bench.folder / f"quiet-{number}", sink.base_url, settings={"settle": {}})
        with running(DAEMON, place) as started:
            await_ready(started, place, sink)
            return paced(started, place, sink, load.orders(0, plan.paced), plan.rate)

    return take


def _said(figures: Figures) -> str:
    burst = figures.burst
    return f"{burst.rate:,.0f} files/s, {burst.cpu_ms:.2f} CPU ms/file, {_said_pace(figures.pace)}"


def _said_pace(pace: Pace) -> str:
    return f"close → request {_cell([pace.request])} ms, close → done {_cell([pace.done])} ms"


def _warn_of_sink(bench: Bench, figures: Turns, most: float) -> None:
    fastest = max((one.burst.rate for turns in figures.values() for one in turns), default=0.0)
    if fastest > most * _FREE:
        bench.say(f"The sink is too near: {fastest:,.0f} files/s reached {fastest / most:.0%} of what it can take.")


def _rate_rows(figures: Turns) -> list[Row]:
    own, curl = (figures.get(peer.title, []) for peer in (DAEMON, CURL))
    if not (own and curl):
        return []
    rates = f"{median(own, _rate):,.0f} against {median(curl, _rate):,.0f} files/s"
    what = f"burst, 4 workers, against {CURL.title}"
    return [Row(what, ratio(own, curl, _rate), 6.0, True, " ×", rates)]


def _latency_rows(figures: Turns) -> list[Row]:
    paces = [one.pace for one in figures.get(DAEMON.title, [])]
    return _pace_rows("close → request, 20 files/s", paces, 0.0, (5.0, 20.0))


def _quiet_rows(paces: Sequence[Pace]) -> list[Row]:
    return _pace_rows(f"the same, settle.quiet {_QUIET / 1000:g}s", paces, _QUIET, (20.0, 20.0))


def _pace_rows(what: str, paces: Sequence[Pace], quiet: float, bounds: tuple[float, float]) -> list[Row]:
    if not paces:
        return []
    both = f"p50 / p99 {_cell([pace.request for pace in paces])} ms"
    return [
        Row(f"{what}: p{cut}", _median_of(cut, [pace.request for pace in paces]), quiet + bound, False, " ms", both)
        for cut, bound in zip((50, 99), bounds, strict=True)
    ]


def _title(plan: Plan, most: float) -> str:
    return (
        f"The whole job: {plan.files:,} files of {SIZE // 1000} kB in a burst, and {plan.paced} at {plan.rate:g} a "
        f"second (the sink could take {most:,.0f} requests a second)"
    )


def _lines(figures: Turns) -> list[list[str]]:
    naive = figures.get(NAIVE.title, [])
    return [
        [
            title,
            f"{median(turns, _rate):,.0f}",
            f"{ratio(turns, naive, _rate):.2f}" if naive else "–",
            f"{median(turns, _cpu):.2f}",
            _cell([one.pace.request for one in turns]),
            _cell([one.pace.done for one in turns]),
            f"{median(turns, lambda one: one.idle_mb):.0f} / {median(turns, lambda one: one.peak_mb):.0f}",
        ]
        for title, turns in figures.items()
    ]


def _quiet_lines(paces: Sequence[Pace]) -> list[list[str]]:
    if not paces:
        return []
    latencies = _cell([pace.request for pace in paces]), _cell([pace.done for pace in paces])
    return [[_WITH_QUIET, "–", "–", "–", *latencies, "–"]]


def _curves(figures: Turns) -> list[Curve]:
    """Return how many of the documents were that far after so many ms; of the first round."""
    return [
        Curve(f"latency-{name}", f"From close to {title}", "ms", "% of the documents", lines, logarithmic=True)
        for name, title, lines in (
            ("request", "the request", {peer: _share(turns[0].pace.request) for peer, turns in figures.items()}),
            ("done", "done/", {peer: _share(turns[0].pace.done) for peer, turns in figures.items()}),
        )
    ]


def _share(values: Sequence[float]) -> list[tuple[float, float]]:
    cuts = [(percentile(values, cut), float(cut)) for cut in range(1, 100)]
    return [(min(values), 0.0), *cuts, (max(values), 100.0)]


def _rate(figures: Figures) -> float:
    return figures.burst.rate


def _cpu(figures: Figures) -> float:
    return figures.burst.cpu_ms


def _median_of(cut: int, rounds: Sequence[Sequence[float]]) -> float:
    return median(rounds, lambda values: percentile(values, cut))


def _cell(rounds: Sequence[Sequence[float]]) -> str:
    return f"{_median_of(50, rounds):,.1f} / {_median_of(99, rounds):,.1f}"
