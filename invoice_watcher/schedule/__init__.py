"""What is sent next: whose turn it is, one file of an order at a time, what failed when its time has come.

Two sorts of tasks wait here. *Ready* ones lie in the drop folder; the scan offers them anew each time, for the scan is
the truth, and `ready` says which of them is next. *Claimed* ones lie in the work folder, each with the moment at which
it is due. Files of one order (one *lane*) go one after another: a claimed one before a ready one, the older before the
younger. Guarantees: a task that is under way is never given out again, and no lane is ever under way twice. Pure but
for its own memory: time is an argument. Raises nothing.
"""

from __future__ import annotations

import heapq
from itertools import chain
from typing import TYPE_CHECKING

from invoice_watcher.schedule.ready import Ready
from invoice_watcher.schedule.task import Decision, Task
from invoice_watcher.schedule.turns import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Decision", "Schedule", "Selection", "Task"]


class Schedule:
    """The tasks that wait, and the lanes that are under way."""

    def __init__(self) -> None:
        """Start empty."""
        self._ready = Ready(self._is_free)
        self._claimed: dict[str, list[Task]] = {}
        self._due: list[tuple[float, int, Task]] = []
        self._under_way: dict[str, Task] = {}
        self._begun: set[str] | None = None  # names of what was started since a scan began; None between scans
        self.offers = 0  # how often something ready came in
        self._count = 0

    def selection(self, most: int, lane_of: Callable[[str], str]) -> Selection:
        """Return what takes in the files of a scan that begins now, and keeps at most so many, see `Selection`."""
        self._begun = set()
        return Selection(most, self._ready.horizon_ns, lane_of)

    def offer(self, ready: Iterable[Task], newest_ns: int | None = None) -> list[str]:
        """Replace all ready tasks by what the scan found.

        Args:
            ready: what may be held; what is under way, or was at any time since the scan began, is left out.
            newest_ns: when the newest of all that were found arrived, where more were found than may be held.

        Returns:
            The names of what was left out: only another look tells what lies under them now.
        """
        taken = {task.invoice.name for task in self.taken()}.union(self._begun or ())
        self._begun = None
        self.offers += 1
        found = list(ready)
        self._ready.replace([task for task in found if task.invoice.name not in taken], newest_ns)
        return [task.invoice.name for task in found if task.invoice.name in taken]

    def add_ready(self, tasks: Iterable[Task]) -> None:
        """Add ready tasks between two scans; no file of such a name is here, nor under way."""
        for task in tasks:
            self._ready.add(task)
            self.offers += 1

    def add_claimed(self, task: Task) -> None:
        """Add a task that lies in the work folder, due at `task.due`."""
        tasks = self._claimed.setdefault(task.invoice.lane, [])
        tasks.append(task)
        tasks.sort(key=lambda one: one.age_key)
        self._arm(task.invoice.lane)

    def next(self, now: float, *, fresh: bool = True) -> Task | None:
        """Take out the next task to start, or None.

        Args:
            now: monotonic seconds.
            fresh: whether a file may be claimed from the drop folder.
        """
        task = self._next_claimed(now) or (self._ready.next() if fresh else None)
        if task is not None:
            self.start(task)
        return task

    def least_tried(self, *, fresh: bool) -> Task | None:
        """Take out the next probe whether due or not: the claimed file that waited longest since its last try.

        Args:
            fresh: take a ready one when every claimed one has been tried; always so when none is claimed. Of these too
                the one that was tried least: a large file may not fit on a disk that has room for small ones.
        """
        heads = [tasks[0] for lane, tasks in self._claimed.items() if lane not in self._under_way]
        task = min(heads, key=lambda one: (one.failures, one.age_key), default=None)
        if task is None or fresh:
            task = self._ready.least_probed() or task
        if task is None:
            return None
        if task.claimed:
            self._drop_claimed(task)
        self.start(task)
        return task

    def ready_by_name(self) -> dict[str, Task]:
        """Return what the last scan found, but for what is under way or filed since then."""
        return {task.invoice.name: task for task in self._ready}

    def ready_tasks(self) -> list[Task]:
        """Return what lies in the drop folder and could be sent."""
        return sorted(self._ready, key=lambda task: task.age_key)

    def tasks(self) -> Iterator[Task]:
        """Iterate over all that is here, under way or not, in no particular order."""
        yield from self._ready
        yield from self.claimed()
        yield from self.taken()

    def taken(self) -> Iterator[Task]:
        """Iterate over what workers have to send; what they only look at is ready as well."""
        return (task for task in self._under_way.values() if not task.look_only)

    def ahead_of(self, task: Task) -> Task | None:
        """Return the file of the same order for which this one has to wait, as far as that is decided; else None."""
        lane = task.invoice.lane
        first = self._under_way.get(lane) or next(iter(self._claimed.get(lane, ())), None)
        return None if first is task else first

    def is_being_sent(self, task: Task) -> bool:
        """Tell whether a worker has this very task to send."""
        return task in self.taken()

    def is_busy(self, lane: str) -> bool:
        """Tell whether a file of this order is under way."""
        return lane in self._under_way

    def withdraw(self, task: Task) -> None:
        """Forget a ready task: its file lies elsewhere by now."""
        self._ready.remove(task)

    def start(self, task: Task) -> None:
        """A task that does not wait here goes under way."""
        self._under_way[task.invoice.lane] = task
        task.place_free = False
        if self._begun is not None and not task.look_only:
            self._begun.add(task.invoice.name)

    def finished(self, task: Task) -> None:
        """A task left the schedule, or comes back through `add_claimed` or the next scan: its lane is free."""
        self._under_way.pop(task.invoice.lane, None)
        self._arm(task.invoice.lane)
        self._ready.promote(task.invoice.lane)

    def hasten(self, now: float) -> None:
        """Let everything claimed come due: what held it up has passed."""
        self._ready.begin_anew()
        for lane, tasks in self._claimed.items():
            for task in tasks:
                task.due = min(task.due, now)
                task.failures = 0
            self._arm(lane)

    def names_under_way(self) -> set[str]:
        """Return the names of the files in workers' hands, as they were dropped."""
        return {task.invoice.name for task in self._under_way.values()}

    def wake_at(self) -> float | None:
        """Return when the next claimed task is due, monotonic seconds; None when none waits."""
        return self._due[0][0] if self._due else None

    def claimed(self) -> Iterator[Task]:
        """Iterate over what waits in the work folder."""
        for tasks in self._claimed.values():
            yield from tasks

    @property
    def under_way(self) -> int:
        """How many tasks workers hold."""
        return len(self._under_way)

    @property
    def places_taken(self) -> int:
        """How many of these keep another from being sent; what the API has taken, and is only filed, does not."""
        return sum(not task.place_free for task in self._under_way.values())

    @property
    def startable(self) -> bool:
        """Whether `least_tried` has something to give: a file whose lane is not under way."""
        return any(lane not in self._under_way for lane in chain(self._claimed, self._ready.lanes))

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest of all that is here arrived, under way or not, nanoseconds since the epoch."""
        others = (task.arrived_ns for task in chain(self.claimed(), self._under_way.values()))
        ready = self._ready.oldest_ns
        return min(others if ready is None else chain((ready,), others), default=None)

    @property
    def ready(self) -> int:
        """How many files of the drop folder could be sent."""
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """How many tasks wait here, ready or claimed."""
        return self.ready + sum(len(tasks) for tasks in self._claimed.values())

    def _next_claimed(self, now: float) -> Task | None:
        """Take the first due head of a free lane; entries that `_arm` has superseded are thrown away."""
        while self._due and self._due[0][0] <= now:
            due, _, task = heapq.heappop(self._due)
            tasks = self._claimed.get(task.invoice.lane, [])
            if tasks and tasks[0] is task and task.invoice.lane not in self._under_way and task.due == due:
                self._drop_claimed(task)
                return task
        return None

    def _is_free(self, lane: str) -> bool:
        return lane not in self._under_way and lane not in self._claimed

    def _drop_claimed(self, task: Task) -> None:
        tasks = self._claimed[task.invoice.lane]
        tasks.remove(task)
        if not tasks:
            del self._claimed[task.invoice.lane]

    def _arm(self, lane: str) -> None:
        """Let the head of a free lane come due; whoever stands behind it is armed when it has gone."""
        tasks = self._claimed.get(lane)
        if tasks and lane not in self._under_way:
            self._count += 1
            heapq.heappush(self._due, (tasks[0].due, self._count, tasks[0]))
