"""What a single run came to, and the exit status that says it; when it ends is in `integration/test_once.py`."""

from __future__ import annotations

import pytest

from invoice_watcher.errors import ExitStatus
from invoice_watcher.once import Result


@pytest.mark.parametrize(
    ("rejected", "waiting", "stopped", "status"),
    [
        (0, 0, False, ExitStatus.OK),
        (1, 0, False, ExitStatus.FAILED),
        (1, 5, False, ExitStatus.FAILED),
        (0, 5, False, ExitStatus.WAITING),
        (0, 5, True, ExitStatus.OK),
    ],
)
def test_the_exit_status(*, rejected: int, waiting: int, stopped: bool, status: ExitStatus) -> None:
    """A rejected invoice needs a person, so it outweighs what waits; what waits because it was stopped is no fault."""
    assert Result(3, rejected, waiting, stopped).exit_status == status
