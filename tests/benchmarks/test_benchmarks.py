"""Smoke test of the benchmark itself, with the one peer that needs nothing but this checkout; about 10 s."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_run_measures_the_naive_script_and_writes_the_table(tmp_path: Path) -> None:
    """A maintainer sees within seconds that the benchmark works; it leaves nothing but the table behind."""
    markdown, folder = tmp_path / "table.md", tmp_path / "work"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--peer", "naive"]
    run = subprocess.run(
        [*command, "--folder", str(folder), "--markdown", str(markdown)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "sink ceiling: " in run.stdout
    header, _, row, *_ = markdown.read_text().splitlines()
    assert header.startswith("| peer | burst files/s | × naive |")  # noqa: RUF001 - the table's own sign
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[0] == "naive watchdog + requests script"
    assert float(cells[1].replace(",", "")) > 0
    assert cells[2] == cells[4] == "1.00"
    assert list(folder.iterdir()) == []
