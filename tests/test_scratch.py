"""Room for sorting: it leaves nothing behind, and says so when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.integration.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_FILL = """
import os
from invoice_watcher.scratch import scratch
with scratch() as room:
    room.execute("CREATE TABLE lines (text)")
    room.executemany("INSERT INTO lines VALUES (?)", ((str(number) * 200,) for number in range(30_000)))
    if {die}:
        os.kill(os.getpid(), 9)
    print(room.execute("SELECT count(*) FROM lines").fetchone()[0])
"""


def _fill(folder: Path, *, die: bool = False) -> subprocess.CompletedProcess[str]:
    """Fill one with more than it holds in memory, in a process of its own."""
    script = _FILL.format(die=die)
    env = {**os.environ, "SQLITE_TMPDIR": str(folder)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """No temporary file is left, neither after the work nor when the program is killed in the middle of it."""
    assert _fill(tmp_path).stdout == "30000\n"
    assert os.listdir(tmp_path) == []
    assert _fill(tmp_path, die=True).returncode == -9
    assert os.listdir(tmp_path) == []
