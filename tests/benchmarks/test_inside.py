"""What the kernel tells of a process, held against what a process does that is told to do it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.inside import MIB, Inside
from tests.benchmarks.load import VoidError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBEYS = "import sys\nfor line in sys.stdin:\n    exec(line)\n    print(flush=True)\n"


class _Obedient:
    """A process that does what it is told, line by line."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _OBEYS]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.inside = Inside(self.process.pid)
        self.told("import threading, time, os")

    def told(self, line: str) -> None:
        """Have it do one line, and wait until that is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "\n"


@pytest.fixture
def obedient() -> Iterator[_Obedient]:
    """Start it, and end it."""
    one = _Obedient()
    with one.process:
        yield one
        one.process.kill()


def test_the_peak_of_memory_stays_when_the_memory_is_given_back(obedient: _Obedient) -> None:
    """What a maintainer reads as the peak is the most that was ever used, and at rest is what is used now."""
    before = obedient.inside.resident()
    obedient.told("a = bytearray(os.urandom(16)) * (2 * 1024 * 1024)")
    held = obedient.inside.resident()
    obedient.told("del a")
    assert held - before > 30 * MIB
    assert obedient.inside.resident() < held - 30 * MIB
    assert obedient.inside.peak() > held - MIB


def test_processor_time_counts_threads_that_ended(obedient: _Obedient) -> None:
    """Work is counted whichever thread did it, and a wait is not."""
    before = obedient.inside.seconds()
    work = "t = threading.Thread(target=sum, args=(range(3_000_000),)); t.start(); t.join()"
    obedient.told(work)
    spent = obedient.inside.seconds() - before
    obedient.told("time.sleep(0.3)")
    assert spent > 0.01
    assert obedient.inside.seconds() - before - spent < 0.1


def test_each_wake_up_of_any_thread_is_counted(obedient: _Obedient) -> None:
    """A process that sleeps twenty times has woken up twenty times, and once or twice to be told so."""
    before = obedient.inside.wake_ups()
    obedient.told("[time.sleep(0.001) for _ in range(20)]")
    assert 20 <= obedient.inside.wake_ups() - before <= 24
    obedient.told("t = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start()")
    assert obedient.inside.wake_ups() > before


def test_a_process_that_is_gone_has_no_figures() -> None:
    """A figure of a program that has died is void, and never 0."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    inside = Inside(process.pid)
    with pytest.raises(VoidError, match="it has ended"):
        inside.resident()
    with pytest.raises(VoidError, match="it has ended"):
        inside.seconds()
    assert os.getpid() != process.pid
