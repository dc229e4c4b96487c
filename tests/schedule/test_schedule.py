"""What is sent next: a plain list as the model, and every order of events against it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.schedule import Schedule, Task
from invoice_watcher.settling import Entry, Signature


def _task(order: str, arrived: int = 0, *, number: int = 0, due: float | None = None) -> Task:
    """Give a file of an order; claimed when it has a time at which it is due."""
    task = Task(Invoice(f"{order}-{number}.pdf", OrderId(order), Kind.PDF), arrived, Signature(1, 1, 1, arrived))
    if due is not None:
        task.due, task.work_name = due, task.invoice.name
    return task


def _drained(schedule: Schedule, now: float) -> list[Task]:
    return list(iter(lambda: schedule.next(now), None))


def test_oldest_file_goes_first() -> None:
    """Invoices are sent in the order in which they were dropped, whatever they are called."""
    schedule = Schedule()
    tasks = [_task("c", 1), _task("a", 2), _task("b", 3)]
    schedule.offer(reversed(tasks))
    assert _drained(schedule, 0) == tasks


def test_files_of_one_order_go_one_after_another() -> None:
    """The correction dropped after an invoice is sent after it, never at the same time and never before."""
    schedule = Schedule()
    first, correction, other = _task("1", 1), _task("1", 2, number=1), _task("2", 3)
    schedule.offer([correction, other, first])
    assert _drained(schedule, 0) == [first, other]
    schedule.finished(first)
    assert _drained(schedule, 0) == [correction]


def test_failed_file_blocks_its_order_only() -> None:
    """While an invoice waits to be sent again, its order's newer ones wait behind it, and the others do not."""
    schedule = Schedule()
    failed, newer, other = _task("1", 1, due=60), _task("1", 2, number=1), _task("2", 3)
    schedule.add_claimed(failed)
    schedule.offer([newer, other])
    assert _drained(schedule, 59) == [other]
    assert schedule.wake_at() == 60
    assert _drained(schedule, 60) == [failed]
    schedule.finished(failed)
    assert _drained(schedule, 60) == [newer]


def test_new_scan_forgets_what_is_gone_and_does_not_repeat_what_is_under_way() -> None:
    """A file taken back out of the folder is not looked for; one that is being sent is not sent twice."""
    schedule = Schedule()
    schedule.offer([_task("1"), _task("2", 1)])
    (sent,) = (schedule.next(0),)
    schedule.offer([_task("1"), _task("3", 2)])
    assert sent is not None
    assert schedule.names_under_way() == {sent.invoice.name}
    assert [task.invoice.order_id for task in _drained(schedule, 0)] == ["3"]


def test_two_files_of_the_same_instant_are_sent_by_name() -> None:
    """Files copied in one go, with one time, are sent in the order of their names."""
    schedule = Schedule()
    schedule.offer([_task("b", 5), _task("a", 5)])
    assert [task.invoice.order_id for task in _drained(schedule, 0)] == ["a", "b"]


def test_no_new_file_is_claimed_when_none_is_wanted() -> None:
    """Where files should stay in sight, only what lies in the work folder is tried."""
    schedule = Schedule()
    schedule.offer([_task("1")])
    assert schedule.next(0, fresh=False) is None
    schedule.add_claimed(_task("2", due=900))
    probe = schedule.least_tried(fresh=False)
    assert probe is not None
    assert probe.invoice.order_id == "2"
    assert schedule.ready == 1


def test_all_that_waits_comes_due_when_the_cause_has_passed() -> None:
    """When the API is back, nobody's invoice waits for the rest of its back-off."""
    schedule = Schedule()
    tasks = [_task(str(n), n, due=1000 + n) for n in range(5)]
    for task in tasks:
        task.failures = 9
        schedule.add_claimed(task)
    schedule.hasten(7)
    assert schedule.wake_at() == 7
    assert _drained(schedule, 7) == tasks
    assert {task.failures for task in tasks} == {0}


