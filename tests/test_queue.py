"""What becomes of all that waits, over simulated hours and days: chance, outages, bad files and wrong keys."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoice_watcher.delivery import Filed, Held, NotReady, Report, Waiting
from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Problem, Rejected, Source
from invoice_watcher.queue import Queue, RetryRules
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import Unready
from invoice_watcher.spool import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Api: TypeAlias = "Callable[[Task, float], Outcome | Unready]"

HOUR, DAY = 3600.0, 86_400.0
RULES = RetryRules(initial=2.0, longest=300.0, max_attempts=10)
WORKERS = 4
DELIVERED = Delivered(200, "")
WRITING = Unready("is still open for writing")


def _problem(code: int | None = None, reason: str = "reason") -> Problem:
    return Problem(Source.API, code, reason, "message", "hint")


def _failure(
    fault: Fault = Fault.WORLD, retry_after: float | None = None, *, code: int | None = None, reached: bool = True
) -> Deferred:
    return Deferred(_problem(code), fault, retry_after=retry_after, reached=reached)


def _rejected(code: int) -> Rejected:
    return Rejected(_problem(code), 400)


def _task(order: str, arrived: int, *, claimed: bool = False) -> Task:
    name = f"{order}.{arrived}.pdf"
    return Task(Invoice(name, OrderId(order), Kind.PDF), arrived, work_name=name if claimed else "")


class World:
    """The folders, the workers and an API, on simulated time; the loop is the daemon's."""

    def __init__(self, api: Api, *, workers: int = WORKERS, rules: RetryRules = RULES, takes: float = 0.5) -> None:
        self.queue = Queue(rules, workers)
        self.api, self.takes = api, takes
        self.now = 0.0
        self.calls: list[tuple[float, str]] = []
        self.filed: dict[str, Delivered | Rejected] = {}
        self._folder: dict[str, Task] = {}
        self._dropped = 0
        self._ends: list[tuple[float, int, Task, Report]] = []
        self._count = 0
        self._chance = random.Random(7)

    def drop(self, *orders: str) -> None:
        """Drop a file of each order, and scan."""
        for order in orders:
            self._dropped += 1
            task = _task(order, self._dropped)
            self._folder[task.invoice.name] = task
        self.queue.schedule.offer(_task(task.invoice.queue, task.arrived_ns) for task in self._folder.values())

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
        end = self.now + (0.01 if task.decision else self.takes)
        heapq.heappush(self._ends, (end, self._count, task, self._attempt(task)))

    def _attempt(self, task: Task) -> Report:
        if task.decision:
            return self._file(task, task.decision.outcome, sent=False)
        outcome = self.api(task, self.now)
        self.calls.append((self.now, task.invoice.queue))
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
        assert task.invoice.name not in self.filed
        self.filed[task.invoice.queue] = outcome
        return Filed(outcome, task.invoice.name, sent)


def _only(bad: dict[str, Outcome | Unready]) -> Api:
    """Give an API that takes all orders but these."""
    return lambda task, _now: bad.get(task.invoice.queue, DELIVERED)


@pytest.mark.parametrize("max_attempts", [1, 2, 10])
@pytest.mark.parametrize("before", [(), ("x", "y", "z")])
def test_lone_failing_file_is_kept(before: tuple[str, ...], max_attempts: int) -> None:
    """With nothing to compare with, an invoice is tried for a week and kept, whatever went through before it came."""
    world = World(_only({"1": _failure()}), rules=RetryRules(2, 300, max_attempts))
    world.drop(*before)
    world.run(60)
    world.drop("1")
    world.run(7 * DAY)
    assert "1" not in world.filed
    assert 2000 < len(world.calls_of("1")) < 8000


@pytest.mark.parametrize(("max_attempts", "fewest"), [(1, 2), (2, 2), (10, 10)])
def test_file_that_alone_keeps_failing_is_put_aside(max_attempts: int, fewest: int) -> None:
    """A document that chokes the API goes to the failed folder after `retry.max_attempts`, once others go through."""
    world = World(_only({"bad": _failure()}), rules=RetryRules(2, 300, max_attempts))
    world.drop("bad")
    world.run(DAY)
    others = 0
    while "bad" not in world.filed:
        others += 1
        world.drop(f"good {others}")
        world.run(DAY + others * HOUR)
    assert others == fewest
    bad = world.filed["bad"]
    assert isinstance(bad, Rejected)
    assert bad.problem.reason == "keeps_failing"


def test_link_that_cannot_be_fetched_is_tried_three_times() -> None:
    """A link to a document that is not there (105) is put aside after three attempts, even with nothing else to do."""
    world = World(_only({"1": _failure(code=105)}))
    world.drop("1")
    world.run(HOUR)
    assert len(world.calls) == 3
    rejected = world.filed["1"]
    assert isinstance(rejected, Rejected)
    assert rejected.problem.code == 105
    assert world.queue.waiting == 0


