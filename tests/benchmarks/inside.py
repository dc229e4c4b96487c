"""What the kernel tells of one process: its memory, its processor time, how often its threads woke up.

All of it is read from outside, so asking costs the process nothing. The kernel counts memory in batches, so its sizes
are right to some hundred kilobytes (proc_pid_status(5)). Raises VoidError when the process is gone: its own fault.
"""

from __future__ import annotations

import ctypes
import re
import time
from pathlib import Path

from tests.benchmarks.load import VoidError

MIB = 1024 * 1024
_SIZE = re.compile(r"^(VmHWM|VmRSS):\s+(\d+) kB$", re.MULTILINE)
_SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


class Inside:
    """One process.

    Args:
        pid: its id.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._folder = Path(f"/proc/{pid}")
        self._switches: dict[str, int] = {}

    def resident(self) -> int:
        """Return the bytes of memory resident now (VmRSS)."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """Return the most bytes of memory that were ever resident (VmHWM)."""
        return self._memory("VmHWM")

    def seconds(self) -> float:
        """Return its processor time so far, of all its threads, those that ended among them, to the nanosecond."""
        clock = ctypes.c_int()
        if ctypes.CDLL(None).clock_getcpuclockid(self._pid, ctypes.byref(clock)):
            raise VoidError("it has ended")
        return time.clock_gettime(clock.value)

    def wake_ups(self) -> int:
        """Return how often its threads woke up since they began.

        A thread that gives up the processor of its own accord (voluntary_ctxt_switches, proc_pid_status(5)) is woken
        later. What a thread did that has ended counts as of the last call at which it lived.
        """
        for task in (self._folder / "task").iterdir():
            if found := _SWITCHES.search(_read(task / "status")):
                self._switches[task.name] = int(found[1])
        return sum(self._switches.values())

    def _memory(self, key: str) -> int:
        sizes = dict(_SIZE.findall(_read(self._folder / "status")))
        if key not in sizes:
            raise VoidError("it has ended")
        return int(sizes[key]) * 1024


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
