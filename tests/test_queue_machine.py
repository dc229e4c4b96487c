"""The queue under any reports in any order: nothing lost, nothing judged in a pause, no loop that turns in circles."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoice_watcher.backoff import RetryRules
from invoice_watcher.ending import Filed, Held, NotReady, Report, Waiting
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Rejected
from invoice_watcher.queue import Queue
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import GONE
from tests.support.world import DELIVERED, LARGEST, WRITING, failure, rejected, task_of


class QueueMachine(RuleBasedStateMachine):
    """Any report at any time."""

    orders = st.sampled_from("abcdef")

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(RetryRules(2, 300, 3), 3, LARGEST)
        self.now, self.asked = 0.0, 0.0
        self.count, self.answers = 0, 0
        self.drop: list[Task] = []
        self.mine: dict[str, Task] = {}
        self.first: dict[str, int] = {}
        self.under_way: list[Task] = []
        self.probe: Task | None = None

    @rule(orders=st.lists(orders, max_size=4))
    def drop_and_scan(self, orders: list[str]) -> None:
        """Files arrive."""
        for order in orders:
            self.count += 1
            self.drop.append(task_of(order, self.count))
        self.drop = [task_of(task.invoice.lane, task.arrived_ns) for task in self.drop]
        self.queue.schedule.offer(self.drop)

    @rule()
    def start_what_may(self) -> None:
        """As many as there are workers, one per order, one probe, nothing before the API wants to be called."""
        while (task := self.queue.next(self.now)) is not None:
            assert self.now >= self.asked or task.decision
            assert task.invoice.lane not in {one.invoice.lane for one in self.under_way}
            if self.queue.pause is not None:
                assert self.probe is None, "a second probe"
                self.probe = task
            self.under_way.append(task)
            self.first.setdefault(task.invoice.name, self.answers)
        wake = self.queue.wake_at()
        assert len(self.under_way) <= 3
        assert wake is None or wake > self.now, "the loop turns in circles"
        assert self.under_way or wake is not None or not self.queue.waiting, "asleep for ever"

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from([DELIVERED, rejected(103), rejected(101), failure(code=105)]))
    def answer(self, data: st.DataObject, outcome: Outcome) -> None:
        """The API says something about a document."""
        task = self._ended(data)
        self._claim(task)
        if task.decision:
            self._file(task, task.decision.outcome, sent=False)
        elif isinstance(outcome, Deferred):
            self.answers += 1
            self._report(task, Waiting(outcome))
        elif self.queue.may_hold and isinstance(outcome, Rejected) and outcome.problem.code == 101:
            self.answers += 1
            task.decision = Decision(outcome, "sha256")
            self._report(task, Held(outcome))
        else:
            self.answers += 1
            self._file(task, outcome, sent=True)

    @precondition(lambda self: self.under_way)
    @rule(
        data=st.data(),
        fault=st.sampled_from([Fault.WORLD, Fault.WORLD, Fault.WORLD, Fault.OPERATOR, Fault.OURS, Fault.FILE]),
        retry_after=st.sampled_from([None, None, 1.0, 60.0]),
        reached=st.booleans(),
    )
    def fail(self, data: st.DataObject, fault: Fault, retry_after: float | None, *, reached: bool) -> None:
        """An attempt fails; nothing is judged by it in a pause, nor before others went through."""
        task = self._ended(data)
        if fault is not Fault.OURS:
            self._claim(task)
        elif not task.claimed:
            self.drop.append(task)
        judged, paused = task.decision, self.queue.pause is not None
        retry_after = None if fault in {Fault.OURS, Fault.FILE} else retry_after
        self.asked = max(self.asked, self.now + (retry_after or 0.0))
        self._report(task, Waiting(failure(fault, retry_after, reached=reached)))
        if task.decision is not judged:
            assert not paused
            assert fault is Fault.WORLD
            assert self.answers > self.first[task.invoice.name], "judged while nothing else went through"

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), gone=st.booleans())
    def leave(self, data: st.DataObject, *, gone: bool) -> None:
        """A file is being written, or is gone."""
        task = self._ended(data)
        if gone:
            self.mine.pop(task.invoice.name, None)
        elif not task.claimed:
            self.drop.append(task)
        self._report(task, NotReady(GONE if gone else WRITING))

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 30.0, 400.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def sleep(self) -> None:
        """The loop wakes when it asked to."""
        self.start_what_may()
        self.now = max(self.now, self.queue.wake_at() or 0.0)

    def _claim(self, task: Task) -> None:
        task.work_name, task.attempts = task.invoice.name, task.attempts + 1
        self.mine[task.invoice.name] = task

    def _ended(self, data: st.DataObject) -> Task:
        return self._taken_back(data.draw(st.sampled_from(self.under_way)))

    def _taken_back(self, task: Task) -> Task:
        self.under_way = [one for one in self.under_way if one is not task]
        self.drop = [one for one in self.drop if one.invoice.name != task.invoice.name]
        self.probe = None if self.probe is task else self.probe
        return task

    def _file(self, task: Task, outcome: Delivered | Rejected, *, sent: bool) -> None:
        del self.mine[task.invoice.name]
        self._report(task, Filed(outcome, task.invoice.name, sent))

    def _report(self, task: Task, report: Report) -> None:
        self.queue.report(task, report, self.now, 0.5)
        if self.queue.pause is None:
            self.probe = None

    @invariant()
    def nothing_is_lost(self) -> None:
        """All that was claimed waits, is under way or held; and it is held only while that may still help."""
        kept = [
            *self.queue.schedule.claimed(),
            *self.queue._held.tasks,
            *(task for task in self.under_way if task.claimed),
        ]
        assert sorted(task.invoice.name for task in kept) == sorted(self.mine)
        if self.queue._held.tasks:
            assert self.queue.pause is None
            assert self.queue.may_hold
            others = self.queue.schedule.under_way or self.queue.schedule.waiting
            assert others or self.queue.wake_at() is not None, "held for ever"

    def teardown(self) -> None:
        """Once the API is back and answers, every file is filed within minutes, though none is dropped any more."""
        end = max(self.now, self.asked) + 2000
        self.drop_and_scan([])
        while self.queue.waiting:
            self.start_what_may()
            if not self.under_way:
                self.now = self.queue.wake_at() or end
            assert self.now < end
            for task in self.under_way[:1]:
                self._claim(self._taken_back(task))
                decided = task.decision.outcome if task.decision else DELIVERED
                self._file(task, decided, sent=task.decision is None)
        assert not self.mine


TestQueueMachine = pytest.mark.slow(QueueMachine.TestCase)
TestQueueMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
