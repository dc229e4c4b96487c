"""What a run gave, for people: the targets and the tables, as Markdown for a file and by rich for a terminal.

The cells are the same in both. A target without a figure is not in the table of targets; what is void is listed
beneath it, with why. Pure but for `write`; raises OSError when the folder cannot be written: whoever chose it.
"""

# ruff: noqa: RUF001 - a table is typeset with signs of its own

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table as Drawn

from tests.benchmarks.part import Result, Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE = "report.md"
_COLUMNS = ("what", "target", "reached", "measured", "met?")


def joined(results: Mapping[str, Result]) -> Result:
    """Return what all parts gave together; a void figure is told with its part's name."""
    every = results.values()
    return Result(
        [row for result in every for row in result.rows],
        [table for result in every for table in result.tables],
        [curve for result in every for curve in result.curves],
        [f"{name}: {sentence}" for name, result in results.items() for sentence in result.void],
    )


def targets(rows: Sequence[Row]) -> Table:
    """Return the table of targets."""
    return Table("Targets", _COLUMNS, [_target(row) for row in rows])


def drawn(table: Table) -> Drawn:
    """Return a table for a terminal."""
    drawing = Drawn(title=escape(table.title), title_justify="left", box=box.ROUNDED)
    for column, justify in zip(table.columns, _alignment(table), strict=True):
        drawing.add_column(escape(column), justify="right" if justify == "---:" else "left")
    for line in table.lines:
        drawing.add_row(*map(escape, line))
    return drawing


def write(folder: Path, about: str, result: Result) -> None:
    """Write the report: what was measured with what, the targets, what is void, the tables, the plots."""
    sections = ["# Benchmark", about, _section(targets(result.rows))]
    if result.void:
        sections.append("## Void\n\n" + "\n".join(f"- {sentence}" for sentence in result.void))
    sections += map(_section, result.tables)
    sections += (f"![{curve.title}]({curve.name}.svg)" for curve in result.curves)
    (folder / FILE).write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _section(table: Table) -> str:
    lines = [table.columns, _alignment(table), *table.lines]
    return f"## {table.title}\n\n" + "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _alignment(table: Table) -> list[str]:
    """Return how Markdown aligns each column: to the right where no cell is a sentence."""
    return ["---:" if number and _is_figures(table, number) else "---" for number in range(len(table.columns))]


def _is_figures(table: Table, number: int) -> bool:
    return all(line[number][:1].isdigit() or line[number] in {"–", "void"} for line in table.lines)


def _target(row: Row) -> list[str]:
    bound = f"{'≥' if row.at_least else '≤'} {_figure(row.bound)}{row.unit}"
    return [row.what, bound, f"{_figure(row.reached)}{row.unit}", row.measured, "yes" if row.met else "**no**"]


def _figure(value: float) -> str:
    """Return a figure with three digits that count, or as a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
