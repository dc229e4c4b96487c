"""What a single run came to, and the exit status that says it; when it is over (`integration/test_once.py` as well)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoice_watcher.complaints import Complaints
from invoice_watcher.config.sections import Settle
from invoice_watcher.ending import Held, Waiting
from invoice_watcher.errors import ExitStatus
from invoice_watcher.lookout import Lookout
from invoice_watcher.naming import Naming
from invoice_watcher.once import Once, Result
from invoice_watcher.outcome import Fault
from invoice_watcher.queue import Queue
from invoice_watcher.schedule import Decision
from tests.support.world import DELIVERED, LARGEST, RULES, WORKERS, failure, rejected, task_of

if TYPE_CHECKING:
    from invoice_watcher.schedule import Task
    from tests.support.box import Box

LONG_PATIENCE, NO_PATIENCE = 3600.0, -1.0


@pytest.mark.parametrize(
    ("rejected", "waiting", "stopped", "status"),
    [
        (0, 0, False, ExitStatus.OK),
        (1, 0, False, ExitStatus.FAILED),
        (1, 5, False, ExitStatus.FAILED),
        (0, 5, False, ExitStatus.WAITING),
        (0, 5, True, ExitStatus.OK),
    ],
)
def test_the_exit_status(*, rejected: int, waiting: int, stopped: bool, status: ExitStatus) -> None:
    """A rejected invoice needs a person, so it outweighs what waits; what waits because it was stopped is no fault."""
    assert Result(3, rejected, waiting, stopped).exit_status == status


class Run:
    """A single run before a real drop folder, which has been seen."""

    def __init__(self, box: Box, patience: float = LONG_PATIENCE, quiet: float = 0.0) -> None:
        self.queue = Queue(RULES, WORKERS, LARGEST)
        settle = Settle(quiet=quiet, mode="polling", rescan=3600.0)
        naming = Naming.of("[0-9]+")
        lookout = Lookout(box.spool(), box.drop, settle, naming, Complaints(60), on_hint=lambda: None)
        lookout.look(self.queue.schedule)
        while lookout.is_looking:
            lookout.look(self.queue.schedule)
        self.once = Once(self.queue, lookout, patience)

    def claimed(self, **fields: object) -> Task:
        """Let a document lie in the work folder."""
        task = task_of("1", 1, claimed=True)
        for name, value in fields.items():
            setattr(task, name, value)
        self.queue.schedule.add_claimed(task)
        return task


def test_with_nothing_left_it_is_over(box: Box) -> None:
    """An empty drop folder needs no second look."""
    assert Run(box).once.is_done()


def test_it_goes_on_while_a_file_may_be_sent(box: Box) -> None:
    """What lies ready is sent, and what a worker has is waited for, however long that takes."""
    box.put("1.pdf")
    run = Run(box)
    assert not run.once.is_done()
    assert run.queue.next(0) is not None
    assert not run.once.is_done()
    run = Run(box, NO_PATIENCE)
    assert run.queue.next(0) is not None
    assert not run.once.is_done(), "broken off"


def test_it_goes_on_for_a_file_that_is_nearly_ready(box: Box) -> None:
    """A file that was dropped just now is waited for, until patience runs out."""
    box.put("1.pdf")
    assert not Run(box, quiet=5.0).once.is_done()
    assert Run(box, NO_PATIENCE, quiet=5.0).once.is_done()


def test_patience_begins_anew_when_something_moved(box: Box) -> None:
    """It is counted from the last time that anything was sent, or tried."""
    run = Run(box, quiet=5.0, patience=3600.0)
    box.put("1.pdf")
    run.claimed()
    run.once._moved_at -= 3601.0
    assert run.once.is_done()
    run.once.moved()
    assert not run.once.is_done()


def test_a_paused_queue_is_not_waited_for(box: Box) -> None:
    """The API refuses the key: another try in this run would be refused as well."""
    run = Run(box)
    task = run.claimed(attempts=1)
    assert run.queue.next(0) is task
    run.queue.report(task, Waiting(failure(Fault.OPERATOR)), 0, 0.5)
    assert run.once.is_done()


@pytest.mark.parametrize(("attempts", "over"), [(0, False), (2, False), (3, True), (4, True)])
def test_what_fails_is_tried_three_times(box: Box, attempts: int, over: bool) -> None:  # noqa: FBT001 - a case
    """After that it is left for the next run."""
    run = Run(box)
    run.claimed(attempts=attempts)
    assert run.once.is_done() is over


def test_what_was_answered_is_filed_first(box: Box) -> None:
    """However often it was tried, a document that only has to be filed is; the API need not be asked."""
    run = Run(box)
    run.claimed(attempts=3, decision=Decision(DELIVERED, "sha256"))
    assert not run.once.is_done()


def test_what_cannot_be_read_is_not_waited_for(box: Box) -> None:
    """A document that an earlier run left in the work folder, and the disk does not give: it stays as it is."""
    run = Run(box)
    run.claimed(unread=True)
    assert run.once.is_done()


def test_a_wrong_api_code_is_judged_first(box: Box) -> None:
    """A 101 is held back for moments: the clerk hears of it in this run."""
    run = Run(box)
    task = run.claimed()
    assert run.queue.next(0) is task
    task.decision = Decision(rejected(101), "sha256")
    run.queue.report(task, Held(rejected(101)), 0, 0.5)
    assert not run.once.is_done()