@pytest.mark.parametrize(("reached", "most"), [(False, WORKERS), (True, 2 * WORKERS)])
def test_api_away_for_a_day(reached: bool, most: int) -> None:  # noqa: FBT001 - a parameter
    """In an outage with 1,000 invoices: few probes, nothing judged, files stay in sight; afterwards all go at once."""
    world = World(lambda _task, now: DELIVERED if now >= DAY else _failure(reached=reached), takes=10)
    world.drop(*(str(order) for order in range(1000)))
    world.run(DAY)
    probes = [moment for moment, _ in world.calls if moment >= 600]
    assert all(sum(begin <= moment < begin + HOUR for moment in probes) <= 20 for begin in probes)
    assert len(probes) > 200
    assert world.claimed() <= most
    assert not world.filed
    assert all(task.strikes == 0 and task.decision is None for task in world.queue.schedule.claimed())
    world.takes = 0.1
    world.run(DAY + 330)
    assert set(world.filed.values()) == {DELIVERED}
    assert len(world.filed) == 1000
    back = next(moment for moment, _ in world.calls if moment >= DAY)
    assert world.calls[-1][0] < back + 40


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("bad", [_failure(), _failure(retry_after=5), _failure(Fault.OPERATOR), WRITING])
def test_bad_file_never_keeps_the_gate_closed(bad: Outcome | Unready, workers: int) -> None:
    """After an outage everyone's invoices go through, even if the one that is probed chokes the API by itself."""

    def api(task: Task, now: float) -> Outcome | Unready:
        if task.invoice.queue == "bad":
            return bad
        return DELIVERED if now >= HOUR else _failure()

    world = World(api, workers=workers)
    world.queue.schedule.add_claimed(_task("bad", 0, claimed=True))
    world.drop(*(str(order) for order in range(100)))
    world.run(2 * HOUR)
    assert len(world.filed) >= 100
    assert len(world.calls_of("bad")) < 2 * HOUR


def test_with_one_worker_three_bad_files_do_not_stop_the_rest() -> None:
    """However few uploads run side by side, probes come to files other than those that began the pause."""
    world = World(_only({"a": _failure(), "b": _failure(), "c": _failure()}), workers=1)
    world.drop("a", "b", "c", "good")
    world.run(HOUR)
    assert world.filed.get("good") == DELIVERED


def test_retry_after_holds_all_workers_back() -> None:
    """After `Retry-After: 60` nothing is sent for a minute, though uploads from before still go through."""
    answers: Iterator[Outcome] = iter([_failure(retry_after=60), *[DELIVERED] * 99])
    world = World(lambda _task, _now: next(answers))
    world.drop(*(str(order) for order in range(20)))
    world.run(HOUR)
    assert len(world.filed) == 20
    assert not [moment for moment, _ in world.calls if 0.5 < moment < 60.5]


@pytest.mark.parametrize("fault", [Fault.OPERATOR, Fault.OURS])
def test_wrong_key_or_full_disk_costs_nothing(fault: Fault) -> None:
    """The first 401, or a full disk, stops the queue; nothing is put aside, and all goes through once it is mended."""
    world = World(lambda _task, now: DELIVERED if now >= HOUR else _failure(fault))
    world.drop(*(str(order) for order in range(50)))
    world.run(HOUR)
    assert world.queue.pause is not None
    assert not world.filed
    assert len(world.calls) < 40
    world.drop()
    world.run(HOUR + 400)
    assert len(world.filed) == 50


def test_room_on_the_disk_ends_the_pause_without_another_upload() -> None:
    """What the API took while the disk was full is filed once there is room, and then the queue is not paused."""
    queue, task = Queue(RULES, WORKERS), _task("1", 1, claimed=True)
    task.decision = Decision(DELIVERED, "sha256")
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(_failure(Fault.OURS)), 0, 0.5)
    assert queue.next(1.9) is None
    assert queue.next(2) is task
    queue.report(task, Filed(DELIVERED, "1.pdf", sent=False), 2, 0.5)
    assert queue.pause is None
    assert queue.waiting == 0


def test_lone_wrong_order_is_rejected_at_once() -> None:
    """The first invoice ever is for somebody else's order (101): the clerk hears of it now, not with the next one."""
    world = World(_only({"1": _rejected(101)}))
    world.drop("1")
    world.run(1)
    assert world.filed == {"1": _rejected(101)}
    assert len(world.calls) == 1


