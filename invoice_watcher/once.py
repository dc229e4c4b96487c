"""`run --once`: when it can do no more, and what it came to.

What is left then would only be waited for: an API that is away, a file that somebody still writes. Raises nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from invoice_watcher.lookout import Lookout
    from invoice_watcher.queue import Queue

_FEWEST_ATTEMPTS = 3


class Once:
    """Whether one run is done."""

    def __init__(self, queue: Queue, lookout: Lookout, patience: float) -> None:
        """Begin.

        Args:
            queue: what waits.
            lookout: what is not ready.
            patience: seconds after which nothing moves any more, when nothing has moved for so long.
        """
        self._queue, self._lookout, self._patience = queue, lookout, patience
        self.moved()

    def moved(self) -> None:
        """Something was sent or filed, or at least tried."""
        self._moved_at = time.monotonic()

    def is_done(self) -> bool:
        """Whether no more can be done: nothing is under way, and what is left would only be waited for."""
        schedule = self._queue.schedule
        if schedule.under_way or self._lookout.is_looking:
            return False
        if time.monotonic() > self._moved_at + self._patience or self._queue.pause is not None:
            return True
        claimed = [task for task in schedule.claimed() if not task.unread]
        soon = any(task.attempts < _FEWEST_ATTEMPTS or task.decision for task in claimed)
        if soon or schedule.ready or self._queue.is_holding:
            return False
        return not self._lookout.expects_more()


class Result(NamedTuple):
    """What a `run --once` came to: how many documents, and whether somebody stopped it."""

    delivered: int
    rejected: int
    waiting: int
    stopped: bool

    @property
    def exit_status(self) -> ExitStatus:
        """A rejected invoice needs a person, so it outweighs what merely waits.

        What waits because somebody stopped the program is no sign of anything being away.
        """
        if self.rejected:
            return ExitStatus.FAILED
        return ExitStatus.WAITING if self.waiting and not self.stopped else ExitStatus.OK