class ScheduleMachine(RuleBasedStateMachine):
    """The folders, the workers and the clock, as lists; the schedule must agree with them after every step."""

    orders = st.sampled_from(["1", "2", "3"])
    waits = st.sampled_from([0.0, 1.0, 2.0, 50.0])

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule()
        self.now = 100.0
        self.count = 0
        self.drop: list[tuple[str, int, int]] = []
        self.ready: list[Task] = []
        self.claimed: list[Task] = []
        self.under_way: list[Task] = []
        self.probed: Counter[str] = Counter()

    def _busy(self) -> set[str]:
        return {task.invoice.lane for task in self.under_way}

    def _heads(self) -> list[Task]:
        """Give the oldest claimed file of each order that is not under way."""
        lanes = {task.invoice.lane for task in self.claimed} - self._busy()
        mine = ([task for task in self.claimed if task.invoice.lane == lane] for lane in lanes)
        return [min(tasks, key=lambda task: task.age_key) for tasks in mine]

    def _free(self) -> list[Task]:
        """Give of each order that has nothing older anywhere the oldest ready file."""
        blocked = self._busy() | {task.invoice.lane for task in self.claimed}
        oldest = {task.invoice.lane: task for task in sorted(self.ready, key=lambda task: task.age_key, reverse=True)}
        return [task for lane, task in oldest.items() if lane not in blocked]

    def _next_ready(self) -> list[Task]:
        """Give the oldest of the backlog, and of the newcomers; which of these goes first is `test_turns`' matter."""
        horizon = self.schedule._ready.horizon_ns
        streams = {True: list[Task](), False: list[Task]()}
        for task in self._free():
            streams[horizon is not None and task.arrived_ns > horizon].append(task)
        return [min(tasks, key=lambda task: task.age_key) for tasks in streams.values() if tasks]

    def _started(self, task: Task) -> None:
        assert task.invoice.lane not in self._busy(), "two files of one order under way"
        among = self.claimed if task.claimed else self.ready
        among[:] = [one for one in among if one is not task]
        self.under_way.append(task)

    @rule(order=orders, arrived=st.integers(0, 5))
    def drop_file(self, order: str, arrived: int) -> None:
        """A clerk drops a file."""
        self.count += 1
        self.drop.append((order, arrived, self.count))

    @rule()
    def scan(self) -> None:
        """The folder is looked at; what workers read is still in it."""
        found = [_task(order, arrived, number=number) for order, arrived, number in self.drop]
        self.schedule.offer(found)
        busy = {task.invoice.name for task in self.under_way}
        self.ready = [task for task in found if task.invoice.name not in busy]

    @rule()
    def glance(self) -> None:
        """What is new in the folder is found by its name, beside what the last scan found."""
        known = {task.invoice.name for task in (*self.ready, *self.under_way)}
        found = [_task(order, arrived, number=number) for order, arrived, number in self.drop]
        new = [task for task in found if task.invoice.name not in known]
        self.schedule.add_ready(new)
        self.ready += new

    @rule(order=orders, arrived=st.integers(0, 5), wait=waits)
    def recover(self, order: str, arrived: int, wait: float) -> None:
        """A file turns up in the work folder: of an earlier run, or held until now."""
        self.count += 1
        task = _task(order, arrived, number=self.count, due=self.now + wait)
        self.claimed.append(task)
        self.schedule.add_claimed(task)

    @rule(fresh=st.booleans())
    def start(self, fresh: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """What is due goes before what is new, and both by age."""
        due = [task for task in self._heads() if task.due <= self.now]
        free = self._next_ready() if fresh else []
        task = self.schedule.next(self.now, fresh=fresh)
        if due:
            assert task is not None
            assert task in due
            assert task.due == min(one.due for one in due)
        else:
            assert task in free if free else task is None
        if task is not None:
            self._started(task)

    @rule(fresh=st.booleans())
    def probe(self, fresh: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """A probe is the file tried least, or a new one when that is wanted or there is no other."""
        head = min(self._heads(), key=lambda one: (one.failures, one.age_key), default=None)
        ready = self._free() if fresh or head is None else []
        free = min(ready, key=lambda task: (self.probed[task.invoice.name], task.age_key), default=None)
        task = self.schedule.least_tried(fresh=fresh)
        assert task is (free or head)
        if task is not None and not task.claimed:
            self.probed[task.invoice.name] += 1
        if task is not None:
            self._started(task)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), wait=waits, stays=st.booleans())
    def report(self, data: st.DataObject, wait: float, stays: bool) -> None:  # noqa: FBT001 - likewise
        """A worker is done: the file is filed away or gone, stays in the drop folder, or is to be sent again."""
        task = data.draw(st.sampled_from(self.under_way))
        if not task.claimed and not (stays and wait):
            task.work_name = task.invoice.name
            self.drop = [one for one in self.drop if one[2] != int(task.invoice.name.split("-")[1][:-4])]
        self.under_way = [one for one in self.under_way if one is not task]
        self.schedule.finished(task)
        if stays and task.claimed:
            task.due, task.failures = self.now + wait, task.failures + 1
            self.claimed.append(task)
            self.schedule.add_claimed(task)

    @rule()
    def hasten(self) -> None:
        """The API is back."""
        self.schedule.hasten(self.now)
        self.probed.clear()
        assert all(task.due <= self.now for task in self.claimed)

    @rule()
    def sleep(self) -> None:
        """Who waits until `wake_at` neither turns in circles nor sleeps over something that is due."""
        due = min((task.due for task in self._heads()), default=None)
        for _ in range(len(self.schedule._due) + 1):
            task = self.schedule.next(self.now, fresh=False)
            if task is not None:
                assert due is not None
                assert task.due == due <= self.now
                self._started(task)
                return
            wake = self.schedule.wake_at()
            if wake is None:
                break
            assert wake > self.now, "woken for something that cannot start"
            assert due is None or wake <= due
            self.now = wake
        assert due is None, "asleep for ever with a file due"

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every file is where it should be, and counted once."""
        assert {id(task) for task in self.schedule.claimed()} == {id(task) for task in self.claimed}
        assert self.schedule.ready == len(self.ready)
        assert self.schedule.waiting == len(self.ready) + len(self.claimed)
        assert self.schedule.under_way == len(self.under_way)
        assert self.schedule.startable == bool(self._free() or self._heads())


TestScheduleMachine = pytest.mark.slow(ScheduleMachine.TestCase)
TestScheduleMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


def test_files_of_one_order_keep_their_order_whatever_turns_others_take() -> None:
    """The correction of an invoice is sent after it, though new or another clerk's, and others wait in between."""
    schedule = Schedule()
    backlog = [_task(f"a{number}", number) for number in range(100)]
    invoice = _task("500", 300)
    schedule.offer([*backlog, invoice])
    correction, others = _task("500", 1000, number=1), _task("500", 900, number=2)
    others.owner = 7
    schedule.offer([*backlog, invoice, correction, others])
    sent = []
    while (task := schedule.next(0)) is not None:
        sent.append(task)
        schedule.finished(task)
    assert [task for task in sent if task.invoice.lane == invoice.invoice.lane] == [invoice, others, correction]
    assert len(sent) == 103


