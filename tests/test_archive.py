"""The archive: what is filed is told as what it is, whatever people did to it, and however much there is."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.archive import Failed, Filing, filed, last_delivered, order_of, shelves_of
from invoice_watcher.errors import FolderError
from invoice_watcher.receipt import SUFFIX
from tests.support.box import NAMING, PDF, receipt, written
from tests.support.fuse import mounted_by_somebody
from tests.support.kernel import piecemeal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.box import Box

STRANGER = 61013
NAME = "12345.pdf"
LONG_AGO_NS = 1_700_000_000_000_000_000
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no look count as a long one, because this machine has something else to do."""
    monkeypatch.setattr("invoice_watcher.pacing.LONG", float("inf"))


def lay(box: Box, name: str = NAME, state: str = "failed") -> None:
    """Lay a document and its receipt into the folder of its state."""
    box.put(f"{state}/{name}")
    box.put(f"{state}/{name}{SUFFIX}", written("done" if state.startswith("done") else "failed", name))


def told(folder: Path) -> dict[str, tuple[str | None, bool, str | None]]:
    """Return of each file that is told of: the document's name, whether it has a receipt, and what is wrong."""
    return {one.path.name: (one.name, one.receipt is not None, one.fault) for one in filed(folder)}


def test_a_receipt_that_is_given_in_parts_is_read_whole(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may give less than was asked for; no receipt is called damaged for that."""
    lay(box)
    monkeypatch.setattr(os, "read", piecemeal(7))
    assert told(box.failed) == {NAME: (NAME, True, None)}


def only(folder: Path) -> Filing:
    """Return the one thing that is filed there."""
    (found,) = filed(folder)
    return found


def test_a_document_and_its_receipt_are_one(box: Box) -> None:
    """What the service filed is told as one: a document, its receipt, its size, and when it came there."""
    lay(box)
    found = only(box.failed)
    assert (found.name, found.path, found.size, found.fault) == (NAME, box.failed / NAME, len(PDF), None)
    assert found.receipt == receipt("failed")
    assert found.changed == pytest.approx((box.failed / NAME).stat().st_ctime)


def test_a_document_whose_receipt_was_deleted(box: Box) -> None:
    """A document without a receipt is told all the same; its name tells its order, as far as it can."""
    box.put(f"failed/{NAME}")
    box.put("failed/no order.pdf")
    found = {one.name: one for one in filed(box.failed)}
    assert told(box.failed) == {NAME: (NAME, False, None), "no order.pdf": ("no order.pdf", False, None)}
    assert order_of(found[NAME], NAMING) == "12345"
    assert order_of(found["no order.pdf"], NAMING) is None


def test_a_receipt_whose_document_was_taken_away(box: Box) -> None:
    """A receipt whose document is gone is told, without a document, and does not count as one."""
    box.put(f"failed/{NAME}{SUFFIX}", written("failed"))
    found = only(box.failed)
    assert (found.name, found.receipt, found.path.name) == (None, receipt("failed"), NAME + SUFFIX)
    assert order_of(found, NAMING) == "12345"
    assert Failed(box.failed, 5).now().count == 0


def test_a_receipt_that_was_rejected_is_a_document(box: Box) -> None:
    """People drop 12345.pdf.json too, or move it back with its document: it has a receipt of its own then."""
    lay(box)
    lay(box, NAME + SUFFIX)
    box.put("failed/notes.json", b"{}")
    assert told(box.failed) == {
        NAME: (NAME, False, None),
        NAME + SUFFIX: (NAME + SUFFIX, True, None),
        "notes.json": ("notes.json", False, None),
    }
    assert Failed(box.failed, 0).now().count == 3


DAMAGED = {
    "cut off": written("failed")[:200],
    "empty": b"",
    "of another": written("failed", "99.pdf"),
    "of another version": written("failed").replace(b'"version": 1', b'"version": 2'),
    "endless": b'"' + b"x" * 200_000,
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=list(DAMAGED))
def test_a_damaged_receipt_is_told_with_its_document(box: Box, raw: bytes) -> None:
    """Under the name of a receipt lies something else: its document is told once, with what is wrong."""
    box.put(f"failed/{NAME}")
    box.put(f"failed/{NAME}{SUFFIX}", raw)
    assert told(box.failed) == {NAME: (NAME, False, "its receipt is damaged, or that of another file")}
    assert Failed(box.failed, 5).now().count == 1


LAID: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "dead link": lambda path: path.symlink_to("nowhere"),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("way", LAID)
def test_what_is_no_file_is_neither_document_nor_receipt(box: Box, way: str) -> None:
    """Links, folders and pipes are not looked into, hold up nobody, and hide nothing."""
    LAID[way](box.failed / "1.pdf")
    box.put(f"failed/{NAME}")
    LAID[way](box.failed / f"{NAME}{SUFFIX}")
    assert [one.name for one in filed(box.failed)] == [NAME]
    assert only(box.failed).receipt is None
    assert Failed(box.failed, 5).now().count == 1


def test_litter_is_no_document(box: Box) -> None:
    """What hides, what programs leave for a moment, and the service's own lock are not counted as invoices."""
    for name in (".hidden", ".invoice-watcher-lock", "~$12345.docx", "1.pdf.tmp", "Thumbs.db", ".12345.pdf.json"):
        box.put(f"failed/{name}")
    assert list(filed(box.failed)) == []
    assert Failed(box.failed, 5).now().count == 0


def test_names_of_any_bytes(box: Box) -> None:
    """A name that is not UTF-8 has its receipt too, in which its bytes are escaped."""
    name = os.fsdecode(b"\xff\x1b[31m.pdf")
    box.put(f"failed/{name}")
    box.put(f"failed/{name}{SUFFIX}", written("failed", "\\xff\x1b[31m.pdf"))
    assert told(box.failed) == {name: (name, True, None)}


@as_root
def test_a_receipt_that_others_wrote_is_not_believed(box: Box) -> None:
    """Where the group may write, a receipt of somebody else's says nothing, and that is said; an orphaned one too."""
    lay(box)
    box.put("failed/2.pdf.json", written("failed", "2.pdf"))
    for name in (NAME, "2.pdf"):
        os.chown(box.failed / (name + SUFFIX), STRANGER, -1)
    box.failed.chmod(0o2770)
    fault = "its receipt was written by somebody else, and is not believed"
    assert told(box.failed) == {NAME: (NAME, False, fault), "2.pdf.json": (None, False, fault)}
    assert Failed(box.failed, 5).now().count == 1


@as_root
def test_where_only_the_owner_writes_every_receipt_is_believed(box: Box) -> None:
    """A backup that was restored under another name is no forgery: nobody else could have put it there."""
    lay(box, state="done")
    os.chown(box.done / (NAME + SUFFIX), STRANGER, -1)
    box.done.chmod(0o2750)
    assert told(box.done) == {NAME: (NAME, True, None)}
    box.done.chmod(0o2770)
    os.chown(box.done, STRANGER, -1)
    assert told(box.done) == {NAME: (NAME, True, None)}


def test_months_belong_to_the_done_folder(box: Box) -> None:
    """Deliveries are found in done and in its months' folders; in no other folder there, and by no link."""
    for folder in ("2026-11", "2026-12", "2026-13", "old"):
        (box.done / folder).mkdir()
        lay(box, state=f"done/{folder}")
    lay(box, state="done")
    (box.done / "2026-10").symlink_to(box.failed)
    lay(box)
    assert {str(one.path.relative_to(box.done)) for one in filed(box.done)} == {
        NAME,
        f"2026-11/{NAME}",
        f"2026-12/{NAME}",
    }
    assert [one.path for one in filed(box.done, months=False)] == [box.done / NAME]


def _after(path: Path, earlier: Path) -> None:
    """Touch a file until it is younger than another."""
    while path.stat().st_ctime_ns <= earlier.stat().st_ctime_ns:
        path.touch()


def test_the_last_deliveries(box: Box) -> None:
    """The newest first, wherever they lie, and no more than were asked for; documents without receipts count too."""
    for month in ("2026-10", "2026-11"):
        (box.done / month).mkdir()
    places = ["done/2026-10/1.pdf", "done/2026-11/2.pdf", "done/3.pdf", "done/2026-11/4.pdf"]
    paths = [box.put(place) for place in places]
    for earlier, later in pairwise(paths):
        _after(later, earlier)
    box.put("done/3.pdf.json", written("done", "3.pdf"))
    newest = last_delivered(box.done, 2)
    assert [one.path for one in newest] == [paths[3], paths[2]]
    assert [one.receipt is not None for one in newest] == [False, True]
    assert [one.path for one in last_delivered(box.done, 9)] == paths[::-1]
    assert [one.path for one in last_delivered(box.done, 1)] == paths[3:]
    assert [folder.name for folder in shelves_of(box.done)] == ["done", "2026-11", "2026-10"]


def test_a_folder_that_is_away(box: Box, tmp_path: Path) -> None:
    """Who lists it is told; who watches it gets a sentence in place of a number, and the number when it is back."""
    away = tmp_path / "away"
    with pytest.raises(FolderError, match="does not exist"):
        list(filed(away))
    failed = Failed(away, 5)
    now = failed.now()
    assert (now.count, now.newest) == (None, ())
    assert "does not exist" in (now.trouble or "")
    lay(box)
    shutil.copytree(box.failed, away)
    assert (failed.now().count, failed.now().trouble) == (1, None)


def test_the_newest_failures(box: Box) -> None:
    """A count of all, and the newest with their receipts; whatever comes or goes is seen at the next look."""
    failed = Failed(box.failed, 2)
    assert failed.now().count == 0
    paths = []
    for number in range(4):
        lay(box, f"{number}.pdf")
        paths.append(box.failed / f"{number}.pdf")
        if number:
            _after(paths[-1], paths[-2])
        assert failed.now().count == number + 1
    assert [one.path for one in failed.now().newest] == [paths[3], paths[2]]
    assert all(one.receipt for one in failed.now().newest)
    paths[3].rename(box.drop / "3.pdf")
    now = failed.now()
    assert (now.count, [one.path for one in now.newest]) == (3, [paths[2], paths[1]])


def test_nothing_is_read_while_nothing_changes(box: Box) -> None:
    """A page or a metric may ask every second: where the folder did not change, its files are not looked at."""
    box.put("failed/1.json", written("failed", "1"))
    os.utime(box.failed, ns=(LONG_AGO_NS, LONG_AGO_NS))
    failed = Failed(box.failed, 5)
    assert failed.now().count == 0
    (box.failed / "1.json").write_bytes(b"no receipt any more, so a document")
    assert failed.now().count == 0
    os.utime(box.failed)
    assert failed.now().count == 1


def test_a_look_that_takes_long_is_taken_seldom(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where very much failed, whoever asks again and again is told for a while what was seen last."""
    monkeypatch.setattr("invoice_watcher.pacing.LONG", 0.0)
    monkeypatch.setattr("invoice_watcher.pacing.REST", float("inf"))
    failed = Failed(box.failed, 5)
    assert failed.now().count == 0
    lay(box)
    assert failed.now().count == 0


def test_a_change_in_the_same_tick_is_seen(box: Box) -> None:
    """A change that leaves the folder's time as it was, for the clock had not ticked, is not missed."""
    lay(box, "1.pdf")
    before = box.failed.stat().st_mtime_ns
    failed = Failed(box.failed, 5)
    assert failed.now().count == 1
    lay(box, "2.pdf")
    os.utime(box.failed, ns=(before, before))
    assert failed.now().count == 2


@pytest.fixture
def crowd(memory_box: Box) -> Box:
    """Give a failed folder with very much in it."""
    raw = written("failed")
    for number in range(10_000):
        memory_box.put(f"failed/{number}.pdf", b"")
        memory_box.put(f"failed/{number}.pdf.json", raw.replace(NAME.encode(), f"{number}.pdf".encode()))
    return memory_box


@pytest.mark.slow
def test_memory_stays_flat(crowd: Box) -> None:
    """However many invoices failed, counting and listing them takes no memory for each."""
    tracemalloc.start()
    try:
        assert Failed(crowd.failed, 10).now().count == 10_000
        assert sum(one.receipt is not None for one in filed(crowd.failed)) == 10_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000


def test_a_name_on_which_somebody_has_mounted_something(box: Box) -> None:
    """A name on which somebody mounted something that nobody else may look into hides none of the others."""
    lay(box)
    box.put(f"failed/evil.pdf{SUFFIX}")
    with mounted_by_somebody(box.failed / "evil.pdf"):
        assert NAME in told(box.failed)
        assert Failed(box.failed, most=5).now().trouble is None


def test_who_looks_back_leaves_the_daemon_its_time(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an archive of very many, the last deliveries are found at leisure, and found all the same."""
    monkeypatch.setattr("invoice_watcher.pacing.LONG", 0.0)
    for number in range(600):
        box.put(f"done/{number}.pdf")
    rests: list[float] = []
    found = last_delivered(box.done, 600, rests.append)
    assert len(found) == 600
    assert len(rests) == 2
    assert all(rests)


def test_a_look_back_can_be_ended(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop does not wait for a search for the last deliveries in a large archive."""
    monkeypatch.setattr("invoice_watcher.pacing.LONG", 0.0)
    for number in range(600):
        box.put(f"done/{number}.pdf")

    def stop(_: float) -> None:
        raise FolderError("the program ends")

    with pytest.raises(FolderError, match="the program ends"):
        last_delivered(box.done, 1, stop)
