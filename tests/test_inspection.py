"""What is looked at while nothing may be sent."""

from __future__ import annotations

from invoice_watcher.queue.inspection import Inspection
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
    schedule.finished(task)
    inspection.fit(task)
    schedule.offer([task])
    assert inspection.next() is None
    anew = _dropped("1", 2)
    schedule.offer([anew])
    assert inspection.next() is anew
