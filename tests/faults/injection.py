"""Faults at a chosen system call of a running program, by strace: killed there, or told an error.

strace counts each system call of each thread for itself. So the program is started undisturbed, has one worker, and
only calls that the worker alone makes are counted.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What changes a folder or a file; between two of these a kill leaves what it leaves at the second.
FILE_CALLS = ("openat", "fchmod", "pwrite64", "ftruncate", "fsync", "renameat2", "renameat", "linkat", "unlinkat")
NETWORK_CALLS = ("socket", "connect", "sendto", "recvfrom")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@contextmanager
def injected(pid: int, call: str, fault: str, number: int, trace: Path) -> Iterator[None]:
    """Let the `number`-th such call of a thread meet a fault, once, for the length of a block.

    Args:
        pid: the program.
        call: the name of a system call.
        fault: `signal=KILL` or `error=EIO`, as strace(1) has it.
        number: from 1.
        trace: where to write what was called.
    """
    rule = f"inject={call}:{fault}:when={number}"
    command = ["strace", "-f", "-o", str(trace), "-e", f"trace={call}", "-e", rule, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            line = strace.stderr.readline()
            assert "attached" in line, line
            yield
        finally:
            _detach(strace)


def _detach(strace: subprocess.Popen[str]) -> None:
    """End strace; 6.1 may wait for ever for a thread that died with its process."""
    strace.terminate()
    try:
        strace.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        strace.kill()
        strace.communicate()


def was_hit(trace: Path) -> bool:
    """Tell whether the fault was met."""
    text = trace.read_text(errors="replace")
    return "(INJECTED)" in text or "killed by SIGKILL" in text
