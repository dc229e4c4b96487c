"""`demo`: the whole thing with nothing configured, and nothing of it left behind, however it ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.program import EXECUTED, run, until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.program import Program


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the demo is to put its temporary folder."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def _children(demo: Program) -> list[Path]:
    """Return the demo's own processes, as their folders in /proc, once there are both."""
    table = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
    until(lambda: len(table.read_text().split()) == 2, "two processes")
    return [Path(f"/proc/{pid}") for pid in table.read_text().split()]


@pytest.mark.slow  # it is made to be watched
def test_it_shows_the_whole_thing(scratch: Path) -> None:
    """`demo` ends within half a minute, with status 0 and a verdict, and leaves nothing behind."""
    began = time.monotonic()
    finished = run("demo", env={"TMPDIR": str(scratch)})
    assert time.monotonic() - began < 30
    assert finished.status == 0, finished.out
    assert "nothing lost, each accepted once" in finished.out
    assert finished.err == ""
    assert os.listdir(scratch) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(scratch: Path, start: Start, number: signal.Signals) -> None:
    """Ctrl-C, a kill, a closed terminal: its two processes and its folder are gone, and the status tells the signal."""
    demo = start("demo", TMPDIR=str(scratch))
    demo.prints("Accounting software exports")
    children = _children(demo)
    assert demo.stop(number) == 128 + number
    assert [child for child in children if child.exists()] == []
    assert os.listdir(scratch) == []
    assert demo.err == ""


def test_signals_that_come_together(scratch: Path, start: Start) -> None:
    """A terminal that is closed while the demo is stopped: one of the two signals ends it, and neither is spoken of."""
    demo = start("demo", TMPDIR=str(scratch))
    demo.prints("Accounting software exports")
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGHUP, signal.SIGCONT):  # both are there when it goes on
        demo.send(number)
    assert demo.wait() == 128 + signal.SIGHUP
    assert demo.err == ""


def test_nohup_is_respected(scratch: Path, start: Start) -> None:
    """Under nohup(1) the end of the terminal is not the end of the demo."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        demo = start("demo", within=EXECUTED, TMPDIR=str(scratch))
    finally:
        signal.signal(signal.SIGHUP, before)
    demo.prints("Accounting software exports")
    demo.send(signal.SIGHUP)
    assert demo.stop(signal.SIGTERM) == 128 + signal.SIGTERM
