"""Files that are too many for the memory: of each only which order it is for, and when it came.

Fair shares of the memory (see `turns`) may hold a young file of one clerk, or a newcomer, while an older one of another
is left out. Guarantees: none that is held overtakes an older one of its order that is left out. Sixteen bytes each: a
hash stands for the order, and two orders that share one only wait for each other. Pure; raises nothing.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoice_watcher.schedule.task import Task
    from invoice_watcher.settling import Entry


class Beyond:
    """What one scan found, and could not be held."""

    def __init__(self, lane_of: Callable[[str], str]) -> None:
        """Start empty.

        Args:
            lane_of: says by a file's name which lane it stands in, see `Invoice.lane`.
        """
        self._lane_of = lane_of
        self._keys = array("q")
        self._arrived_ns = array("q")

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take these into account."""
        for entry in entries:
            self._add(self._lane_of(entry.name), entry.changed_ns)

    def keep_back(self, tasks: Iterable[Task]) -> list[Task]:
        """Return those of these that overtake none; the others are here from now on."""
        found = list(tasks)
        here = self._of({hash(task.invoice.lane) for task in found})
        kept = []
        for task in found:
            others = here.get(hash(task.invoice.lane), {task.arrived_ns})
            if task.arrived_ns <= min(others):
                kept.append(task)
            elif task.arrived_ns not in others:  # or it was kept back before
                self._add(task.invoice.lane, task.arrived_ns)
        return kept

    def _add(self, lane: str, arrived_ns: int) -> None:
        self._keys.append(hash(lane))
        self._arrived_ns.append(arrived_ns)

    def _of(self, keys: set[int]) -> dict[int, set[int]]:
        """Return when the files of each of these lanes came; lanes that have none here are left out."""
        met = keys.intersection(self._keys)
        found: defaultdict[int, set[int]] = defaultdict(set)
        for key, arrived_ns in zip(self._keys, self._arrived_ns, strict=True) if met else ():
            if key in met:
                found[key].add(arrived_ns)
        return found
