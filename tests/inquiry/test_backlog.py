"""What waits, by looking into the folders while no program runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from invoice_watcher.config import Config
from invoice_watcher.inquiry.backlog import backlog, note_of
from invoice_watcher.standing import MOST_NAMED
from tests.support.box import Box, written
from tests.support.children import NOBODY, in_child, needs_root


@pytest.fixture
def config(box: Box) -> Config:
    """Give the configuration of the box's folders."""
    return Config(drop_dir=box.drop, ignore=("*.bak",))


def test_what_lies_in_the_drop_folder(box: Box, config: Config) -> None:
    """Whatever would be taken is counted, also what is no invoice; what is left alone is not."""
    for name in ("1.pdf", "2\udcff.pdf", "x.txt", "a.tmp", "b.bak", ".hidden", "~$x.doc", "status.html"):
        box.put(name)
    (box.drop / "folder").mkdir()
    (box.drop / "link.pdf").symlink_to("1.pdf")
    os.mkfifo(box.drop / "pipe.pdf")
    found = backlog(config)
    assert found.waiting == 3
    assert {one.name: one.order_id for one in found.files} == {"1.pdf": "1", r"2\xff.pdf": None, "x.txt": "x"}
    assert found.trouble == ()
    assert found.oldest == found.files[0].since == min(one.since for one in found.files)


def test_what_was_claimed(box: Box, config: Config) -> None:
    """What an earlier run claimed waits as well, under the name under which it was dropped, with what its note says."""
    for name in ("1.pdf", "2.json~1~", "3.pdf"):
        box.put(f".processing/{name}")
    (box.work / ".receipt-1").write_bytes(b" " * 8192)
    box.put(".processing/1.pdf.json", written("waiting", "1.pdf"))
    (box.work / "3.pdf.json").write_bytes(b"damaged")
    found = backlog(config)
    assert found.waiting == 3
    assert {one.name for one in found.files} == {"1.pdf", "2.json", "3.pdf"}
    assert {one.folder for one in found.files} == {"work"}
    (first,) = (one for one in found.files if one.name == "1.pdf")
    assert (first.attempts, first.order_id, first.since) == (1, "12345", "2026-11-22T10:15:00.123Z")


def test_very_many(box: Box, config: Config) -> None:
    """However many there are, all are counted, and the oldest are named, the oldest first."""
    for number in range(MOST_NAMED + 50):
        box.put(f"{number}.pdf")
    ages = {path.name: path.stat().st_ctime_ns for path in box.drop.glob("*.pdf")}
    found = backlog(config)
    assert max(ages.pop(one.name) for one in found.files) <= min(ages.values())
    assert (found.waiting, len(found.files)) == (MOST_NAMED + 50, MOST_NAMED)
    times = [one.since for one in found.files]
    assert times == sorted(times)


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    """A missing drop folder is said, and is no empty one; a missing work folder is made at the first start."""
    found = backlog(Config(drop_dir=tmp_path / "nothing"))
    assert found.waiting is None
    assert "does not exist" in found.trouble[0]
    assert backlog(Config(drop_dir=tmp_path)).waiting == 0


@needs_root
def test_a_work_folder_that_is_shut() -> None:
    """A member of the group may not look into the work folder: what lies there is said not to be counted."""
    with tempfile.TemporaryDirectory() as root, Box(Path(root)) as box:
        box.drop.chmod(0o755)
        box.put("1.pdf")
        box.put(".processing/2.pdf")
        box.work.chmod(0o700)
        found = in_child(lambda: backlog(Config(drop_dir=box.drop)), uid=NOBODY)
    assert found.waiting == 1
    assert "cannot be counted" in found.trouble[0]
    assert ".processing may not be opened by this user" in found.trouble[0]


def test_a_note(box: Box, config: Config) -> None:
    """What is noted of a claimed document can be asked for; where nothing is, or it is damaged, there is none."""
    box.put(".processing/1.pdf")
    assert note_of(config, "1.pdf") is None
    (box.work / "1.pdf.json").write_bytes(b"\xff")
    assert note_of(config, "1.pdf") is None
