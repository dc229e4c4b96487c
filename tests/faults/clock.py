"""The wall clock of one program, to be set while it runs: libfaketime between it and the C library.

Guarantees: only the wall clock of that program is moved; its monotonic clock, its waiting, the file system and the
test itself keep to the true time. So what a test measures is real, and a new file looks to the program as old, or as
young, as the clock is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from glob import glob
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400
# Where the clock stands afterwards, as seconds from the true time.
JUMPS = {
    "a day back": -DAY,
    "a day ahead": DAY,
    "1970": -int(time.time()) + DAY,
    "2099": int(time.mktime((2099, 6, 1, 0, 0, 0, 0, 0, 0)) - time.time()),
}
_LIBRARY = next(iter(glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")


class Clock:
    """One clock, right until it is set."""

    def __init__(self, folder: Path, ahead: int = 0) -> None:
        """Keep it in `folder`, so many seconds ahead of the true time."""
        self._path = folder / "clock"
        self._ahead = 0
        self.set(ahead)
        self.env = {
            "LD_PRELOAD": _LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # meant for an old C library; with a new one, threads wait in circles
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead: int) -> None:
        """Set it so many seconds ahead of the true time; the program is never shown half of a setting."""
        self._ahead = ahead
        new = self._path.with_suffix(".new")
        new.write_text(f"{ahead:+d}\n")
        new.rename(self._path)

    def time(self) -> float:
        """What the program takes for the time, in seconds since the epoch."""
        return time.time() + self._ahead


def _works(folder: Path) -> bool:
    """Whether this Python can be deceived: its wall clock, and nothing else."""
    program = "import time; print(int(time.time()), int(time.monotonic()))"
    clock = Clock(folder, -DAY)
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **clock.env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return False
    wall, mono = map(int, done.stdout.split())
    return abs(wall - clock.time()) < DAY / 2 and abs(mono - time.monotonic()) < DAY / 2


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Give a clock for `start(**clock.env)`; skips the test where none can be had."""
    if not _LIBRARY or not _works(tmp_path):
        pytest.skip("libfaketime is not installed, or does nothing to this Python")
    return Clock(tmp_path)
