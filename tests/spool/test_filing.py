"""Where decisions become files: nothing is ever replaced, and every document has its own receipt or its own name."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from invoice_watcher.receipt import decode
from invoice_watcher.spool import syscalls
from invoice_watcher.spool.filing import Slot, file_away, free_names
from invoice_watcher.spool.names import work_names
from invoice_watcher.spool.receipts import read_receipt, remove_stale
from tests.support.box import OTHER_PDF, PDF, Box, receipt, written
from tests.support.fuse import mounted_by_somebody
from tests.support.kernel import OldKernel, failing, failing_at, interrupted, piecemeal, traced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.receipt import State

NAME = "12345.pdf"


def filed(box: Box, work_name: str = NAME, state: State = "done", *, receipts: bool = True) -> str:
    """File a claimed document away; return its final name."""
    with Slot(box.folders.work) as slot:
        return file_away(work_name, box.shelves(receipts=receipts), receipt(state), slot)


def claimed(box: Box, work_name: str = NAME, raw: bytes = PDF) -> None:
    """Lay a claimed document into the work folder."""
    box.put(f".processing/{work_name}", raw)


@pytest.mark.parametrize("state", ["done", "failed"])
@pytest.mark.parametrize("receipts", [True, False])
def test_a_document_and_its_receipt_lie_side_by_side(box: Box, state: State, receipts: bool) -> None:  # noqa: FBT001 - parametrized
    """Both in the folder that says what became of it, and nothing is left behind; a failure's receipt always."""
    claimed(box)
    assert filed(box, state=state, receipts=receipts) == NAME
    expected = {f"{state}/{NAME}": PDF, f"{state}/{NAME}.json": written(state)}
    assert box.files() == (expected if receipts or state == "failed" else {f"{state}/{NAME}": PDF})


def test_the_receipt_may_be_read_by_the_group(box: Box) -> None:
    """A clerk has to read why an invoice failed, though the service's umask is strict."""
    claimed(box)
    before = os.umask(0o077)
    filed(box, state="failed")
    os.umask(before)
    assert stat.S_IMODE((box.failed / f"{NAME}.json").stat().st_mode) == 0o640


def _file(path: Path) -> None:
    path.write_bytes(b"precious")


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("occupy", [_file, _folder, _dangling])
@pytest.mark.parametrize("occupied", [NAME, f"{NAME}.json"])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_what_lies_there_is_never_replaced(
    box: Box, occupy: Callable[[Path], None], occupied: str, state: State
) -> None:
    """A name that is taken in done or failed is not replaced: document and receipt take the next number."""
    path = box.root / state / occupied
    occupy(path)
    before = path.lstat()
    claimed(box)
    assert filed(box, state=state) == "12345.2.pdf"
    assert path.lstat().st_ino == before.st_ino
    assert path.lstat().st_mtime_ns == before.st_mtime_ns
    assert box.receipt(f"{state}/12345.2.pdf.json").file == "12345.2.pdf"
    assert (box.root / state / "12345.2.pdf").read_bytes() == PDF


def test_the_numbers_go_on(box: Box) -> None:
    """The second `12345.pdf` becomes `12345.2.pdf`, then `12345.3.pdf`; a number that was there is left alone."""
    names = []
    for work_name in (NAME, NAME, NAME, "12345.2.pdf", "README"):
        claimed(box, work_name)
        names.append(filed(box, work_name))
    assert names == [NAME, "12345.2.pdf", "12345.3.pdf", "12345.2.2.pdf", "README"]


def test_a_name_that_is_taken_in_that_instant_is_not_replaced(box: Box) -> None:
    """Somebody creates the file between the look and the rename: next number, and no orphaned receipt."""
    claimed(box)
    with traced() as calls:
        filed(box)
    for path in box.done.iterdir():
        path.unlink()
    claimed(box)
    with interrupted(calls.index("renameat2") + 1, lambda: _file(box.done / NAME)):
        assert filed(box) == "12345.2.pdf"
    assert box.names() == {f"done/{NAME}", "done/12345.2.pdf", "done/12345.2.pdf.json"}


