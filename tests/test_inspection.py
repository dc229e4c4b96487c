"""What is looked at while nothing may be sent."""

from __future__ import annotations

from invoice_watcher.queue.inspection import QUICKLY_READ, Inspection
from invoice_watcher.schedule import Schedule, Task
from invoice_watcher.settling import Signature
from tests.support.box import LARGEST
from tests.support.world import task_of


def _dropped(order: str, arrived: int) -> Task:
    task = task_of(order, arrived)
    task.signature = Signature(1, 1, 1, arrived)
    return task


def test_what_was_claimed_meanwhile_is_not_looked_at() -> None:
    """A file that became a probe in the pause, and failed, waits to be sent again: a look would take it twice."""
    schedule, (first, second) = Schedule(), (_dropped("1", 1), _dropped("2", 2))
    schedule.offer([first, second])
    inspection = Inspection(schedule, LARGEST)
    assert inspection.next() is first
    schedule.finished(first)
    inspection.fit(first)
    first.look_only = False
    assert [schedule.least_tried(fresh=True), schedule.least_tried(fresh=True)] == [first, second]
    for probe in (first, second):
        schedule.finished(probe)
        probe.work_name = probe.invoice.name
        schedule.add_claimed(probe)
    assert inspection.next() is None


def test_each_file_is_looked_at_once() -> None:
    """A file that was found fit is not read again in the same pause, but is when it was written anew."""
    schedule, task = Schedule(), _dropped("1", 1)
    schedule.offer([task])
    inspection = Inspection(schedule, LARGEST)
    assert inspection.next() is task
    assert task.look_only, "it would be sent"
    schedule.finished(task)
    inspection.fit(task)
    schedule.offer([task])
    assert inspection.next() is None
    anew = _dropped("1", 2)
    schedule.offer([anew])
    assert inspection.next() is anew


def test_in_the_next_pause_each_file_is_looked_at_again() -> None:
    """What was found fit in an earlier pause may be unfit by other rules now, though nothing new was dropped since."""
    schedule, task = Schedule(), _dropped("1", 1)
    schedule.offer([task])
    inspection = Inspection(schedule, LARGEST)
    for _ in range(2):
        assert inspection.next() is task
        schedule.finished(task)
        inspection.fit(task)
        assert inspection.next() is None
        inspection.end()


def test_files_of_one_order_are_looked_at_one_after_another() -> None:
    """While one is looked at, the other waits: a rejection of both at once could file the younger before the older."""
    schedule, tasks = Schedule(), [_dropped("1", 1), _dropped("1", 2)]
    schedule.offer(tasks)
    inspection = Inspection(schedule, LARGEST)
    assert [inspection.next(), inspection.next()] == [tasks[0], None]


def test_what_takes_long_to_read_is_not_looked_at() -> None:
    """Up to 1 MiB is read in a moment, and what is larger than an invoice may be is not read at all."""
    sizes = [1, QUICKLY_READ, QUICKLY_READ + 1, LARGEST, LARGEST + 1]
    schedule, tasks = Schedule(), [_dropped(str(number), number) for number in range(len(sizes))]
    for task, size in zip(tasks, sizes, strict=True):
        task.signature = Signature(1, size, 1, 1)
    schedule.offer(tasks)
    inspection = Inspection(schedule, LARGEST)
    assert list(iter(inspection.next, None)) == [tasks[0], tasks[1], tasks[4]]


def test_what_is_dropped_later_is_looked_at_too() -> None:
    """However it was found: beside what the last scan saw, or by the next one."""
    schedule, (first, second, third) = Schedule(), (_dropped(str(number), number) for number in range(3))
    schedule.offer([first])
    inspection = Inspection(schedule, LARGEST)
    assert [inspection.next(), inspection.next()] == [first, None]
    schedule.add_ready([second])
    assert [inspection.next(), inspection.next()] == [second, None]
    schedule.add_ready([third])
    schedule.offer([third])
    assert [inspection.next(), inspection.next()] == [third, None]
