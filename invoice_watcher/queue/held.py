"""The documents that were answered 101 before anything was ever delivered: the order's fault, or the configuration's.

"Wrong API code" for three orders in a row is the configuration's fault, and they are sent again one day. As soon as
something else was answered, or when for a while nothing came to compare it with, it is the order's, and the answer
stands. Pure but for its own memory. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from invoice_watcher.schedule import Task

# Seconds for which a 101 is held in case that others come: people who drop several take moments between them.
_COMPANY = 3.0


class HeldBack:
    """Those whose answer is not judged yet; each has it as its decision."""

    def __init__(self) -> None:
        """Start with none."""
        self.tasks: list[Task] = []
        self.until = 0.0  # when to judge them though nothing else came, monotonic seconds

    def add(self, task: Task, now: float) -> None:
        """Hold one more, and all others for as long as this one."""
        self.tasks.append(task)
        self.until = now + _COMPANY

    def acquitted(self) -> list[Task]:
        """Take out all, without their decision: the configuration is at fault, and they are sent again."""
        acquitted, self.tasks = self.tasks, []
        for task in acquitted:
            task.decision = None
        return acquitted

    def condemned(self, doubted: Collection[str]) -> list[Task]:
        """Take out those whose own order is at fault: all but those of the lanes that are still in doubt."""
        condemned = [task for task in self.tasks if task.invoice.lane not in doubted]
        self.tasks = [task for task in self.tasks if task.invoice.lane in doubted]
        return condemned
