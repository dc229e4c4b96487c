"""Who waits, and why, as the record tells it: each state in which a file can be, and the pause."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from invoice_watcher.census import Census, away
from invoice_watcher.complaints import Complaints
from invoice_watcher.config.sections import Settle
from invoice_watcher.ending import Filed, Waiting
from invoice_watcher.lookout import Lookout, findings
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Fault
from invoice_watcher.queue import Queue
from invoice_watcher.receipt import nanoseconds
from invoice_watcher.schedule import Decision
from invoice_watcher.settling import Unready
from invoice_watcher.standing import MOST_NAMED
from invoice_watcher.tally import Tally
from tests.support.world import DELIVERED, LARGEST, RULES, failure

if TYPE_CHECKING:
    from _typeshed import StrPath

    from invoice_watcher.schedule import Task
    from invoice_watcher.standing import Waiter
    from tests.support.box import Box

NAMING = Naming.of(r"[0-9]+")


class Scene:
    """The parts of a daemon that know who waits, with a real drop folder before them."""

    def __init__(self, box: Box, quiet: float = 0.0) -> None:
        settle = Settle(quiet=quiet, mode="polling", rescan=3600.0)
        self.box, self.queue, self.tally = box, Queue(RULES, 2, LARGEST), Tally()
        self.lookout = Lookout(box.spool(), box.drop, settle, NAMING, Complaints(60), on_hint=lambda: None)
        self.census = Census(box.drop, self.queue, self.lookout, self.tally)

    def look(self) -> None:
        """Scan the drop folder, to the end."""
        self.lookout.look(self.queue.schedule)
        while self.lookout.is_looking:  # it takes a slice at a time, and more of them on a busy machine
            self.lookout.look(self.queue.schedule)

    def take(self) -> Task:
        """Let a worker take the next one."""
        task = self.queue.next(time.monotonic())
        assert task is not None
        return task

    def report(self, task: Task, report: Waiting | Filed) -> None:
        """Take it back from the worker."""
        self.queue.report(task, report, time.monotonic(), 1.0)

    def waiter(self, name: str) -> Waiter:
        """Return how a file stands, which must be known; the record tells the same of it."""
        waiter = self.census.waiter(name)
        assert waiter is not None
        assert waiter.name in {one.name for one in self.census.standing().files}
        return waiter


def at_the_wall(due: float) -> float:
    """Return a monotonic moment as seconds since the epoch."""
    return time.time() + due - time.monotonic()


@pytest.fixture
def scene(box: Box) -> Scene:
    """Give one in which nothing lies yet."""
    return Scene(box)


def test_nothing_waits(scene: Scene) -> None:
    """Where nothing lies, nothing waits, and nothing is known of any name."""
    scene.look()
    standing = scene.census.standing()
    assert (standing.waiting, standing.oldest, standing.files, standing.pause) == (0, None, (), None)
    assert scene.census.waiter("1.pdf") is None


def test_a_file_that_is_ready(scene: Scene) -> None:
    """A file whose turn comes is told with its order, its size, and since when it lies there."""
    path = scene.box.put("1.pdf")
    scene.look()
    waiter = scene.waiter("1.pdf")
    assert (waiter.state, waiter.order_id, waiter.folder, waiter.size) == ("ready", "1", "drop", path.stat().st_size)
    assert nanoseconds(waiter.since, 0) // 10**6 == path.stat().st_ctime_ns // 10**6
    standing = scene.census.standing()
    assert (standing.waiting, standing.oldest) == (1, waiter.since)


def test_a_file_that_settles(box: Box) -> None:
    """A file that changed just now is told with when it is looked at again."""
    scene = Scene(box, quiet=3600.0)
    box.put("1.pdf")
    scene.look()
    waiter = scene.waiter("1.pdf")
    assert (waiter.state, waiter.text) == ("settling", "changed moments ago, and is left alone for 3600 s")
    assert waiter.next_try is not None
    assert scene.census.waiting == 1


def test_a_file_that_a_worker_found_unready(scene: Scene) -> None:
    """What a worker found tells why the file waits."""
    scene.box.put("1.pdf")
    scene.look()
    task = scene.take()
    scene.queue.schedule.finished(task)
    scene.lookout.not_ready(task, Unready("is still open for writing"))
    assert scene.waiter("1.pdf").text == "is still open for writing"


def test_a_name_that_is_no_text(scene: Scene) -> None:
    """A file is asked for by its name as the record writes it, whatever bytes are in it, ready or not."""
    scene.box.put("1\udcff.pdf")
    scene.look()
    assert scene.waiter(r"1\xff.pdf").state == "ready"
    task = scene.take()
    scene.queue.schedule.finished(task)
    scene.lookout.not_ready(task, Unready("is still open for writing"))
    scene.look()
    assert scene.waiter(r"1\xff.pdf").state == "settling"


def test_a_file_of_which_the_disk_tells_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits since it was looked at, as far as anybody knows, and not since 1970; nobody waits behind it."""
    for name in ("1.pdf", "2.pdf"):
        scene.box.put(name)
    began, stat = time.time(), os.stat

    def failing(path: StrPath | int, **options: Any) -> os.stat_result:  # noqa: ANN401 - os.stat has these
        if path == "1.pdf":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", failing)
    scene.look()
    assert nanoseconds(scene.waiter("1.pdf").since, 0) / 1e9 >= began - 0.001
    assert scene.take().invoice.name == "2.pdf"
    task = scene.take()
    scene.queue.schedule.finished(task)
    scene.lookout.not_ready(task, Unready("cannot be read"))
    for _ in range(2):
        waiter = scene.waiter("1.pdf")
        assert waiter.text == "cannot be read"
        assert nanoseconds(waiter.since, 0) / 1e9 >= began - 0.001
        scene.look()


