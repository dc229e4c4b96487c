"""What was under way when the program died: sent alone, before all else, so that another death tells whose fault it is.

What it died over three times in a row is *poison*, and is not sent again. Guarantees: while a suspect is being sent
nothing else is. Pure but for its own memory. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.policy import rejected_locally
from invoice_watcher.schedule import Decision

if TYPE_CHECKING:
    from invoice_watcher.schedule import Task

MOST_CRASHES = 3


class Suspects:
    """The documents over which the program may have died.

    Attributes:
        untried: those that were not sent again yet.
        poison: those that will not be.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.untried: list[Task] = []
        self.poison: list[Task] = []
        self._alone: Task | None = None

    def add(self, task: Task) -> None:
        """Suspect a document that the program was sending when it died."""
        (self.untried if task.crashes < MOST_CRASHES else self.poison).append(task)

    def next(self) -> Task:
        """Take out the next one to be sent, alone; there must be one."""
        self._alone = self.untried.pop(0)
        return self._alone

    def ended(self, task: Task) -> None:
        """An attempt has ended."""
        if task is self._alone:
            self._alone = None

    def bar(self, under_way: int) -> bool:
        """Tell whether nothing may be begun beside what is under way: a suspect is, or waits for it to end."""
        return self._alone is not None or bool(self.untried and under_way)

    def condemned(self) -> list[Task]:
        """Take out the poison, which is rejected."""
        condemned, self.poison = self.poison, []
        for task in condemned:
            message = f"The program died {task.crashes} times while sending it"
            task.decision = Decision(rejected_locally(None, "poison", message), None)
        return condemned
