"""What each attempt means for all that wait: joins the schedule and the breaker.

`next` says what to send now; `report` takes back what came of it, and decides: filed, sent again when due, rejected
because it alone keeps failing, held because a 101 may be the configuration's fault. Guarantees: a document is only
ever rejected for failing while others went through; while the queue is paused nothing counts against a document, and
nothing new is claimed but for a probe. No threads, no files: time and chance are arguments. Raises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoice_watcher.backoff import back_off
from invoice_watcher.breaker import Breaker
from invoice_watcher.delivery import Filed, Held, NotReady, Report, Waiting
from invoice_watcher.outcome import Deferred, Delivered, Fault
from invoice_watcher.policy import keeps_failing
from invoice_watcher.schedule import Decision, Schedule, Task

if TYPE_CHECKING:
    from invoice_watcher.breaker import Pause

LINK_UNREACHABLE = 105
MOST_DOWNLOADS = 3
_CHANGED_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The configured patience: seconds, and how many failures count a document out."""

    initial: float
    longest: float
    max_attempts: int


class Queue:
    """All that waits, and whether it may flow."""

    def __init__(self, rules: RetryRules, workers: int) -> None:
        """Start empty and flowing.

        Args:
            rules: how long to wait, how often to try.
            workers: how many documents may be under way at once.
        """
        self._rules = rules
        self._workers = workers
        self._breaker = Breaker(rules.initial, rules.longest)
        self._held: list[Task] = []
        self._answers = 0
        self.schedule = Schedule()

    @property
    def pause(self) -> Pause | None:
        """Why nothing flows; None while it does."""
        return self._breaker.pause

    @property
    def may_hold(self) -> bool:
        """Whether a 101 may still be the configuration's fault."""
        return not self._breaker.proven

    @property
    def waiting(self) -> int:
        """How many documents wait, those under way included."""
        return self.schedule.waiting + self.schedule.under_way + len(self._held)

    def next(self, now: float) -> Task | None:
        """Take out what to send now; None when nothing may, or nothing is due."""
        if self.schedule.under_way >= self._workers or not self._breaker.may_start(now):
            return None
        if (pause := self.pause) is None:
            return self.schedule.next(now, fresh=self._may_claim())
        task = self.schedule.least_tried(fresh=self._probes_fresh(pause))
        if task is not None:
            self._breaker = self._breaker.started(task.invoice.queue)
        return task

    def wake_at(self) -> float | None:
        """Return when `next` may have something new, monotonic seconds; None when only an event can bring it."""
        if self.pause is None:
            return self.schedule.wake_at()
        return self.pause.probe_at if self.pause.probing is None and self.schedule.waiting else None

    def report(self, task: Task, report: Report, now: float, chance: float) -> None:
        """Take back a task with what came of it.

        Args:
            task: as `next` gave it out.
            report: what came of it.
            now: monotonic seconds.
            chance: 0 to 1, for the jitter.
        """
        self.schedule.finished(task)
        paused = self.pause is not None
        match report:
            case Filed(outcome, _, sent):
                self._filed(task, delivered=isinstance(outcome, Delivered), sent=sent)
            case Waiting(outcome):
                self._deferred(task, outcome, now, chance)
            case Held(outcome):
                self._held.append(task)
                self._answers += 1
                self._breaker = self._breaker.wrong_api_code(task.invoice.queue, outcome.problem, now)
            case NotReady():
                self._breaker = self._breaker.withdrawn(task.invoice.queue)
                if task.claimed:
                    self._again(task, now + _CHANGED_AGAIN)
        if paused and self.pause is None:
            self.schedule.hasten(now)
        self._release_held(now, chance)

    def _filed(self, task: Task, *, delivered: bool, sent: bool) -> None:
        if not sent:
            self._breaker = self._breaker.withdrawn(task.invoice.queue)
            return
        self._answers += 1
        self._breaker = self._breaker.answered(delivered=delivered)

    def _deferred(self, task: Task, outcome: Deferred, now: float, chance: float) -> None:
        queue = task.invoice.queue
        if outcome.fault is Fault.FILE:
            self._breaker = self._breaker.withdrawn(queue)
            self._again(task, now + _CHANGED_AGAIN)
            return
        if outcome.problem.code == LINK_UNREACHABLE:
            self._answers += 1
            self._breaker = self._breaker.answered(delivered=False)
            self._strike(task, outcome, MOST_DOWNLOADS)
        else:
            self._breaker = self._breaker.deferred(queue, outcome, now, chance)
            if self.pause is None and self._answers > task.counted_at:
                self._strike(task, outcome, self._rules.max_attempts)
        task.failures += 1
        wait = back_off(task.failures, self._rules.initial, self._rules.longest, chance)
        self._again(task, now if task.decision else now + max(wait, outcome.retry_after or 0.0))

    def _strike(self, task: Task, outcome: Deferred, most: int) -> None:
        task.strikes += 1
        task.counted_at = self._answers
        if task.strikes >= most:
            task.decision = Decision(keeps_failing(outcome, task.attempts), None)

    def _again(self, task: Task, due: float) -> None:
        """Let it come due again; what could not be claimed lies in the drop folder, where the scan finds it."""
        task.due = due
        if task.claimed:
            self.schedule.add_claimed(task)

    def _release_held(self, now: float, chance: float) -> None:
        """Judge the held ones as soon as it is clear whose fault their 101 is.

        Something was delivered, or another answer came between, or nothing is left to compare with: the order's. The
        queue was paused for it: the configuration's, and they are sent again one day.
        """
        idle = not self.schedule.under_way and not self.schedule.ready
        for task in list(self._held):
            if self.pause is not None:
                task.decision = None
                task.failures += 1
                due = now + back_off(task.failures, self._rules.initial, self._rules.longest, chance)
            elif idle or task.invoice.queue not in self._breaker.refused:
                due = now
            else:
                continue
            self._held.remove(task)
            self._again(task, due)

    def _may_claim(self) -> bool:
        """Whether a file may be claimed: each failure since the last answer keeps a worker back, but not the last one.

        So an outage finds no more files claimed than there are workers, and one bad file still does not stop the rest.
        """
        under_way = self.schedule.under_way
        return under_way == 0 or under_way + len(self._breaker.failed) < self._workers

    def _probes_fresh(self, pause: Pause) -> bool:
        """Whether the next probe is a file from the drop folder: the claimed ones may all be what the API cannot bear.

        One for each round of the claimed ones, and a bounded number, for files should stay where people see them.
        """
        claimed = sum(1 for _ in self.schedule.claimed())
        return pause.rotate and claimed < 2 * self._workers and pause.probes % (claimed + 1) == claimed