def test_the_receipt_is_complete_before_the_document_appears(box: Box) -> None:
    """Whoever sees the document in the folder can read its receipt."""
    for call in range(1, 100):
        claimed(box)
        seen: list[bytes] = []

        def look(seen: list[bytes] = seen) -> None:
            seen.extend(raw for name, raw in box.files().items() if name.startswith("done/"))

        with interrupted(call, look) as happened:
            filed(box)
        if not happened():
            return
        assert seen in ([], [written("done")], [PDF, written("done")])
        for path in box.done.iterdir():
            path.unlink()
    pytest.fail("it never ends")


def test_every_step_is_durable_before_the_next_one_relies_on_it(box: Box) -> None:
    """After a power cut there is no empty receipt, and no note is gone before its document lies in its place."""
    claimed(box)
    with traced() as calls:
        filed(box)
    steps = [call for call in calls if call in {"pwrite", "fsync", "rename", "link", "renameat2", "unlink"}]
    room, *steps = steps
    assert room == "pwrite"
    assert steps == ["pwrite", "fsync", "rename", "link", "renameat2", "fsync", "fsync", "unlink"]


@pytest.mark.parametrize(("content", "free"), [
    (written("failed", raw=OTHER_PDF), True),
    (written("done"), False),
    (written("waiting"), False),
    (written("failed", "6789.pdf"), False),
    (b"{}", False),
    (b"", False),
    (b"\xff" * 100_000, False),
])  # fmt: skip
def test_only_our_own_orphaned_receipt_of_a_failure_is_stale(box: Box, content: bytes, free: bool) -> None:  # noqa: FBT001 - parametrized
    """A person moved the document back; the proof of a delivery stays, as does what others wrote."""
    box.put(f"failed/{NAME}.json", content)
    claimed(box)
    assert filed(box, state="failed") == (NAME if free else "12345.2.pdf")
    assert (box.files()[f"failed/{NAME}.json"] == content) is not free


def test_whoever_asks_for_a_free_name_changes_nothing(box: Box) -> None:
    """The receipt of what was moved back tells its order until the decision is written down."""
    box.put(f"failed/{NAME}.json", written("failed"))
    assert next(free_names(NAME, box.folders.failed, with_receipt=True)) == NAME
    assert box.files() == {f"failed/{NAME}.json": written("failed")}


@pytest.mark.parametrize("links", [True, False])
def test_an_old_receipt_goes_when_the_decision_is_written_down(
    box: Box,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,  # noqa: FBT001 - parametrized
) -> None:
    """`12345.2.pdf` is refused again: in each instant its old receipt, its note or its new receipt tells its order."""
    if not links:
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    told = b""
    for call in range(1, 100):
        box.put("failed/12345.2.pdf.json", written("failed", "12345.2.pdf", OTHER_PDF))
        claimed(box, "12345.2.pdf")

        def look() -> None:
            nonlocal told
            files = box.files()
            told = files.get("failed/12345.2.pdf.json") or files.get(".processing/12345.2.pdf.json") or b""

        with interrupted(call, look) as happened:
            assert filed(box, "12345.2.pdf", "failed") == "12345.2.pdf"
        assert box.receipt("failed/12345.2.pdf.json").order_id == "12345"
        if not happened():
            return
        assert decode(told).order_id == "12345"
        for place in box.names():
            (box.root / place).unlink()
    pytest.fail("it never ends")