def test_a_file_that_is_taken_away(scene: Scene) -> None:
    """What is gone does not wait any longer, whatever was known of it."""
    path = scene.box.put("1.pdf")
    scene.look()
    task = scene.take()
    scene.queue.schedule.finished(task)
    scene.lookout.not_ready(task, Unready("is still open for writing"))
    path.unlink()
    scene.look()
    assert scene.census.waiter("1.pdf") is None
    assert scene.census.standing().files == ()


def test_very_many_that_settle(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are not ready, all are counted, and a bounded number of them is remembered by name."""
    monkeypatch.setattr(findings, "_MOST_UNFINISHED", 5)
    scene = Scene(box, quiet=3600.0)
    for number in range(8):
        box.put(f"{number}.pdf")
    scene.look()
    standing = scene.census.standing()
    assert (standing.waiting, len(standing.files)) == (8, 5)


def test_what_is_left_alone(scene: Scene) -> None:
    """What is no file does not wait, but is told by name, also one that is no text; and it is news."""
    scene.look()
    before = scene.census.changing()
    (scene.box.drop / "scans").mkdir()
    (scene.box.drop / "1\udcff.pdf").symlink_to("nowhere")
    scene.look()
    assert scene.census.changing() != before
    standing = scene.census.standing()
    assert (standing.waiting, standing.left_alone) == (0, (r"1\xff.pdf", "scans"))


def test_a_file_behind_another(scene: Scene) -> None:
    """A file of an order of which another one is under way is told with that one's name."""
    for name in ("1.pdf", "1.doc"):
        scene.box.put(name)
    scene.look()
    first = scene.take()
    second = ({"1.pdf", "1.doc"} - {first.invoice.name}).pop()
    assert scene.waiter(first.invoice.name).state == "sending"
    waiter = scene.waiter(second)
    assert (waiter.state, waiter.behind) == ("behind", first.invoice.name)
    assert waiter.text == f"waits behind {first.invoice.name}, of the same order"


def _claimed(scene: Scene) -> Task:
    scene.box.put("1.pdf")
    scene.look()
    task = scene.take()
    task.work_name, task.attempts = "1.pdf", 1
    (scene.box.drop / "1.pdf").rename(scene.box.work / "1.pdf")
    return task


def test_a_file_that_is_sent_again(scene: Scene) -> None:
    """An attempt that failed is told with what it came to, and with when the next one is made."""
    task = _claimed(scene)
    task.last = failure()
    scene.report(task, Waiting(task.last))
    waiter = scene.waiter("1.pdf")
    assert (waiter.state, waiter.folder, waiter.attempts) == ("deferred", "work", 1)
    assert waiter.problem is not None
    assert waiter.problem.reason == task.last.problem.reason
    assert waiter.next_try is not None
    assert nanoseconds(waiter.next_try, 0) / 1e9 == pytest.approx(at_the_wall(task.due), abs=1)


def test_a_pause(scene: Scene) -> None:
    """While nothing flows it is told why, since when, what the administrator should do, and when one file is tried."""
    task = _claimed(scene)
    scene.report(task, Waiting(failure(Fault.OPERATOR)))
    before = time.time() - 1
    assert scene.census.changing() != ()
    pause = scene.census.standing().pause
    assert pause is not None
    assert (pause.fault, bool(pause.cure), bool(pause.hint)) == ("operator", True, True)
    assert before < nanoseconds(pause.since, 0) / 1e9 < time.time() + 1
    assert pause.next_try is not None
    assert scene.queue.pause is not None
    assert nanoseconds(pause.next_try, 0) / 1e9 == pytest.approx(at_the_wall(scene.queue.pause.probe_at), abs=1)
    assert scene.waiter("1.pdf").state == "paused"


def test_a_look_in_a_pause(scene: Scene) -> None:
    """A file that is only looked at while nothing may be sent is counted once, and not told as being sent."""
    task = _claimed(scene)
    scene.report(task, Waiting(failure(Fault.OPERATOR)))
    scene.box.put("2.pdf")
    scene.look()
    assert scene.take().look_only
    assert scene.census.waiting == 2
    assert scene.waiter("2.pdf").state == "paused"


def test_an_answer_that_could_not_be_filed(scene: Scene) -> None:
    """What the API took, and this machine could not file, is told as that, and not as sent again."""
    task = _claimed(scene)
    task.decision = Decision(DELIVERED, None)
    scene.queue.resume(task, died=False)
    scene.queue.schedule.finished(task)
    assert scene.waiter("1.pdf").state == "unfiled"


def test_a_suspect(scene: Scene) -> None:
    """What was being sent when the program died is sent alone, and that is told."""
    task = _claimed(scene)
    scene.queue.schedule.finished(task)
    scene.queue.resume(task, died=True)
    assert "when the program died" in scene.waiter("1.pdf").text
    assert scene.census.waiting == 1


def test_what_cannot_be_read(scene: Scene) -> None:
    """What an earlier run left, and the disk does not give, is not told as sent again by itself: it needs a person."""
    task = _claimed(scene)
    task.unread = True
    scene.queue.schedule.finished(task)
    scene.queue.resume(task, died=False)
    assert (scene.waiter("1.pdf").state, scene.census.waiting) == ("unread", 1)
    assert "cannot be read; have the administrator look at the disk" in scene.waiter("1.pdf").text


def test_more_than_are_named(scene: Scene) -> None:
    """However many wait, all are counted, and the oldest hundred are named."""
    for number in range(MOST_NAMED + 20):
        scene.box.put(f"{number}.pdf")
    scene.look()
    standing = scene.census.standing()
    assert (standing.waiting, len(standing.files)) == (MOST_NAMED + 20, MOST_NAMED)


def test_deliveries(scene: Scene) -> None:
    """The newest delivery comes first, and a name that is no text is told in such a way that it can be."""
    for name in ("1.pdf", "2\udcff.pdf"):
        scene.tally.count(NAMING.read(name), name, delivered=True)
    assert [sent.name for sent in scene.census.standing().recent] == [r"2\xff.pdf", "1.pdf"]


def test_a_program_without_folders(box: Box) -> None:
    """A program that waits for its folders says so, and what it came to before."""
    tally = Tally(delivered=3)
    standing = away(box.drop, tally, "the disk is gone")
    assert (standing.trouble, standing.delivered, standing.is_over) == ("the disk is gone", 3, False)