def test_what_was_sent_while_the_folder_was_looked_at_is_not_offered_again() -> None:
    """A file that was seen early in a long look, and is delivered before its end, is not sent a second time."""
    schedule = Schedule()
    schedule.offer([_task("1"), _task("2", 1)])
    schedule.selection(10, str)
    sent = schedule.next(0)
    assert sent is not None
    schedule.finished(sent)
    assert schedule.offer([_task("1"), _task("2", 1)]) == ["1-0.pdf"]
    assert [task.invoice.lane for task in _drained(schedule, 0)] == ["2"]
    schedule.finished(sent)
    assert schedule.offer([_task("1")]) == [], "what lies there at the next look is another file"


def test_new_files_keep_a_share_of_the_memory_beside_a_backlog() -> None:
    """Of a folder that the memory cannot hold, what a clerk drops now is held as well as what lies there for days."""
    schedule = Schedule()
    schedule.offer([_task("1", 100)])
    selection = schedule.selection(4, str)
    for number in (*range(10), 200):
        selection.add(Entry(number, f"{number}.pdf", 1000, Signature(1, 1, 1, number)))
    assert 200 in {one.changed_ns for one in selection.chosen()}


def test_a_file_that_waits_can_be_told_for_which() -> None:
    """Of one order the file that is being sent goes first, else the oldest in the work folder."""
    schedule = Schedule()
    older, newer, ready = _task("1", 1, due=60), _task("1", 2, number=1, due=0), _task("1", 3, number=2)
    schedule.offer([ready, _task("2", 4)])
    assert schedule.ahead_of(ready) is None
    schedule.add_claimed(newer)
    schedule.add_claimed(older)
    assert [schedule.ahead_of(task) for task in (older, newer, ready)] == [None, older, older]
    assert schedule.next(60) is older
    assert [schedule.ahead_of(task) for task in (older, newer, ready)] == [None, older, older]
    assert [schedule.is_being_sent(task) for task in (older, newer, ready)] == [True, False, False]


def test_what_is_only_looked_at_is_not_being_sent() -> None:
    """A file that a worker checks during a pause still waits in the drop folder."""
    schedule, task = Schedule(), _task("1")
    schedule.offer([task])
    task.look_only = True
    schedule.start(task)
    assert not schedule.is_being_sent(task)
    assert schedule.is_busy("1")


def test_a_file_that_lies_elsewhere_by_now_is_forgotten() -> None:
    """Taken away, it keeps back nobody: the next of its order has its turn, and those behind it stay."""
    schedule = Schedule()
    first, second, third = (_task("1", number, number=number) for number in range(3))
    schedule.offer([first, second, third])
    assert schedule.ready_tasks() == [first, second, third]
    schedule.withdraw(second)
    assert schedule.ready == 2
    schedule.withdraw(second)
    schedule.withdraw(_task("9"))
    assert schedule.ready == 2
    schedule.withdraw(first)
    assert _drained(schedule, 0) == [third]
    assert (schedule.ready, schedule.startable) == (0, False)


def test_an_older_file_that_is_found_later_goes_first() -> None:
    """An invoice that turned up between two looks, and was dropped before the one that is next, is sent before it."""
    schedule = Schedule()
    correction, invoice = _task("1", 2, number=1), _task("1", 1)
    schedule.offer([correction])
    schedule.add_ready([invoice])
    assert _drained(schedule, 0) == [invoice]
    schedule.finished(invoice)
    assert _drained(schedule, 0) == [correction]


def test_probes_go_round_the_files_of_the_drop_folder() -> None:
    """None has a third turn before each has had two, for one of them may be what the disk has room for."""
    schedule, tasks, probed = Schedule(), [_task(str(number), number) for number in range(3)], []
    for _ in range(9):
        schedule.offer(tasks)
        probe = schedule.least_tried(fresh=True)
        assert probe is not None
        probed.append(probe)
        schedule.finished(probe)
    assert probed == tasks * 3
