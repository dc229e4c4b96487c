"""What each attempt means for all that wait: joins the schedule and the breaker.

`next` says what to send now; `report` takes back what came of it, and decides: filed, sent again when due, or rejected
because it alone keeps failing. Beside the schedule wait the `suspects`, over which the program may have died, and what
is `held` back until it is clear whose fault a 101 is. `inspection` says what to look at while nothing may be sent.
Guarantees: a document is only ever rejected for failing while others went through, or for an API code that is about it
alone, as of a link that cannot be fetched (`tries_for`); while the queue is paused no other failure counts against a
document, and nothing new is claimed but for a probe, and what is no invoice, for that needs no API to see. No threads,
no files: time and chance are arguments. Raises nothing.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from invoice_watcher.breaker import IN_A_ROW, Breaker
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Report, Waiting
from invoice_watcher.outcome import Deferred, Delivered, Fault, tries_for
from invoice_watcher.policy import api_code_doubted, keeps_failing
from invoice_watcher.queue import strikes
from invoice_watcher.queue.held import HeldBack
from invoice_watcher.queue.inspection import Inspection
from invoice_watcher.queue.suspects import Suspects
from invoice_watcher.schedule import Decision, Schedule
from invoice_watcher.settling import GONE

if TYPE_CHECKING:
    from invoice_watcher.backoff import RetryRules
    from invoice_watcher.breaker import Pause
    from invoice_watcher.schedule import Task

_CHANGED_AGAIN = 1.0
_FILING = 4  # for so many that are sent, one may be filed meanwhile


class Queue:
    """All that waits, and whether it may flow."""

    def __init__(self, rules: RetryRules, workers: int, largest: int) -> None:
        """Start empty and flowing.

        Args:
            rules: how long to wait, how often to try.
            workers: how many documents may be on their way to the API at once.
            largest: bytes; what is larger is no invoice.
        """
        self._rules = rules
        self._workers = workers
        self.most_under_way = workers + max(1, workers // _FILING)  # those that are being filed among them
        self._breaker = Breaker(rules)
        self._held = HeldBack()
        self._suspects = Suspects()
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
        return [*self._held.tasks, *self._suspects.untried, *self._suspects.poison]

    @property
    def is_holding(self) -> bool:
        """Whether a 101 waits to be judged, which takes moments."""
        return bool(self._held.tasks)

    def resume(self, task: Task, *, died: bool) -> None:
        """Take up what an earlier run left.

        Args:
            task: the document.
            died: the program died while it was sending it.
        """
        strikes.forget(task)
        if died:
            self._suspects.add(task)
        else:
            self.schedule.add_claimed(task)

    def next(self, now: float, *, expects_more: bool = False) -> Task | None:
        """Judge what is held, condemn poison, and take out what to send now; None when nothing may, or is due.

        Args:
            now: monotonic seconds.
            expects_more: whether other files lie in the drop folder that may yet be offered.
        """
        self._condemn_held(now)
        self._condemn_poison(now, expects_more=expects_more)
        if self.is_full:
            return None
        if not self._breaker.may_start(now):
            return self._next_to_look_at()
        if self._suspects.untried:
            return self._next_suspect()
        if (pause := self.pause) is None:
            return self.schedule.next(now, fresh=self._may_claim())
        task = self.schedule.least_tried(fresh=self._probes_fresh(pause))
        if task is not None:
            self._breaker = self._breaker.started(task.invoice.lane)
        return task or self._next_to_look_at()

    def wake_at(self) -> float | None:
        """Return when `next` may have something new, monotonic seconds; None when only an event can bring it."""
        if self.is_full:
            return None
        if self.pause is None:
            moments = (self.schedule.wake_at(), self._held.until if self._holds_alone else None)
            return min((moment for moment in moments if moment is not None), default=None)
        startable = self._suspects.untried or self.schedule.startable
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
        self._suspects.ended(task)
        looked_at, task.look_only = task.look_only, False
        if looked_at and not isinstance(report, Fit):
            self.schedule.withdraw(task)
        self._hear_unfiled(task, report, now)
        lane = task.invoice.lane
        match report:
            case Filed(outcome=outcome, sent=True):
                self._answered(task, now, delivered=isinstance(outcome, Delivered))
            case Filed():
                self._set_gate(self._breaker.recorded(lane, now), now)
            case Waiting(outcome=Deferred(fault=Fault.FILE)):
                self._changed(task, now)
            case Waiting(outcome=outcome):
                self._deferred(task, outcome, now, chance)
            case Held(outcome=outcome):
                self._held.add(task, now)
                self._answers += 1
                self._set_gate(self._breaker.wrong_api_code(lane, api_code_doubted(outcome).problem, now), now)
            case Fit():
                self._inspection.fit(task)
            case NotReady(unready=unready) if task.claimed and unready is not GONE:
                self._changed(task, now, (unready.needs_person and unready.wait) or _CHANGED_AGAIN)
            case NotReady():
                self._breaker = self._breaker.withdrawn(lane)
        self._release_held(now, chance)

    def _set_gate(self, breaker: Breaker, now: float) -> None:
        """Let the gate stand as `breaker` says; when it opens, what waits in the work folder need wait no longer."""
        opens = self.pause is not None and breaker.pause is None
        self._breaker = breaker
        if opens:
            self.schedule.hasten(now)
            self._inspection.end()

    def _answered(self, task: Task, now: float, *, delivered: bool, filed: bool = True) -> None:
        self._answers += 1
        self._set_gate(self._breaker.answered(task.invoice.lane, now, delivered=delivered, filed=filed), now)

    def _changed(self, task: Task, now: float, wait: float = _CHANGED_AGAIN) -> None:
        """It came to nothing, and may be whole in a moment; as a probe it has had its turn, and others come first."""
        task.failures += self.pause is not None
        self._breaker = self._breaker.withdrawn(task.invoice.lane, now + _CHANGED_AGAIN)
        self._again(task, now + wait)

    def _hear_unfiled(self, task: Task, report: Report, now: float) -> None:
        """Take in what the API decided in this attempt, though that could not be filed: it is there."""
        if isinstance(report, Waiting | NotReady) and report.answer is not None and task.decision is not None:
            self._answered(task, now, delivered=isinstance(report.answer, Delivered), filed=False)

    def _deferred(self, task: Task, outcome: Deferred, now: float, chance: float) -> None:
        if tries := tries_for(outcome):
            self._answered(task, now, delivered=False)
            self._strike(task, outcome, tries)
        else:
            outcome = strikes.weighed(task, outcome, self._answers, paused=self.pause is not None)
            self._breaker = self._breaker.deferred(task.invoice.lane, outcome, now, chance)
            if self.pause is None and strikes.others_answered(task, self._answers):
                self._strike(task, outcome, max(self._rules.max_attempts, strikes.FEWEST))
        wait = max(self._back_off(task, chance), outcome.retry_after or 0.0)
        self._again(task, now if task.decision else now + wait)

    def _strike(self, task: Task, outcome: Deferred, most: int) -> None:
        task.strikes += 1
        task.counted_at = self._answers
        if task.strikes >= most:
            task.decision = Decision(keeps_failing(outcome, task.attempts), None)

    def _back_off(self, task: Task, chance: float) -> float:
        """Count one more failure in a row; returns the seconds until the next try."""
        task.failures += 1
        return self._rules.wait(task.failures, chance)

    def _again(self, task: Task, due: float) -> None:
        """Let it come due again; what could not be claimed lies in the drop folder, where the scan finds it."""
        task.due = due
        if task.claimed:
            self.schedule.add_claimed(task)

    def _release_held(self, now: float, chance: float) -> None:
        """Judge the held ones as soon as it is clear whose fault their 101 is."""
        if self.pause is None:
            self._condemn_held(now)
            return
        for task in self._held.acquitted():
            self._again(task, now + self._back_off(task, chance))

    def _condemn_held(self, now: float) -> None:
        """Let those answers stand that are their orders' own fault; none is held while nothing flows."""
        if self._held.tasks:
            is_over = self._holds_alone and now >= self._held.until
            for task in self._held.condemned(() if is_over else self._breaker.refused):
                self._again(task, now)

    @property
    def is_full(self) -> bool:
        """Whether nothing may be added to what is under way: places are limited, and a suspect goes alone."""
        under_way = self.schedule.under_way
        if under_way >= self.most_under_way or self._suspects.bar(under_way):
            return True
        return under_way >= self._workers and self.schedule.places_taken >= self._workers

    def _next_suspect(self) -> Task:
        task = self._suspects.next()
        self._breaker = self._breaker.started(task.invoice.lane)
        self.schedule.start(task)
        return task

    @property
    def _holds_alone(self) -> bool:
        """Whether something is held, and nothing else is there that could show whose fault it is."""
        if not self._held.tasks or self.schedule.under_way or self.schedule.ready:
            return False
        return all(task.decision for task in chain(self.schedule.claimed(), self._suspects.untried))

    def _next_to_look_at(self) -> Task | None:
        if self.pause is None or self.pause.fault is Fault.OURS:
            return None
        return self._inspection.next()

    def _condemn_poison(self, now: float, *, expects_more: bool) -> None:
        """Put poison aside as soon as the API has answered for another, or when there is nothing else to try.

        Before that the API may be away, and a program that hangs on it is one that people kill.
        """
        is_alone = not expects_more and self.waiting == len(self._suspects.poison)
        if self._suspects.poison and (self._answers or is_alone):
            for task in self._suspects.condemned():
                self._again(task, now)

    def _may_claim(self) -> bool:
        """Whether a file may be claimed: each failure since the last answer keeps a worker back, but not the last one.

        So an outage finds no more files claimed than there are workers, and one bad file still does not stop the rest.
        """
        sending = self.schedule.places_taken
        return sending == 0 or sending + len(self._breaker.failed) < self._workers

    def _probes_fresh(self, pause: Pause) -> bool:
        """Whether the next probe is a file from the drop folder: the claimed ones may all be what the API cannot bear.

        One for each round of the claimed ones; where it fails and is claimed by that, another new one is next, up to a
        bounded number, for files should stay where people see them.
        """
        claimed = sum(1 for _ in self.schedule.claimed())
        return pause.rotate and claimed < 2 * max(self._workers, IN_A_ROW) and pause.probes % (claimed + 1) == claimed
