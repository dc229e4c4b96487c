"""What a part of the benchmark gives back: rows for the table of targets, tables of figures, curves for the plots.

A part measures one thing, with all who are compared in it side by side and interleaved, and knows nothing of how its
figures are shown. Values only; raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One target and what was reached.

    Attributes:
        what: what is measured, in a few words.
        reached: the figure; a median where there were several.
        bound: what it is held against.
        at_least: whether the figure has to reach the bound, or to stay within it.
        unit: behind both: " ms", " MiB"; may be empty.
        measured: the absolute figures behind it, for a reader: "812 against 745 files/s".
    """

    what: str
    reached: float
    bound: float
    at_least: bool
    unit: str
    measured: str

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.reached >= self.bound if self.at_least else self.reached <= self.bound


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side: a title, the names of the columns, and lines of cells, the first of each its name."""

    title: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Curve:
    """How a figure grows: for each name its points.

    Attributes:
        name: of the file the plot is written to, without its ending.
        x: what goes to the right, with its unit.
        y: what goes up, with its unit.
        logarithmic: whether what goes to the right grows by factors.
    """

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a part gave; `void` holds a sentence for each figure that could not be had, and why."""

    rows: Sequence[Row] = ()
    tables: Sequence[Table] = ()
    curves: Sequence[Curve] = ()
    void: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part is given.

    Attributes:
        folder: a fresh one on a disk, for the part alone; removed when all parts are over.
        rounds: how often each contender has its turn.
        quick: a smoke run: everything as small as it can be, figures that mean little.
        say: tells a line of progress.
    """

    folder: Path
    rounds: int
    quick: bool = False
    say: Callable[[str], None] = field(default=print)


Part: TypeAlias = Callable[[Bench], Result]
