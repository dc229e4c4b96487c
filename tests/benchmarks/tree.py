"""What a peer costs: CPU time and memory of all its processes, read from /proc.

A peer is started as the leader of a session (setsid(2)), and everything it starts stays in it, so the session
names its process tree. Times include children that ended and were waited for (proc_pid_stat(5): cutime,
cstime); their resolution is the clock tick, 10 ms. A process that ends while it is read is left out: its
time is then its parent's. Raises nothing.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

_PROC = Path("/proc")
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_MEMORY = re.compile(r"^(VmHWM|VmRSS):\s+(\d+) kB$", re.MULTILINE)
# Positions in /proc/PID/stat behind the command's closing parenthesis.
_SESSION, _TIMES = 3, slice(11, 15)


class Tree:
    """The processes of one session.

    Attributes:
        peak_mb: the most memory seen so far; at each look, every living process's own peak (VmHWM), added up.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self.peak_mb = 0.0

    def pids(self) -> list[int]:
        """Return the ids of the living processes, those that ended but were not waited for among them."""
        return list(self._stats())

    def cpu_ms(self) -> float:
        """Return the CPU time so far, user and system, of the tree and what it has waited for, in ms."""
        ticks = sum(int(field) for stat in self._stats().values() for field in stat[_TIMES])
        return ticks * _TICK_MS

    def resident_mb(self) -> float:
        """Return the memory resident now (VmRSS), in MB (10^6 bytes); shared pages count each time."""
        return self._memory("VmRSS")

    def look(self) -> None:
        """Bring `peak_mb` up to date."""
        self.peak_mb = max(self.peak_mb, self._memory("VmHWM"))

    def kill(self) -> None:
        """End whatever of the session is still there."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _stats(self) -> dict[int, list[str]]:
        found = {}
        names = os.listdir(_PROC)
        for pid in (int(name) for name in names if name.isdigit()):
            fields = _read(pid, "stat").rpartition(")")[2].split()
            if fields and int(fields[_SESSION]) == self._session:
                found[pid] = fields
        return found

    def _memory(self, key: str) -> float:
        sizes = (dict(_MEMORY.findall(_read(pid, "status"))) for pid in self.pids())
        return sum(int(size.get(key, 0)) for size in sizes) * 1024 / 1e6


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
