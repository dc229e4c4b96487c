"""What is no invoice can be seen while nothing may be sent: nobody has to wait for the API to hear of it.

Gives out each ready file once per pause, as long as it stays the same, unless it takes long to read. Pure but for its
own memory. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.schedule import Schedule, Task
    from invoice_watcher.settling import Signature

QUICKLY_READ = 1024 * 1024


class Inspection:
    """Which of the ready files have been looked at in this pause."""

    def __init__(self, schedule: Schedule, largest: int) -> None:
        """Look at what this schedule holds.

        Args:
            schedule: what waits.
            largest: bytes; what is larger is no invoice, and is not even read.
        """
        self._schedule = schedule
        self._largest = largest
        self._tasks: Iterator[Task] = iter(())
        self._offer = -1  # of which `_tasks` are
        self._fit: dict[str, Signature | None] = {}

    def next(self) -> Task | None:
        """Take out the next file to be looked at; None when all have been."""
        if self._offer != self._schedule.offers:
            self._offer, self._tasks = self._schedule.offers, iter(self._schedule.ready_tasks())
        for task in self._tasks:
            if self._is_due(task):
                task.look_only = True
                self._schedule.start(task)
                return task
        return None

    def fit(self, task: Task) -> None:
        """A file has been found fit to be sent."""
        self._fit[task.invoice.name] = task.signature

    def end(self) -> None:
        """The pause is over, and what was seen may be forgotten."""
        self._offer = -1
        self._fit.clear()

    def _is_due(self, task: Task) -> bool:
        if task.claimed or task.signature is None or self._fit.get(task.invoice.name) == task.signature:
            return False
        size = task.signature.size
        return (size <= QUICKLY_READ or size > self._largest) and not self._schedule.is_busy(task.invoice.lane)
