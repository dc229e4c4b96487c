"""What each attempt means for all that wait: joins the schedule and the breaker.

`next` says what to send now; `report` takes back what came of it, and decides: filed, sent again when due, rejected
because it alone keeps failing, held because a 101 may be the configuration's fault. What was under way when the
program died is sent alone, so that the next death tells whose fault it was; who dies so three times is poison.
Guarantees: a document is only ever rejected for failing while others went through; while the queue is paused nothing
counts against a document, and nothing new is claimed but for a probe, and what is no invoice, for that needs no API to
see. No threads, no files: time and chance are arguments. Raises nothing.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from invoice_watcher.backoff import back_off
from invoice_watcher.breaker import IN_A_ROW, Breaker
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Report, Waiting
from invoice_watcher.inspection import Inspection
from invoice_watcher.outcome import LINK_UNREACHABLE, Deferred, Delivered, Fault
from invoice_watcher.policy import api_code_doubted, keeps_failing, rejected_locally
from invoice_watcher.schedule import Decision, Schedule, Task
from invoice_watcher.settling import GONE

if TYPE_CHECKING:
    from invoice_watcher.backoff import RetryRules
    from invoice_watcher.breaker import Pause

MOST_DOWNLOADS = 3
MOST_CRASHES = 3
_FEWEST_ATTEMPTS = 2  # one failure cannot tell a bad document from an API that went away just now
_CHANGED_AGAIN = 1.0
_FILING = 4  # for so many that are sent, one may be filed meanwhile
# Seconds for which a 101 is held in case that others come: people who drop several take moments between them.
_COMPANY = 3.0


class Queue:
    """All that waits, and whether it may flow."""

    def __init__(self, rules: RetryRules, workers: int, largest: int = 0) -> None:
        """Start empty and flowing.

        Args:
            rules: how long to wait, how often to try.
            workers: how many documents may be on their way to the API at once.
            largest: bytes; what is larger is no invoice.
        """
        self._rules = rules
        self._workers = workers
        self.most_under_way = workers + max(1, workers // _FILING)  # those that are being filed among them
        self._breaker = Breaker(rules.initial, rules.longest)
        self._held: list[Task] = []
        self._held_until = 0.0
        self._suspects: list[Task] = []
        self._condemned: list[Task] = []
        self._alone: Task | None = None
        self._answers = 0
        self.schedule = Schedule()
        self._inspection = Inspection(self.schedule, largest)

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
        return self.schedule.waiting + sum(1 for _ in self.schedule.taken()) + len(self.aside)

    @property
    def aside(self) -> list[Task]:
        """What waits outside of the schedule."""
        return [*self._held, *self._suspects, *self._condemned]

    @property
    def is_holding(self) -> bool:
        """Whether a 101 waits to be judged, which takes moments."""
        return bool(self._held)

    def resume(self, task: Task, *, died: bool) -> None:
        """Take up what an earlier run left.

        Args:
            task: the document.
            died: the program died while it was sending it.
        """
        if not died:
            self.schedule.add_claimed(task)
        elif task.crashes < MOST_CRASHES:
            self._suspects.append(task)
        else:
            self._condemned.append(task)

    def next(self, now: float) -> Task | None:
        """Take out what to send now; None when nothing may, or nothing is due."""
        self._release_held(now, 1.0)
        self._reject_condemned(now)
        if self.is_full:
            return None
        if not self._breaker.may_start(now):
            return self._next_to_look_at()
        if self._suspects:
            return self._next_suspect()
        if (pause := self.pause) is None:
            return self.schedule.next(now, fresh=self._may_claim())
        task = self.schedule.least_tried(fresh=self._probes_fresh(pause))
        if task is not None:
            self._breaker = self._breaker.started(task.invoice.queue)
        return task or self._next_to_look_at()

    def wake_at(self) -> float | None:
        """Return when `next` may have something new, monotonic seconds; None when only an event can bring it."""
        if self.is_full:
            return None
        if self.pause is None:
            moments = (self.schedule.wake_at(), self._held_until if self._holds_alone else None)
            return min((moment for moment in moments if moment is not None), default=None)
        startable = self._suspects or self.schedule.startable
        return self.pause.probe_at if self.pause.probing is None and startable else None

    def report(self, task: Task, report: Report, now: float, chance: float) -> None:
        """Take back a task with what came of it.

        Args:
            task: as `next` gave it out.
            report: what came of it.
            now: monotonic seconds.
            chance: 0 to 1, for the jitter.
        """
        self.schedule.finished(task)
        if task is self._alone:
            self._alone = None
        looked_at, task.look_only = task.look_only, False
        if looked_at and not isinstance(report, Fit):
            self.schedule.withdraw(task)
        self._hear_unfiled(task, report, now)
        queue = task.invoice.queue
        match report:
            case Filed(outcome, _, True):
                self._answered(task, now, delivered=isinstance(outcome, Delivered))
            case Filed():
                self._turn(self._breaker.recorded(queue, now), now)
            case Waiting(outcome):
                self._deferred(task, outcome, now, chance)
            case Held(outcome):
                self._held.append(task)
                self._held_until = now + _COMPANY
                self._answers += 1
                self._turn(self._breaker.wrong_api_code(queue, api_code_doubted(outcome).problem, now), now)
            case Fit():
                self._inspection.fit(task)
            case NotReady(unready) if task.claimed and unready is not GONE:
                self._changed(task, now, (unready.needs_person and unready.wait) or _CHANGED_AGAIN)
            case NotReady():
                self._turn(self._breaker.withdrawn(queue), now)
        self._release_held(now, chance)

    def _turn(self, breaker: Breaker, now: float) -> None:
        """Let the gate stand as `breaker` says; when it opens, what waits in the work folder need wait no longer."""
        opens = self.pause is not None and breaker.pause is None
        self._breaker = breaker
        if opens:
            self.schedule.hasten(now)
            self._inspection.end()

    def _answered(self, task: Task, now: float, *, delivered: bool, filed: bool = True) -> None:
        self._answers += 1
        self._turn(self._breaker.answered(task.invoice.queue, now, delivered=delivered, filed=filed), now)

    def _changed(self, task: Task, now: float, wait: float = _CHANGED_AGAIN) -> None:
        """It came to nothing, and may be whole in a moment; as a probe it has had its turn, and others come first."""
        due = now + _CHANGED_AGAIN
        task.failures += self.pause is not None
        self._turn(self._breaker.withdrawn(task.invoice.queue, due if task.claimed else now), now)
        self._again(task, now + wait)

    def _hear_unfiled(self, task: Task, report: Report, now: float) -> None:
        """Take in what the API decided in this attempt, though that could not be filed: it is there."""
        if isinstance(report, Waiting | NotReady) and report.answer is not None and task.decision is not None:
            self._answered(task, now, delivered=isinstance(report.answer, Delivered), filed=False)

    def _deferred(self, task: Task, outcome: Deferred, now: float, chance: float) -> None:
        if outcome.fault is Fault.FILE:
            self._changed(task, now)
            return
        if outcome.fault is Fault.OPERATOR and self._is_refused_alone(task) and self.pause is None:
            outcome = replace(outcome, fault=Fault.WORLD)
        if outcome.problem.code == LINK_UNREACHABLE:
            self._answered(task, now, delivered=False)
            self._strike(task, outcome, MOST_DOWNLOADS)
        else:
            self._turn(self._breaker.deferred(task.invoice.queue, outcome, now, chance), now)
            if self.pause is None and self._answers > task.counted_at:
                self._strike(task, outcome, max(self._rules.max_attempts, _FEWEST_ATTEMPTS))
        task.failures += 1
        wait = back_off(task.failures, self._rules.initial, self._rules.longest, chance)
        self._again(task, now if task.decision else now + max(wait, outcome.retry_after or 0.0))

    def _is_refused_alone(self, task: Task) -> bool:
        """Whether others were answered since this one was first refused, so it is not all that is sent that is refused.

        A firewall that dislikes one document must not make all others wait for probe after probe.
        """
        if task.refused_at is None:
            task.refused_at = self._answers
        return self._answers > task.refused_at

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

        Something was delivered, or another answer came between, or for a while nothing came to compare it with: the
        order's. The queue was paused for it: the configuration's, and they are sent again one day.
        """
        alone = self._holds_alone and now >= self._held_until
        for task in list(self._held):
            if self.pause is not None:
                task.decision = None
                task.failures += 1
                due = now + back_off(task.failures, self._rules.initial, self._rules.longest, chance)
            elif alone or task.invoice.queue not in self._breaker.refused:
                due = now
            else:
                continue
            self._held.remove(task)
            self._again(task, due)

    @property
    def is_full(self) -> bool:
        """Whether nothing may be added to what is under way: places are limited, and a suspect goes alone."""
        under_way = self.schedule.under_way
        if under_way >= self.most_under_way or self._alone is not None or (self._suspects and under_way):
            return True
        return under_way >= self._workers and self.schedule.unanswered >= self._workers

    def _next_suspect(self) -> Task:
        self._alone = task = self._suspects.pop(0)
        self._breaker = self._breaker.started(task.invoice.queue)
        self.schedule.start(task)
        return task

    @property
    def _holds_alone(self) -> bool:
        """Whether something is held, and nothing else is there that could show whose fault it is."""
        if not self._held or self.schedule.under_way or self.schedule.ready:
            return False
        return all(task.decision for task in chain(self.schedule.claimed(), self._suspects))

    def _next_to_look_at(self) -> Task | None:
        if self.pause is None or self.pause.fault is Fault.OURS:
            return None
        return self._inspection.next()

    def _reject_condemned(self, now: float) -> None:
        """Put poison aside as soon as the API has answered for another, or when nothing else is left to try.

        Before that the API may be away, and a program that hangs on it is one that people kill.
        """
        if not self._condemned or (not self._answers and self.waiting > len(self._condemned)):
            return
        while self._condemned:
            task = self._condemned.pop()
            message = f"The program died {task.crashes} times while sending it"
            task.decision = Decision(rejected_locally(None, "poison", message), None)
            self._again(task, now)

    def _may_claim(self) -> bool:
        """Whether a file may be claimed: each failure since the last answer keeps a worker back, but not the last one.

        So an outage finds no more files claimed than there are workers, and one bad file still does not stop the rest.
        """
        sending = self.schedule.unanswered
        return sending == 0 or sending + len(self._breaker.failed) < self._workers

    def _probes_fresh(self, pause: Pause) -> bool:
        """Whether the next probe is a file from the drop folder: the claimed ones may all be what the API cannot bear.

        One for each round of the claimed ones, and a bounded number, for files should stay where people see them.
        """
        claimed = sum(1 for _ in self.schedule.claimed())
        return pause.rotate and claimed < 2 * max(self._workers, IN_A_ROW) and pause.probes % (claimed + 1) == claimed
