"""What the program has in memory is its own: no core dump holds it, and no other program of this user may look.

The memory holds the API code and people's invoices. Guarantees: from `protect` on only root can trace the process or
read its memory, environment and open files (ptrace(2), PR_SET_DUMPABLE in prctl(2)), and it leaves no core dump,
whatever limits it was started with. Raises nothing: where the kernel refuses, all stays as it was.
"""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def protect() -> None:
    """Shut the process against others; children that execute another program are not affected."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)
