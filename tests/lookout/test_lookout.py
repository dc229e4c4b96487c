"""When the drop folder is looked at, and what of it is taken up."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.complaints import Complaints
from invoice_watcher.config.sections import Settle
from invoice_watcher.errors import FolderLostError
from invoice_watcher.lookout import Lookout
from invoice_watcher.naming import Naming
from invoice_watcher.schedule import Schedule
from invoice_watcher.settling import Unready
from invoice_watcher.standing import MOST_NAMED

if TYPE_CHECKING:
    from tests.support.box import Box

NAMING = Naming.of(r"[^.]+", ["*.bak"])


def lookout(box: Box, most: int) -> Lookout:
    """Give a lookout on the box's drop folder that remembers so many files."""
    settle = Settle(quiet=0.0, mode="polling", rescan=3600.0)
    return Lookout(box.spool(), box.drop, settle, NAMING, Complaints(60), on_hint=lambda: None, most=most)


def see_all(eyes: Lookout, schedule: Schedule) -> None:
    """Look until all of the folder has been seen."""
    eyes.look(schedule)
    while eyes.is_looking:
        eyes.look(schedule)


def taken(schedule: Schedule) -> list[str]:
    """Take everything up, and give the names in that order."""
    taken = []
    while (task := schedule.next(0.0)) is not None:
        taken.append(task.invoice.name)
        schedule.finished(task)
    return taken


def test_more_files_than_the_memory_holds(box: Box) -> None:
    """A backlog of any size: the oldest first, all counted as waiting, and the next look comes once there is room."""
    for number in range(8):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=3)
    see_all(eyes, schedule)
    assert (schedule.ready, eyes.more) == (3, 5)
    assert eyes.expects_more()
    assert eyes.due_at(busy=True) > time.monotonic() + 60
    assert eyes.due_at(busy=False) < time.monotonic() + 60
    delivered = []
    for _ in range(3):
        for name in taken(schedule):
            (box.drop / name).unlink()
            delivered.append(name)
        see_all(eyes, schedule)
    assert delivered == [f"{number}.pdf" for number in range(8)]
    assert (schedule.ready, eyes.more, eyes.expects_more()) == (0, 0, False)
    assert eyes.due_at(busy=False) > time.monotonic() + 60


def test_what_is_no_file_is_remembered_while_it_lies_there(box: Box) -> None:
    """A folder, a link and a FIFO are known by name while they lie there; our own folders and ignored names are not."""
    (box.drop / "scans").mkdir()
    (box.drop / "old.bak").mkdir()
    (box.drop / "1.pdf").symlink_to("nowhere")
    os.mkfifo(box.drop / "2.pdf")
    box.put("3.pdf")
    schedule, eyes = Schedule(), lookout(box, most=3)
    see_all(eyes, schedule)
    assert sorted(eyes.left_alone) == ["1.pdf", "2.pdf", "scans"]
    assert (schedule.ready, eyes.more) == (1, 0)
    (box.drop / "scans").rmdir()
    see_all(eyes, schedule)
    assert sorted(eyes.left_alone) == ["1.pdf", "2.pdf"]


def test_very_many_folders(box: Box) -> None:
    """However many folders somebody makes, a bounded number of their names is remembered."""
    for number in range(MOST_NAMED + 5):
        (box.drop / f"{number}").mkdir()
    eyes = lookout(box, most=3)
    see_all(eyes, Schedule())
    assert len(eyes.left_alone) == MOST_NAMED


def test_a_look_at_many_files_leaves_the_loop_its_time(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where it was left; nothing is offered before the end, for the oldest file may be the last one seen."""
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    for number in range(100):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=200)
    looks = 0
    while not looks or eyes.is_looking:
        assert schedule.ready == 0
        assert eyes.due_at(busy=True) <= time.monotonic()
        eyes.look(schedule)
        looks += 1
    assert looks == 4
    assert schedule.ready == 100


def test_what_leaves_the_folder_during_a_look_is_not_offered(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a worker took after it was seen is not looked for in the drop folder again."""
    for number in range(100):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=200)
    see_all(eyes, schedule)
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    eyes.look(schedule)
    delivered = [task for _ in range(10) if (task := schedule.next(0.0))]
    for task in delivered:
        schedule.finished(task)
        (box.drop / task.invoice.name).unlink()
    while eyes.is_looking:
        eyes.look(schedule)
    assert len(delivered) == 10
    assert schedule.ready == 90
    assert {task.invoice.name for task in delivered}.isdisjoint(taken(schedule))


