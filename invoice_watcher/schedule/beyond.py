"""Files that are too many for the memory: of each only which order it is for, and when it came.

Fair shares of the memory (see `turns`) may hold a young file of one clerk, or a newcomer, while an older one of another
is left out. Guarantees: none that is held overtakes an older one of its order that is left out. Sixteen bytes each: a
hash stands for the order, and two orders that share one only wait for each other. Pure; raises nothing.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoice_watcher.schedule.task import Task
    from invoice_watcher.settling import Entry


class Beyond:
    """What one scan found, and could not be held."""

    def __init__(self, queue_of: Callable[[str], str]) -> None:
        """Start empty.

        Args:
            queue_of: says by a file's name which queue it stands in, see `Invoice.queue`.
        """
        self._queue_of = queue_of
        self._keys = array("q")
        self._arrived_ns = array("q")

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take these into account."""
        for entry in entries:
            self._add(self._queue_of(entry.name), entry.changed_ns)

    def keep_back(self, tasks: Iterable[Task]) -> list[Task]:
        """Return those of these that overtake none; the others are here from now on."""
        found = list(tasks)
        oldest = self._oldest_ns({hash(task.invoice.queue) for task in found})
        kept = []
        for task in found:
            if task.arrived_ns <= oldest.get(hash(task.invoice.queue), task.arrived_ns):
                kept.append(task)
            else:
                self._add(task.invoice.queue, task.arrived_ns)
        return kept

    def _add(self, queue: str, arrived_ns: int) -> None:
        self._keys.append(hash(queue))
        self._arrived_ns.append(arrived_ns)

    def _oldest_ns(self, keys: set[int]) -> dict[int, int]:
        """Return when the oldest of each of these queues came; those that have none here are left out."""
        met = keys.intersection(self._keys)
        oldest: dict[int, int] = {}
        for key, arrived_ns in zip(self._keys, self._arrived_ns, strict=True) if met else ():
            if key in met:
                oldest[key] = min(arrived_ns, oldest.get(key, arrived_ns))
        return oldest