def test_an_old_receipt_that_may_not_be_removed_keeps_its_name(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies in a sticky folder, or is immutable: the document gets a number, and waits for nobody."""
    box.put(f"failed/{NAME}.json", written("failed", raw=OTHER_PDF))
    claimed(box, f"{NAME}~1~")
    monkeypatch.setattr(os, "unlink", failing_at(f"{NAME}.json", os.unlink))
    assert filed(box, f"{NAME}~1~", state="failed") == "12345.2.pdf"
    assert box.files() == {
        f"failed/{NAME}.json": written("failed", raw=OTHER_PDF),
        "failed/12345.2.pdf": PDF,
        "failed/12345.2.pdf.json": written("failed", "12345.2.pdf"),
    }


def test_another_failure_leaves_the_order_of_what_was_moved_back(box: Box) -> None:
    """A clerk moves `12345.2.pdf` back, and before its turn comes `12345.pdf` fails again: its order is still known."""
    box.put(f"failed/{NAME}", PDF)
    box.put("failed/12345.2.pdf.json", written("failed", "12345.2.pdf"))
    box.put("12345.2.pdf", OTHER_PDF)
    claimed(box)
    assert filed(box, state="failed") == "12345.3.pdf"
    assert box.spool().filed_for("12345.2.pdf") == "12345"


def test_a_receipt_beside_its_document_is_not_stale(box: Box) -> None:
    """A receipt goes only when the document beside it has gone."""
    box.put(f"failed/{NAME}")
    box.put(f"failed/{NAME}.json", written("failed"))
    assert not remove_stale(NAME, box.folders.failed)
    assert len(box.names()) == 2


# What a second instance runs, with folders of its own to take from: files a document of the same name away.
SECOND = """
import sys
from pathlib import Path
from invoice_watcher.receipt import decode
from invoice_watcher.spool import Folders, Slot
from invoice_watcher.spool.filing import file_away
from invoice_watcher.spool.shelves import Shelves
root, decision = map(Path, sys.argv[1:])
second = root / "second"
second.mkdir()
folders = Folders(second, root / "done", root / "failed", second / ".processing")
(second / ".processing/12345.pdf").write_bytes(b"of the second")
with Slot(folders.work) as slot:
    file_away("12345.pdf", Shelves(folders, monthly=False, receipts=True), decode(decision.read_bytes()), slot)
"""


@pytest.mark.parametrize("state", ["done", "failed"])
def test_two_instances_leave_each_others_receipts_alone(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    """One files `12345.pdf` away in the instant in which another has its receipt, but not its document, in failed."""
    decision = tmp_path / "decision"
    decision.write_bytes(written(state))
    link = os.link

    def link_and_wait(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever os.link takes
        link(*args, **kwargs)
        monkeypatch.undo()
        subprocess.run([sys.executable, "-c", SECOND, box.root, decision], check=True)

    claimed(box)
    monkeypatch.setattr(os, "link", link_and_wait)
    assert filed(box, state="failed") == NAME
    assert box.receipt(f"failed/{NAME}.json").state == "failed"
    theirs = "done/12345.pdf" if state == "done" else "failed/12345.2.pdf"
    assert {place: raw for place, raw in box.files().items() if not place.endswith(".json")} == {
        f"failed/{NAME}": PDF,
        theirs: b"of the second",
    }
    assert box.receipt(f"{theirs}.json").state == state


def test_an_old_receipt_that_cannot_be_read_holds_up_nothing(box: Box) -> None:
    """Somebody has it open for himself, or the disk is bad in that place: the invoice is filed, and that one stays."""
    with box.put(f"failed/{NAME}.json", written("failed")).open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        claimed(box)
        assert filed(box) == NAME
        claimed(box)
        assert filed(box, state="failed") == "12345.2.pdf"
    assert f"failed/{NAME}.json" in box.names()


@pytest.mark.parametrize("make", [_folder, _dangling, os.mkfifo])
def test_what_is_no_receipt_is_not_read_as_one(box: Box, make: Callable[[Path], None]) -> None:
    """What lies under a receipt's name is neither waited for (a FIFO) nor taken for a receipt."""
    make(box.failed / f"{NAME}.json")
    assert read_receipt(f"{NAME}.json", box.folders.failed) is None
    assert read_receipt("missing.json", box.folders.failed) is None


def test_a_receipt_that_is_given_in_parts_is_read_whole(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may give less than was asked for; the rest of a note is not taken for lost."""
    box.put(f"failed/{NAME}.json", written("failed"))
    monkeypatch.setattr(os, "read", piecemeal(7))
    assert read_receipt(f"{NAME}.json", box.folders.failed) == receipt("failed")


def test_without_hard_links_the_receipt_is_a_copy(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hard links (FAT, CIFS) the receipt is whole from its first moment, and replaces nothing."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    box.put(f"done/{NAME}.json", b"precious")
    claimed(box)
    assert filed(box) == "12345.2.pdf"
    assert box.files() == {
        f"done/{NAME}.json": b"precious",
        "done/12345.2.pdf": PDF,
        "done/12345.2.pdf.json": written("done", "12345.2.pdf"),
    }
    assert not syscalls.link(NAME, "x", old_dir=box.folders.work.fd, new_dir=box.folders.done.fd)


def test_a_failing_commit_takes_its_receipt_back(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """No receipt lies in done without its document, and the decision stays written down."""
    claimed(box)
    monkeypatch.setattr(syscalls, "_libc", OldKernel(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        filed(box)
    assert box.files() == {f".processing/{NAME}": PDF, f".processing/{NAME}.json": written("done")}


def test_room_for_a_receipt_is_taken_before_anything_is_sent(box: Box) -> None:
    """So a full disk shows before the upload; unused room is given back."""
    with Slot(box.folders.work):
        (name,) = os.listdir(box.work)
        assert name.startswith(".receipt-")
        assert (box.work / name).stat().st_blocks * 512 >= 8 * 1024
    assert not box.names()


def test_no_room_is_told(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for a receipt is told, and nothing is left of the trial."""
    monkeypatch.setattr(os, "pwrite", failing(errno.ENOSPC))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="No space left"):
        Slot(box.folders.work)
    assert not box.names()
    assert os.listdir("/proc/self/fd") == before


def test_a_long_answer_fits_all_the_same(box: Box) -> None:
    """The room is a reservation, not a limit, and a shorter text leaves nothing of it."""
    for owner in ("x" * 30_000, "anna"):
        long = receipt("waiting", owner)
        with Slot(box.folders.work) as slot:
            slot.write(long, f"{NAME}.json")
        assert box.receipt(f".processing/{NAME}.json") == long


NASTY = ["a\nb.pdf", "\udcff\udcfe.pdf", "\u202efdp.1", "-rf", "\udcff.receipt-" + "x" * 240]
LIKE_OURS = [
    "x.json",
    "x.json~",
    "x.json~~",
    "x.json.json",
    "x.2.json",
    "x" * 255,
    "é" * 127,
    "x" * 250 + ".json",
    "x.~",
    "x~1~",
    "~1~",
    "x.json~1~",
]


@pytest.mark.parametrize("name", [*NASTY, *LIKE_OURS])
def test_every_name_is_filed_away(box: Box, name: str) -> None:
    """A name of 255 bytes, of no UTF-8, with a newline, or with a receipt's ending is filed away."""
    work_name, last = next(work_names(name)), ""
    for _ in range(2):
        claimed(box, work_name)
        last = filed(box, work_name)
    documents = [name for name, raw in box.files().items() if raw == PDF]
    assert len(documents) == 2
    assert last in {place.removeprefix("done/") for place in documents}
    assert len(box.names()) == 4
    if len(os.fsencode(name)) <= 240:
        assert f"done/{name}" in documents


def test_a_dropped_receipt_does_not_become_one(box: Box) -> None:
    """A clerk drops `12345.pdf.json` beside `12345.pdf`: both are documents, each with a receipt."""
    for name, raw in ((NAME, PDF), (f"{NAME}.json", OTHER_PDF)):
        work_name = next(work_names(name))
        claimed(box, work_name, raw)
        filed(box, work_name, "failed")
    texts = {name: raw for name, raw in box.files().items() if raw in {PDF, OTHER_PDF}}
    assert sorted(texts.values()) == [PDF, OTHER_PDF]
    assert box.names() == {*texts, *(f"{name}.json" for name in texts)}
    assert {box.receipt(f"{name}.json").state for name in texts} == {"failed"}


def test_a_name_on_which_somebody_has_mounted_something(box: Box) -> None:
    """A name in failed on which something is mounted counts as taken, and holds up no other invoice."""
    box.put(f".processing/{NAME}")
    with mounted_by_somebody(box.failed / NAME):
        assert filed(box, state="failed") == "12345.2.pdf"
