"""What is sent next: oldest first, one file of an order at a time, what failed when its time has come.

Two sorts of tasks wait here. *Ready* ones lie in the drop folder; the scan offers them anew each time, for the
scan is the truth. *Claimed* ones lie in the work folder, each with the moment at which it is due. Files of one
order (one `queue`) go one after another: a claimed one before a ready one, the older before the younger.
Guarantees: a task that is under way is never given out again, and no queue is ever under way twice. Pure but for
its own memory: time is an argument. Raises nothing.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoice_watcher.invoice import Invoice
    from invoice_watcher.outcome import Deferred, Delivered, Rejected
    from invoice_watcher.settling import Signature


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of a document that could not be filed away yet: filed later, not sent again.

    Attributes:
        outcome: what the API said, or that the document is given up.
        sha256: of the bytes that were sent (another content is another document); None for whatever it holds.
    """

    outcome: Delivered | Rejected
    sha256: str | None


@dataclass(slots=True)
class Task:
    """One invoice on its way.

    Attributes:
        invoice: what it is.
        arrived_ns: when it was dropped, nanoseconds since the epoch.
        signature: how the scan saw it, or how it was last copied from the work folder; None before either.
        unchanged_for: seconds since it last changed, when the scan saw it.
        work_name: its name in the work folder; empty until it is claimed.
        seen_at: since when it looks as `signature` says there, monotonic seconds.
        due: when it may be sent again, monotonic seconds; 0 for at once.
        attempts: how often it was sent, or was tried to be.
        failures: attempts in a row that failed, for the back-off.
        strikes: failures that counted against the document, because others went through meanwhile.
        counted_at: how many answers the API had given when the last strike was counted.
        refused_at: how many answers the API had given when this document first met the operator's fault.
        crashes: how often the program died while it was sending this document.
        in_doubt: an earlier attempt may have reached the API unanswered.
        last: what the last attempt came to.
        decision: see `Decision`.
        look_only: it may not be sent now; whether it is fit to be sent can be seen all the same.
        took: how long the upload of this attempt took, seconds; None when it came to none.
    """

    invoice: Invoice
    arrived_ns: int
    signature: Signature | None = None
    unchanged_for: float = 0.0
    work_name: str = ""
    seen_at: float = 0.0
    due: float = 0.0
    attempts: int = 0
    failures: int = 0
    strikes: int = 0
    counted_at: int = 0
    refused_at: int | None = None
    crashes: int = 0
    in_doubt: bool = False
    last: Deferred | None = None
    decision: Decision | None = None
    look_only: bool = False
    took: float | None = None

    @property
    def claimed(self) -> bool:
        """Whether it lies in the work folder."""
        return bool(self.work_name)

    @property
    def age_key(self) -> tuple[bool, int, str]:
        """Claimed ones first, then by age, then by name: the order in which a queue is served."""
        return (not self.claimed, self.arrived_ns, self.invoice.name)


