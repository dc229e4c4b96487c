"""The report and the plots."""

# ruff: noqa: RUF001 - a table is typeset with the multiplication sign

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import plots, report
from tests.benchmarks.part import Curve, Result, Row, Table

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missed_target_is_seen_at_once() -> None:
    """Who reads the table sees which targets were missed, and by how much."""
    rows = [
        Row("rate", 1.534, 1.0, at_least=True, unit=" ×", measured="812 against 529 files/s"),
        Row("latency", 1_033.4, 1_020.0, at_least=False, unit=" ms", measured="p50"),
        Row("share", 0.949, 0.95, at_least=True, unit="", measured="152 of 160 files/s"),
    ]
    assert report.targets(rows).lines == [
        ["rate", "≥ 1 ×", "1.53 ×", "812 against 529 files/s", "yes"],
        ["latency", "≤ 1,020 ms", "1,033 ms", "p50", "**no**"],
        ["share", "≥ 0.95", "0.949", "152 of 160 files/s", "**no**"],
    ]


def test_the_report_tells_what_could_not_be_measured(tmp_path: Path) -> None:
    """A figure that is missing is named, with the part it belongs to and why it is missing."""
    part = Result(tables=[Table("Sizes", ("what", "MB"), [["a|b", "1.5"]])], void=["curl -Z: curl not installed"])
    report.write(tmp_path, "two cores", report.joined({"large": part}))
    text = (tmp_path / report.FILE).read_text()
    assert "\n- large: curl -Z: curl not installed\n" in text
    assert "## Sizes\n\n| what | MB |\n| --- | ---: |\n| a\\|b | 1.5 |\n" in text


@pytest.mark.filterwarnings("default")  # what matplotlib's own imports warn of is not ours
def test_curves_are_drawn_as_text_that_can_be_searched_and_compared(tmp_path: Path) -> None:
    """A plot is a small file that is the same for the same figures."""
    pytest.importorskip("matplotlib")
    rates = {"50 ms": [(1, 20.0), (64, 1_200.0)], "2 s": [(1, 0.5), (64, 32.0)]}
    curve = Curve("rates", "Throughput", "workers", "files a second", rates, logarithmic=True)
    (file,) = plots.draw(tmp_path, [curve])
    drawn = file.read_bytes()
    assert all(f">{text}</text>".encode() in drawn for text in ("Throughput", "workers", "files a second", "2 s"))
    assert len(drawn) < 50_000
    assert plots.draw(tmp_path, [curve]) == [file]
    assert file.read_bytes() == drawn
