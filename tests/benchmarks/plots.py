"""The curves as SVG files, drawn by matplotlib, which is imported when there is something to draw.

Text stays text and nothing in a file changes but the figures, so the files are small and can be compared. Raises
ModuleNotFoundError where matplotlib is missing, which whoever installs decides, and OSError when the folder cannot be
written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.benchmarks.part import Curve

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "benchmark",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
# Okabe and Ito's colours, which those who confuse some can tell apart; their yellow is too pale on white.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9", "#8c8c8c")
# More points than this are a line, without a mark for each.
_MARKED = 20
# Figures further apart than this would lie on the floor of an even scale.
_APART = 100


def draw(folder: Path, curves: Sequence[Curve]) -> list[Path]:
    """Write each curve with at least a point to `folder`, under its name; return the files."""
    if not curves:
        return []
    import matplotlib as mpl  # noqa: PLC0415 - not needed by those who only want figures
    from matplotlib.figure import Figure  # noqa: PLC0415 - likewise

    files = []
    with mpl.rc_context(_STYLE):
        for curve in curves:
            figure = Figure(figsize=(7.2, 4.0), layout="constrained")
            _fill(figure.add_subplot(), curve)
            files.append(folder / f"{curve.name}.svg")
            figure.savefig(files[-1], metadata={"Date": None, "Creator": None})
    return files


def _fill(axes: Axes, curve: Curve) -> None:
    for number, (name, points) in enumerate(curve.lines.items()):
        mark = "o" if len(points) <= _MARKED else ""
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(*zip(*points, strict=True), label=name, color=colour, marker=mark, markersize=4, clip_on=False)
    axes.set(title=curve.title, xlabel=curve.x, ylabel=curve.y)
    _scale(axes, curve)
    if len(curve.lines) > 1:
        # Beside the lines, where it can cover none.
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _scale(axes: Axes, curve: Curve) -> None:
    """Choose the scales: upwards by factors only where figures lie far apart and none is 0."""
    from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: PLC0415 - as above

    points = [point for line in curve.lines.values() for point in line]
    plain = FuncFormatter(lambda value, _: f"{value:,.7g}")
    if curve.logarithmic and points:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        if len(places := sorted({x for x, _ in points})) <= _MARKED:
            axes.set_xticks(places)
            axes.xaxis.set_minor_locator(NullLocator())
    heights = [y for _, y in points]
    if heights and min(heights) > 0 and max(heights) > _APART * min(heights):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