class Schedule:
    """The tasks that wait, and the queues that are under way."""

    def __init__(self) -> None:
        """Start empty."""
        self._ready: list[tuple[int, str, Task]] = []
        self._claimed: dict[str, list[Task]] = {}
        self._due: list[tuple[float, int, Task]] = []
        self._behind: dict[str, list[Task]] = {}
        self._under_way: dict[str, Task] = {}
        self._probed: Counter[str] = Counter()
        self.offers = 0
        self._count = 0

    def offer(self, ready: Iterable[Task]) -> None:
        """Replace all ready tasks by what the scan found; what is under way is not among them."""
        self._behind.clear()
        self.offers += 1
        taken = {task.invoice.name for task in self.taken()}
        self._ready = [(task.arrived_ns, task.invoice.name, task) for task in ready if task.invoice.name not in taken]
        heapq.heapify(self._ready)

    def add_claimed(self, task: Task) -> None:
        """Add a task that lies in the work folder, due at `task.due`."""
        tasks = self._claimed.setdefault(task.invoice.queue, [])
        tasks.append(task)
        tasks.sort(key=lambda one: one.age_key)
        self._arm(task.invoice.queue)

    def next(self, now: float, *, fresh: bool = True) -> Task | None:
        """Take out the next task to start, or None.

        Args:
            now: monotonic seconds.
            fresh: whether a file may be claimed from the drop folder.
        """
        task = self._next_claimed(now) or (self._next_ready() if fresh else None)
        if task is not None:
            self.start(task)
        return task

    def least_tried(self, *, fresh: bool) -> Task | None:
        """Take out the next probe whether due or not: the claimed file that waited longest since its last try.

        Args:
            fresh: take a ready one when every claimed one has been tried; always so when none is claimed. Of these too
                the one that was tried least: a large file may not fit on a disk that has room for small ones.
        """
        heads = [tasks[0] for queue, tasks in self._claimed.items() if queue not in self._under_way]
        task = min(heads, key=lambda one: (one.failures, one.age_key), default=None)
        if task is None or fresh:
            task = self._next_probe() or task
        if task is None:
            return None
        if task.claimed:
            self._drop_claimed(task)
        self.start(task)
        return task

    def ready_tasks(self) -> list[Task]:
        """Return what lies in the drop folder and could be sent."""
        return [task for _, _, task in self._ready]

    def tasks(self) -> Iterator[Task]:
        """Iterate over all that is here, under way or not, in no particular order."""
        yield from (task for _, _, task in self._ready)
        yield from chain.from_iterable(self._behind.values())
        yield from self.claimed()
        yield from self.taken()

    def taken(self) -> Iterator[Task]:
        """Iterate over what workers have to send; what they only look at is ready as well."""
        return (task for task in self._under_way.values() if not task.look_only)

    def ahead_of(self, task: Task) -> Task | None:
        """Return the file of the same order for which this one has to wait, as far as that is decided; else None."""
        queue = task.invoice.queue
        first = self._under_way.get(queue) or next(iter(self._claimed.get(queue, ())), None)
        return None if first is task else first

    def holds_under_way(self, task: Task) -> bool:
        """Tell whether a worker has this very task to send."""
        return any(one is task for one in self.taken())

    def is_busy(self, queue: str) -> bool:
        """Tell whether a file of this order is under way."""
        return queue in self._under_way

    def withdraw(self, task: Task) -> None:
        """Forget a ready task: its file lies elsewhere by now."""
        self._ready = [one for one in self._ready if one[2] is not task]
        heapq.heapify(self._ready)

    def start(self, task: Task) -> None:
        """A task that does not wait here goes under way."""
        self._under_way[task.invoice.queue] = task

    def finished(self, task: Task) -> None:
        """A task left the schedule, or comes back through `add_claimed` or the next scan: its queue is free."""
        self._under_way.pop(task.invoice.queue, None)
        self._arm(task.invoice.queue)
        for waiting in self._behind.pop(task.invoice.queue, ()):
            heapq.heappush(self._ready, (waiting.arrived_ns, waiting.invoice.name, waiting))

    def hasten(self, now: float) -> None:
        """Let everything claimed come due: what held it up has passed."""
        self._probed.clear()
        for queue, tasks in self._claimed.items():
            for task in tasks:
                task.due = min(task.due, now)
                task.failures = 0
            self._arm(queue)

    def is_under_way(self, name: str) -> bool:
        """Tell whether the file of this name in the drop folder is in a worker's hands."""
        return any(task.invoice.name == name for task in self._under_way.values())

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
    def startable(self) -> bool:
        """Whether `least_tried` has something to give: a file whose queue is not under way."""
        ready = (task.invoice.queue for _, _, task in self._ready)
        return any(queue not in self._under_way for queue in chain(self._claimed, ready))

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest of all that is here arrived, under way or not, nanoseconds since the epoch."""
        behind = chain.from_iterable(self._behind.values())
        others = (task.arrived_ns for task in chain(self.claimed(), self._under_way.values(), behind))
        return min(chain((arrived for arrived, _, _ in self._ready[:1]), others), default=None)

    @property
    def ready(self) -> int:
        """How many files of the drop folder could be sent."""
        return len(self._ready) + sum(len(tasks) for tasks in self._behind.values())

    @property
    def waiting(self) -> int:
        """How many tasks wait here, ready or claimed."""
        return self.ready + sum(len(tasks) for tasks in self._claimed.values())

    def _next_claimed(self, now: float) -> Task | None:
        """Take the first due head of a free queue; entries that `_arm` has superseded are thrown away."""
        while self._due and self._due[0][0] <= now:
            due, _, task = heapq.heappop(self._due)
            tasks = self._claimed.get(task.invoice.queue, [])
            if tasks[:1] == [task] and task.invoice.queue not in self._under_way and task.due == due:
                self._drop_claimed(task)
                return task
        return None

    def _next_ready(self) -> Task | None:
        while self._ready:
            _, _, task = heapq.heappop(self._ready)
            queue = task.invoice.queue
            if queue not in self._under_way and queue not in self._claimed:
                return task
            self._behind.setdefault(queue, []).append(task)
        return None

    def _next_probe(self) -> Task | None:
        free = [one for one in self._ready if one[2].invoice.queue not in self._under_way.keys() | self._claimed.keys()]
        if not free:
            return None
        chosen = min(free, key=lambda one: (self._probed[one[1]], one))
        self._probed[chosen[1]] += 1
        self._ready.remove(chosen)
        heapq.heapify(self._ready)
        return chosen[2]

    def _drop_claimed(self, task: Task) -> None:
        queue = self._claimed[task.invoice.queue]
        queue.remove(task)
        if not queue:
            del self._claimed[task.invoice.queue]

    def _arm(self, queue: str) -> None:
        """Let the head of a free queue come due; whoever stands behind it is armed when it has gone."""
        tasks = self._claimed.get(queue)
        if tasks and queue not in self._under_way:
            self._count += 1
            heapq.heappush(self._due, (tasks[0].due, self._count, tasks[0]))
