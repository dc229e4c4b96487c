"""The files of the drop folder that could be sent: of each lane the oldest has its turn, the others stand behind it.

Guarantees: whose lane is not free is not given out, nor one before an older one of its lane. Pure but for its own
memory. Raises nothing.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from invoice_watcher.schedule.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from invoice_watcher.schedule.task import Task


class Ready:
    """What the last scan found, but for what was given out since then."""

    def __init__(self, is_free: Callable[[str], bool]) -> None:
        """Start empty.

        Args:
            is_free: tells of a lane whether nothing of it is under way or claimed, which would go first.
        """
        self._is_free = is_free
        self._turns = Turns()
        self._heads: dict[str, Task] = {}  # of each lane that has one in its turn
        self._behind: dict[str, list[Task]] = {}  # the others
        self._probed: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._turns) + sum(len(tasks) for tasks in self._behind.values())

    def __iter__(self) -> Iterator[Task]:
        return chain(self._turns, chain.from_iterable(self._behind.values()))

    @property
    def horizon_ns(self) -> int | None:
        """What arrived later is a newcomer, nanoseconds since the epoch; None when nothing is."""
        return self._turns.horizon_ns

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest of them arrived; None when there is none."""
        behind = (task.arrived_ns for task in chain.from_iterable(self._behind.values()))
        first = self._turns.oldest_ns
        return min(behind if first is None else chain((first,), behind), default=None)

    @property
    def lanes(self) -> Iterable[str]:
        """The lanes that have one in its turn."""
        return self._heads.keys()

    def replace(self, tasks: Iterable[Task], newest_ns: int | None) -> None:
        """Hold these, which a scan found, instead of all others; `newest_ns` as for `Turns.replace`."""
        self._behind.clear()
        for task in tasks:
            self._behind.setdefault(task.invoice.lane, []).append(task)
        free = [lane for lane in self._behind if self._is_free(lane)]
        self._heads = {lane: self._first_behind(lane) for lane in free}
        self._turns.replace(self._heads.values(), newest_ns)

    def add(self, task: Task) -> None:
        """Hold one more, which goes before the younger ones of its lane."""
        lane = task.invoice.lane
        self._behind.setdefault(lane, []).append(task)
        head = self._heads.get(lane)
        if head is not None and task.age_key < head.age_key:
            self._turns.remove(head)
            self._behind[lane].append(self._heads.pop(lane))
        self.promote(lane)

    def remove(self, task: Task) -> None:
        """Forget this one, if it is here."""
        lane = task.invoice.lane
        if self._heads.get(lane) is task:
            self._turns.remove(task)
            del self._heads[lane]
            self.promote(lane)
        elif waiting := [one for one in self._behind.pop(lane, ()) if one is not task]:
            self._behind[lane] = waiting

    def promote(self, lane: str) -> None:
        """Let the oldest that stands behind have its turn, if nothing of its lane goes before it."""
        if lane in self._behind and lane not in self._heads and self._is_free(lane):
            self._heads[lane] = head = self._first_behind(lane)
            self._turns.add(head)

    def next(self) -> Task | None:
        """Take out whose turn it is; None when there is none."""
        while (task := self._turns.next()) is not None:
            lane = task.invoice.lane
            del self._heads[lane]
            if self._is_free(lane):
                self._turns.served(task)
                return task
            self._behind.setdefault(lane, []).append(task)
        return None

    def least_probed(self) -> Task | None:
        """Take out the one that was a probe the least often since the last `begin_anew`, the oldest of those."""
        free = (task for task in self._turns if self._is_free(task.invoice.lane))
        chosen = min(free, key=lambda task: (self._probed[task.invoice.name], task.age_key), default=None)
        if chosen is not None:
            self._probed[chosen.invoice.name] += 1
            self._turns.remove(chosen)
            del self._heads[chosen.invoice.lane]
        return chosen

    def begin_anew(self) -> None:
        """The queue flows again, see `Turns.begin_anew`."""
        self._probed.clear()
        self._turns.begin_anew()

    def _first_behind(self, lane: str) -> Task:
        waiting = self._behind.pop(lane)
        waiting.sort(key=lambda one: one.age_key)
        if waiting[1:]:
            self._behind[lane] = waiting[1:]
        return waiting[0]
