"""On which processors the daemon's threads run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.program import Program


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is only one processor")
def test_the_administrators_choice_is_kept(daemon: Program) -> None:
    """All threads of the daemon run on one of the processors that it may use."""
    chosen = set()
    for task in Path(f"/proc/{daemon.pid}/task").iterdir():
        with suppress(ProcessLookupError):  # threads come and go
            chosen.add(frozenset(os.sched_getaffinity(int(task.name))))
    assert len(chosen) == 1
    (one,) = chosen.pop()
    assert one in os.sched_getaffinity(0)
