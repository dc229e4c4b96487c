"""When the drop folder is looked at, and what of it is taken up."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from invoice_watcher.complaints import Complaints
from invoice_watcher.config.sections import Settle
from invoice_watcher.lookout import Lookout
from invoice_watcher.naming import Naming
from invoice_watcher.schedule import Schedule
from invoice_watcher.standing import MOST_NAMED

if TYPE_CHECKING:
    from tests.support.box import Box

NAMING = Naming.of(r"[^.]+", ["*.bak"])


def lookout(box: Box, most: int) -> Lookout:
    """Give a lookout on the box's drop folder that remembers so many files."""
    settle = Settle(quiet=0.0, mode="polling", rescan=3600.0)
    return Lookout(box.spool(), box.drop, settle, NAMING, Complaints(60), on_hint=lambda: None, most=most)


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
    eyes.look(schedule)
    assert (schedule.ready, eyes.more) == (3, 5)
    assert eyes.expects_more()
    assert eyes.due_at(busy=True) > time.monotonic() + 60
    assert eyes.due_at(busy=False) < time.monotonic() + 60
    delivered = []
    for _ in range(3):
        for name in taken(schedule):
            (box.drop / name).unlink()
            delivered.append(name)
        eyes.look(schedule)
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
    eyes.look(schedule)
    assert sorted(eyes.left_alone) == ["1.pdf", "2.pdf", "scans"]
    assert (schedule.ready, eyes.more) == (1, 0)
    (box.drop / "scans").rmdir()
    eyes.look(schedule)
    assert sorted(eyes.left_alone) == ["1.pdf", "2.pdf"]


def test_very_many_folders(box: Box) -> None:
    """However many folders somebody makes, a bounded number of their names is remembered."""
    for number in range(MOST_NAMED + 5):
        (box.drop / f"{number}").mkdir()
    eyes = lookout(box, most=3)
    eyes.look(Schedule())
    assert len(eyes.left_alone) == MOST_NAMED
