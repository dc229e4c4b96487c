"""The figures as a table: Markdown for a file, rich for a terminal, the same cells in both.

A figure is the median of a peer's rounds. A ratio is the median of the ratios within each round, so the drift
of the machine from round to round drops out of it; that makes it the quotable number. A peer with a void
round has no figures. Pure but for what rich needs; raises nothing.
"""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign and the dash

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.table import Table

from tests.benchmarks.peers import BASELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.benchmarks.measure import Figures

COLUMNS = (
    "peer",
    "burst files/s",
    "× naive",
    "CPU ms/file",
    "× naive",
    "close → request ms, p50 / p99",
    "idle / peak RSS MB",
)


def rows(results: Mapping[str, Sequence[Figures | None]], titles: Mapping[str, str]) -> list[list[str]]:
    """Return the table's cells; `results` holds each peer's rounds by name, None for a void one."""
    whole = {name: [figures for figures in turns if figures] for name, turns in results.items() if all(turns)}
    base = whole.get(BASELINE.name, [])
    return [
        [titles[name], *(_cells(whole[name], base) if name in whole else ["void"] * (len(COLUMNS) - 1))]
        for name in results
    ]


def markdown(cells: Sequence[Sequence[str]]) -> str:
    """Return the table in Markdown, its numbers flush right."""
    lines = [COLUMNS, ["---", *["---:"] * (len(COLUMNS) - 1)], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal(cells: Sequence[Sequence[str]]) -> Table:
    """Return the table for a terminal."""
    table = Table()
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number else "left")
    for line in cells:
        table.add_row(*line)
    return table


def _cells(turns: Sequence[Figures], base: Sequence[Figures]) -> list[str]:
    def median(figure: Callable[[Figures], float]) -> float:
        return statistics.median(figure(turn) for turn in turns)

    def ratio(figure: Callable[[Figures], float]) -> str:
        if not base:
            return "–"
        return f"{statistics.median(figure(a) / figure(b) for a, b in zip(turns, base, strict=True)):.2f}"

    return [
        f"{median(lambda turn: turn.rate):,.0f}",
        ratio(lambda turn: turn.rate),
        f"{median(lambda turn: turn.cpu_ms):.2f}",
        ratio(lambda turn: turn.cpu_ms),
        f"{median(lambda turn: turn.p50_ms):,.1f} / {median(lambda turn: turn.p99_ms):,.1f}",
        f"{median(lambda turn: turn.idle_mb):.0f} / {median(lambda turn: turn.peak_mb):.0f}",
    ]