def test_wrong_api_code_rejects_nobody() -> None:
    """A mistyped API code pauses the queue at the third order; when it is mended, all invoices go through."""
    world = World(lambda _task, now: DELIVERED if now >= HOUR else _rejected(101))
    world.drop(*(str(order) for order in range(10)))
    world.run(HOUR)
    assert world.queue.pause is not None
    assert world.queue.pause.problem.code == 101
    assert not world.filed
    assert all(task.decision is None for task in world.queue.schedule.claimed())
    world.run(HOUR + 400)
    assert list(world.filed.values()) == [DELIVERED] * 10


@pytest.mark.parametrize("good", range(5))
def test_orders_refused_beside_a_delivery_are_rejected(good: int) -> None:
    """Four wrong orders around a right one are rejected, each sent once, whichever is answered first."""
    wrong: dict[str, Outcome | Unready] = {str(order): _rejected(101) for order in range(5) if order != good}
    world = World(_only(wrong), workers=5)
    world.drop("0", "1", "2", "3", "4")
    world.run(400)
    assert world.filed == {**wrong, str(good): DELIVERED}
    assert not world.queue.may_hold
    assert world.queue.pause is None
    world.drop("6", "7", "8")
    assert len(world.calls_of(str(good))) == 1


def test_another_answer_releases_what_is_held() -> None:
    """Two orders the API code does not fit and one that is shipped (103): all are rejected, and nothing pauses."""
    bad: dict[str, Outcome | Unready] = {"1": _rejected(101), "2": _rejected(101), "3": _rejected(103)}
    world = World(_only(bad))
    world.drop("1", "2", "3")
    world.run(60)
    assert world.filed == bad
    assert len(world.calls) == 3


def test_pause_for_101_ends_when_another_order_is_answered() -> None:
    """Three wrong orders happen to come first: a later right one opens the queue, and only the wrong are rejected."""
    wrong: dict[str, Outcome | Unready] = {order: _rejected(101) for order in "abc"}
    world = World(_only(wrong), workers=1)
    world.drop("a", "b", "c", "right", "another")
    world.run(HOUR)
    assert world.filed["right"] == world.filed["another"] == DELIVERED
    assert {order: world.filed[order] for order in "bc"} == {order: _rejected(101) for order in "bc"}


def test_document_taken_out_of_the_work_folder_is_forgotten() -> None:
    """A document that a person removed from the work folder does not block its order, nor is it looked for again."""
    world = World(_only({}))
    gone = _task("1", 0, claimed=True)
    world.queue.schedule.add_claimed(gone)
    assert world.queue.next(0) is gone
    world.queue.report(gone, NotReady(GONE), 0, 0.5)
    world.drop("1")
    world.run(1)
    assert world.filed == {"1": DELIVERED}
    assert (world.queue.waiting, world.queue.wake_at()) == (0, None)


def test_nothing_wakes_the_loop_for_what_cannot_start() -> None:
    """Paused, with only an order left whose other file is still being sent, the program sleeps until that has ended."""
    queue = Queue(RULES, WORKERS)
    queue.schedule.offer([_task("1", 1), _task("2", 2), _task("1", 3)])
    slow, failing = queue.next(0), queue.next(0)
    assert slow is not None
    assert failing is not None
    queue.report(failing, Waiting(_failure(Fault.OURS)), 0, 0.5)
    assert queue.next(100) is None
    assert queue.wake_at() is None
    queue.report(slow, Waiting(_failure(Fault.OURS)), 100, 0.5)
    assert queue.next(100) is not None


class QueueMachine(RuleBasedStateMachine):
    """Any report at any time."""

    orders = st.sampled_from("abcdef")

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(RetryRules(2, 300, 3), 3)
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
            self.drop.append(_task(order, self.count))
        self.drop = [_task(task.invoice.queue, task.arrived_ns) for task in self.drop]
        self.queue.schedule.offer(self.drop)

    @rule()
    def start_what_may(self) -> None:
        """As many as there are workers, one per order, one probe, nothing before the API wants to be called."""
        while (task := self.queue.next(self.now)) is not None:
            assert self.now >= self.asked or task.decision
            assert task.invoice.queue not in {one.invoice.queue for one in self.under_way}
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
    @rule(data=st.data(), outcome=st.sampled_from([DELIVERED, _rejected(103), _rejected(101), _failure(code=105)]))
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
        self._report(task, Waiting(_failure(fault, retry_after, reached=reached)))
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
        kept = [*self.queue.schedule.claimed(), *self.queue._held, *(task for task in self.under_way if task.claimed)]
        assert sorted(task.invoice.name for task in kept) == sorted(self.mine)
        if self.queue._held:
            assert self.queue.pause is None
            assert self.queue.may_hold
            assert self.queue.schedule.under_way or self.queue.schedule.ready

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


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
