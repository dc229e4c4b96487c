"""Faults at a chosen system call of a running program, by strace: killed there, or told an error.

strace counts each system call of each thread for itself. So for a fault in a delivery the program is started
undisturbed, has one worker, and only calls that the worker alone makes are counted; for a fault in a start the main
thread is followed and no other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.integration.program import Process

# What changes a folder or a file; between two of these a kill leaves what it leaves at the second.
FILE_CALLS = ("openat", "fchmod", "pwrite64", "ftruncate", "fsync", "renameat2", "renameat", "linkat", "unlinkat")
START_CALLS = ("mkdir", "flock", "openat", "fsync", "renameat2", "linkat", "unlinkat")
READING_CALLS = ("newfstatat", "faccessat2", "getdents64", "read")
NETWORK_CALLS = ("socket", "connect", "sendto", "recvfrom")

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None or os.geteuid() != 0,
    reason="strace is not installed, or this is not root: the program lets nobody else look into it",
)


@contextmanager
def injected(  # noqa: PLR0913, PLR0917 - what, where, and of whom
    pid: int, call: str, fault: str, number: int | str, trace: Path, paths: Sequence[Path] = ()
) -> Iterator[None]:
    """Let the `number`-th such call of a thread meet a fault within a block.

    Args:
        pid: the program.
        call: the name of a system call, or several with commas between.
        fault: `signal=KILL`, `error=EIO` or `delay_enter=1s`, as strace(1) has it.
        number: from 1; or `1+`, for the first and all that follow.
        trace: where to write what was called.
        paths: count only the calls on these files, whether by path, by name in an open folder, or by descriptor; and
            only those of the main thread.
    """
    whom = [word for path in paths for word in ("-P", str(path))] or ["-f"]
    rule = f"inject={call}:{fault}:when={number}"
    command = ["strace", *whom, "-o", str(trace), "-e", f"trace={call}", "-e", rule, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            line = strace.stderr.readline()
            assert "attached" in line, line
            yield
        finally:
            _detach(strace)


@contextmanager
def standing_still(process: Process) -> Iterator[None]:
    """Let a process do nothing at all for the length of a block."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _detach(strace: subprocess.Popen[str]) -> None:
    """End strace; 6.1 may wait for ever for a thread that died with its process. Killed, it lets go of all others."""
    strace.terminate()
    try:
        strace.communicate(timeout=0.3)
    except subprocess.TimeoutExpired:
        strace.kill()
        strace.communicate()


def has_begun(trace: Path, call: str, number: int = 1) -> bool:
    """Tell whether so many of these calls have begun: strace writes down a call before it keeps it waiting."""
    return trace.read_text(errors="replace").count(f" {call}(") >= number


def was_hit(trace: Path) -> bool:
    """Tell whether the fault was met."""
    text = trace.read_text(errors="replace")
    return "(INJECTED)" in text or "killed by SIGKILL" in text