def test_what_turns_out_unready_during_a_look_is_looked_at_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker says of a file while others are still being seen is not forgotten when all have been."""
    for number in range(100):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=200)
    see_all(eyes, schedule)
    task = schedule.next(0.0)
    assert task is not None
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    eyes.look(schedule)
    schedule.finished(task)
    eyes.not_ready(task, Unready("is still open for writing"))
    while eyes.is_looking:
        eyes.look(schedule)
    assert [one.name for one in eyes.unfinished] == [task.invoice.name]
    assert eyes.due_at(busy=False) < time.monotonic() + 60


def test_a_folder_that_goes_away_ends_a_look(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one begins at the beginning, in the folder that is there by then."""
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    for number in range(100):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=200)
    eyes.look(schedule)
    away = box.drop.rename(box.drop.with_name("away"))
    while eyes.is_looking:  # what is open can still be read
        eyes.look(schedule)
    with pytest.raises(FolderLostError):
        eyes.look(schedule)
    assert not eyes.is_looking
    away.rename(box.drop)


def test_a_task_that_did_not_change_stays_the_same(box: Box) -> None:
    """Very many files are held in memory once, however often they are looked at."""
    path = box.put("1.pdf")
    box.put("2.pdf")
    schedule, eyes = Schedule(), lookout(box, most=3)
    see_all(eyes, schedule)
    before = schedule.ready_by_name()
    path.write_bytes(b"%PDF-1.7 anew")
    see_all(eyes, schedule)
    after = schedule.ready_by_name()
    assert after["2.pdf"] is before["2.pdf"]
    assert after["1.pdf"] is not before["1.pdf"]


def test_a_watch_that_ended_while_a_file_is_looked_at_again_and_again(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    """However short the time between two looks, a dead watch is built anew within a rescan or two."""
    settle = Settle(quiet=0.0, rescan=0.3)
    eyes = Lookout(box.spool(), box.drop, settle, NAMING, Complaints(60), on_hint=lambda: None)
    eyes.start()
    assert eyes._watcher is not None
    eyes._watcher.stop()
    box.put("1.pdf")
    schedule, end = Schedule(), time.monotonic() + 5
    while not caplog.messages and time.monotonic() < end:
        time.sleep(max(0.0, eyes.due_at(busy=False) - time.monotonic()))
        eyes.look(schedule)
        if (task := schedule.next(0.0)) is not None:
            schedule.finished(task)
            eyes.not_ready(task, Unready("is still open for writing", wait=0.1))
    eyes.stop()
    assert caplog.messages == ["the watch on the drop folder had ended; watching anew"]


def test_what_lies_under_the_name_of_a_file_in_hand_is_waited_for(box: Box) -> None:
    """Whoever wants all of the folder sent (`run --once`) is not done before that name was looked at again."""
    path = box.put("1.pdf")
    schedule, eyes = Schedule(), lookout(box, most=3)
    see_all(eyes, schedule)
    task = schedule.next(0.0)
    assert task is not None
    path.unlink()
    box.put("1.pdf")
    see_all(eyes, schedule)
    schedule.finished(task)
    assert eyes.expects_more()
    assert eyes.due_at(busy=False) < time.monotonic() + 60
    see_all(eyes, schedule)
    assert (schedule.ready, eyes.expects_more()) == (1, False)


def test_more_unready_files_than_are_remembered_are_counted_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often workers tell of a file, also in the midst of a look: never are more told to wait than there are."""
    monkeypatch.setattr("invoice_watcher.lookout.findings._MOST_UNFINISHED", 2)
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    for number in range(100):
        box.put(f"{number}.pdf")
    schedule, eyes = Schedule(), lookout(box, most=100)
    see_all(eyes, schedule)
    tasks = [task for _ in range(100) if (task := schedule.next(0.0))]
    for task in tasks:
        schedule.finished(task)
    eyes.look(schedule)
    for task in tasks * 2:
        eyes.not_ready(task, Unready("is still open for writing", wait=3600.0))
    assert eyes.more == 2
    while eyes.is_looking:
        eyes.look(schedule)
    assert 68 <= eyes.more <= 100
    see_all(eyes, schedule)
    assert (schedule.ready, eyes.more, len(eyes.unfinished)) == (0, 100, 2)
