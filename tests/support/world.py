"""The daemon's loop on simulated time: folders, workers, and an API that answers as a test says."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING, TypeAlias

from invoice_watcher.backoff import RetryRules
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Report, Waiting
from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Problem, Rejected, Source
from invoice_watcher.queue import Queue
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import Unready

if TYPE_CHECKING:
    from collections.abc import Callable

Api: TypeAlias = "Callable[[Task, float], Outcome | Unready]"

HOUR, DAY = 3600.0, 86_400.0
RULES = RetryRules(initial=2.0, longest=300.0, max_attempts=10)
WORKERS = 4
LARGEST = 10 * 1024 * 1024
DELIVERED = Delivered(200, "")
WRITING = Unready("is still open for writing")


def problem(code: int | None = None) -> Problem:
    """Give a problem that the API named by this code."""
    return Problem(Source.API, code, "reason", "message", "hint")


def failure(
    fault: Fault = Fault.WORLD, retry_after: float | None = None, *, code: int | None = None, reached: bool = True
) -> Deferred:
    """Give an attempt that failed, by default because the API is not well."""
    return Deferred(problem(code), fault, retry_after=retry_after, reached=reached)


def rejected(code: int) -> Rejected:
    """Give the API's refusal of a document."""
    return Rejected(problem(code), 400)


def task_of(order: str, arrived: int, *, claimed: bool = False) -> Task:
    """Give the task for the file of an order that arrived as the `arrived`-th."""
    name = f"{order}.{arrived}.pdf"
    return Task(Invoice(name, OrderId(order), Kind.PDF), arrived, work_name=name if claimed else "")


class World:
    """The folders, the workers and an API, on simulated time; the loop is the daemon's."""

    def __init__(self, api: Api, *, workers: int = WORKERS, rules: RetryRules = RULES, takes: float = 0.5) -> None:
        self.queue = Queue(rules, workers, LARGEST)
        self.api, self.takes = api, takes
        self.now = 0.0
        self.calls: list[tuple[float, str]] = []
        self.filed: dict[str, Delivered | Rejected] = {}
        self.last_filed = 0.0
        self._folder: dict[str, Task] = {}
        self._dropped = 0
        self._ends: list[tuple[float, int, Task, Report]] = []
        self._count = 0
        self._chance = random.Random(7)

    def drop(self, *orders: str) -> None:
        """Drop a file of each order, and scan."""
        for order in orders:
            self._dropped += 1
            task = task_of(order, self._dropped)
            self._folder[task.invoice.name] = task
        self.queue.schedule.offer(task_of(task.invoice.lane, task.arrived_ns) for task in self._folder.values())

    def run(self, until: float) -> None:
        """Do as the daemon's loop does."""
        while True:
            while (task := self.queue.next(self.now)) is not None:
                self._start(task)
            wake = self.queue.wake_at()
            assert wake is None or wake > self.now, "the loop turns in circles"
            ends = self._ends[0][0] if self._ends else until
            if min(ends, wake or until) >= until:
                self.now = until
                return
            self.now = min(ends, wake or until)
            while self._ends and self._ends[0][0] <= self.now:
                _, _, task, report = heapq.heappop(self._ends)
                self.queue.report(task, report, self.now, self._chance.random())

    def calls_of(self, order: str) -> list[float]:
        """Give the moments at which a file of an order was sent."""
        return [moment for moment, called in self.calls if called == order]

    def claimed(self) -> int:
        """Give the number of files that are no longer in the drop folder."""
        return self.queue.waiting - self.queue.schedule.ready

    def _start(self, task: Task) -> None:
        self._count += 1
        assert self.queue.schedule.under_way <= self.queue._workers
        end = self.now + (0.01 if task.decision else self.takes * self._chance.uniform(0.5, 1.0))
        heapq.heappush(self._ends, (end, self._count, task, self._attempt(task)))

    def _attempt(self, task: Task) -> Report:
        if task.look_only:
            return Fit()
        if task.decision:
            return self._file(task, task.decision.outcome, sent=False)
        return self._send(task)

    def _send(self, task: Task) -> Report:
        outcome = self.api(task, self.now)
        self.calls.append((self.now, task.invoice.lane))
        if isinstance(outcome, Unready):
            return NotReady(outcome)
        if isinstance(outcome, Deferred) and outcome.fault is Fault.OURS:
            return Waiting(outcome)
        self._folder.pop(task.invoice.name, None)
        task.work_name, task.attempts = task.invoice.name, task.attempts + 1
        if isinstance(outcome, Deferred):
            return Waiting(outcome)
        if self.queue.may_hold and isinstance(outcome, Rejected) and outcome.problem.code == 101:
            task.decision = Decision(outcome, "sha256")
            return Held(outcome)
        return self._file(task, outcome, sent=True)

    def _file(self, task: Task, outcome: Delivered | Rejected, *, sent: bool) -> Report:
        assert task.invoice.lane not in self.filed, "filed twice"
        self.filed[task.invoice.lane] = outcome
        self.last_filed = self.now
        return Filed(outcome, task.invoice.name, sent)


def all_but(bad: dict[str, Outcome | Unready]) -> Api:
    """Give an API that takes all orders but these."""
    return lambda task, _now: bad.get(task.invoice.lane, DELIVERED)
