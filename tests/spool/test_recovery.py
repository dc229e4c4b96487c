"""After a crash, wherever it came: one copy of every document, and no decision lost or carried out twice.

The rows of the table are built by hand, and then every step of the real functions is the last one of a process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.errors import FolderUnavailableError
from invoice_watcher.receipt import Receipt, decode, encode
from invoice_watcher.spool import Completed, Recovered, Slot, syscalls
from invoice_watcher.spool.filing import file_away
from invoice_watcher.spool.receipts import read_receipt
from invoice_watcher.spool.recovery import recover
from tests.support.box import LARGEST, MIB, OTHER_PDF, PDF, Box, receipt, written
from tests.support.children import in_child, killed_at, use_up_descriptors
from tests.support.kernel import OldKernel, failing, failing_at, interrupted, without_unnamed_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.receipt import State

NAME = "12345.pdf"
DONE = {f"done/{NAME}": PDF, f"done/{NAME}.json": written("done")}


def recovered(box: Box, *, receipts: bool = True) -> list[Recovered | Completed]:
    """Restart, and bring the work folder in order; doing so again finds nothing new to do."""
    box.reopen()
    shelves = box.shelves(receipts=receipts)
    found = recover(shelves)
    again = [one for one in found if isinstance(one, Recovered)]
    assert recover(shelves) == again
    return found


def test_an_ordinary_stop_leaves_nothing_to_do(box: Box) -> None:
    """What lies in the drop folder, done or failed is left alone."""
    for place in (NAME, f"done/{NAME}", f"failed/{NAME}", f"failed/{NAME}.json"):
        box.put(place)
    before = box.files()
    assert recovered(box) == []
    assert box.files() == before


@pytest.mark.parametrize("note", [None, b"", b'{"version": 1', b"\0" * 500, b'{"version": 99}'])
def test_a_document_without_a_readable_note_is_delivered_again(box: Box, note: bytes | None) -> None:
    """It died in the first attempt, or a power cut took the note: its answer is unknown."""
    path = box.put(f".processing/{NAME}")
    if note is not None:
        box.put(f".processing/{NAME}.json", note)
    assert recovered(box) == [Recovered(NAME, NAME, None, path.stat().st_ctime_ns)]


def test_a_waiting_document_keeps_its_note(box: Box) -> None:
    """How often it was tried, and whether in doubt, outlives a restart."""
    note = receipt("waiting").with_state(sending=True, crashes=2, strikes=1)
    path = box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", encode(note))
    assert recovered(box) == [Recovered(NAME, NAME, note, path.stat().st_ctime_ns)]
    assert box.names() == {f".processing/{NAME}", f".processing/{NAME}.json"}


@pytest.mark.parametrize("state", ["done", "failed"])
@pytest.mark.parametrize("placed", [True, False])
def test_a_recorded_decision_is_completed(box: Box, state: State, placed: bool) -> None:  # noqa: FBT001 - parametrized
    """A decision that was written down before the crash is carried out; nothing is sent for it."""
    box.put(f".processing/{NAME}")
    note = box.put(f".processing/{NAME}.json", written(state))
    if placed:
        (box.root / state / f"{NAME}.json").hardlink_to(note)
    assert recovered(box) == [Completed(NAME, receipt(state))]
    assert box.files() == {f"{state}/{NAME}": PDF, f"{state}/{NAME}.json": written(state)}


def test_a_placed_receipt_of_a_numbered_name_is_found(box: Box) -> None:
    """The crash came behind the reservation of `12345.2.pdf`, and `12345.pdf` is taken."""
    box.put(f"done/{NAME}", OTHER_PDF)
    box.put(f".processing/{NAME}")
    note = box.put(f".processing/{NAME}.json", written("done", "12345.2.pdf"))
    (box.done / "12345.2.pdf.json").hardlink_to(note)
    assert [one.name for one in recovered(box)] == ["12345.2.pdf"]
    assert box.names() == {f"done/{NAME}", "done/12345.2.pdf", "done/12345.2.pdf.json"}


def test_a_name_taken_since_the_crash_is_not_replaced(box: Box) -> None:
    """A decided document whose name was taken since the crash gets the next one; its receipt tells it."""
    box.put(f"done/{NAME}", OTHER_PDF)
    box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", written("done"))
    assert recovered(box) == [Completed("12345.2.pdf", receipt("done", "12345.2.pdf"))]
    assert box.files() == {
        f"done/{NAME}": OTHER_PDF,
        "done/12345.2.pdf": PDF,
        "done/12345.2.pdf.json": written("done", "12345.2.pdf"),
    }


def test_a_document_that_is_not_the_decided_one_is_delivered_again(box: Box) -> None:
    """Somebody held the file open and wrote on after the crash: the API never saw these bytes."""
    path = box.put(f".processing/{NAME}", OTHER_PDF)
    box.put(f".processing/{NAME}.json", written("done"))
    (found,) = recovered(box)
    assert found == Recovered(NAME, NAME, receipt("done"), path.stat().st_ctime_ns)
    assert isinstance(found, Recovered)
    assert not found.died
    assert box.files()[f".processing/{NAME}"] == OTHER_PDF


def test_a_decided_document_is_not_filed_while_it_is_open_for_writing(box: Box) -> None:
    """What lies in done is what was sent; whoever has the document open may write on."""
    path = box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", written("done"))
    with path.open("ab"):
        assert recovered(box) == [Recovered(NAME, NAME, receipt("done"), path.stat().st_ctime_ns)]
    assert [type(one) for one in recovered(box)] == [Completed]


def test_a_decided_document_that_another_program_has_for_itself_holds_up_nobody(box: Box) -> None:
    """Samba leases a file that its client has open, and it may not be opened then: it is filed later, others now."""
    path = box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", written("done"))
    with path.open("rb") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert recovered(box) == [Recovered(NAME, NAME, receipt("done"), path.stat().st_ctime_ns)]
    assert [type(one) for one in recovered(box)] == [Completed]


@pytest.mark.parametrize("note", [written("done"), written("waiting")])
def test_a_note_that_cannot_be_read_is_one_documents_affair(box: Box, note: bytes) -> None:
    """Nobody knows what was decided: that one is left as it is until the next start, and all others go on."""
    for name in (NAME, "1.pdf", "2.pdf"):
        box.put(f".processing/{name}")
    box.put(".processing/1.pdf.json", written("done", "1.pdf"))
    before = time.time_ns()
    with box.put(f".processing/{NAME}.json", note).open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        completed, left, again = recover(box.shelves())
        assert (box.work / NAME).read_bytes() == PDF
    assert isinstance(completed, Completed)
    assert isinstance(left, Recovered)
    assert isinstance(again, Recovered)
    assert (completed.name, left.name, again.name) == ("1.pdf", NAME, "2.pdf")
    assert (left.unread, left.note, left.died) == ("Resource temporarily unavailable", None, False)
    assert (again.unread, again.died) == ("", True)
    assert before <= left.arrived_ns <= time.time_ns()
    assert box.receipt(f".processing/{NAME}.json").state == decode(note).state
    found = {one.name: type(one) for one in recovered(box)}
    assert found[NAME] is (Completed if note == written("done") else Recovered)


def test_a_document_that_cannot_be_looked_at_is_its_own_affair(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its inode lies on a bad place of the disk: it is left there, with its note, and nothing else waits for it."""
    for name in (NAME, "2.pdf"):
        box.put(f".processing/{name}")
        box.put(f".processing/{name}.json", written("done", name))
    monkeypatch.setattr(os, "stat", failing_at(NAME, os.stat))
    left, completed = recover(box.shelves())
    assert isinstance(left, Recovered)
    assert (left.name, left.unread, completed.name) == (NAME, "Input/output error", "2.pdf")
    monkeypatch.undo()
    assert [one.name for one in recovered(box)] == [NAME]
    assert not os.listdir(box.work)


def test_a_decided_document_on_a_bad_place_keeps_its_decision(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API said is not asked again, and no other document waits for a disk that gives this one no more."""
    path = box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", written("done"))
    monkeypatch.setattr(os, "open", failing_at(NAME, os.open))
    (found,) = recover(box.shelves())
    assert found == Recovered(NAME, NAME, receipt("done"), path.stat().st_ctime_ns)


def test_a_filed_document_that_cannot_be_looked_at_has_its_name(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad place on the disk under `done/12345.pdf` stops nobody: the next one of that name takes the next number."""
    box.put(f"done/{NAME}", OTHER_PDF)
    box.put(".processing/1.pdf")
    os.rename(box.work / "1.pdf", box.work / f"{NAME}~1~")
    box.put(f".processing/{NAME}~1~.json", written("done"))
    monkeypatch.setattr(os, "stat", failing_at(NAME, os.stat))
    (found,) = recover(box.shelves())
    assert found.name == "12345.2.pdf"


def test_a_document_too_large_to_be_copied_is_known_by_its_size(box: Box) -> None:
    """It was rejected unread, so there is no checksum to compare."""
    raw = bytes(LARGEST + 1)
    note = receipt("failed", NAME, raw)
    box.put(f".processing/{NAME}", raw)
    box.put(f".processing/{NAME}.json", encode(note).replace(str(note.sha256).encode(), b"").replace(b'""', b"null"))
    assert [type(one) for one in recovered(box)] == [Completed]
    assert box.files()[f"failed/{NAME}"] == raw


def test_remains_are_removed(box: Box) -> None:
    """A start removes room for a receipt that was never written, and the note of a document that was filed."""
    box.put(".processing/.receipt-7", bytes(8192))
    box.put(f".processing/{NAME}.json", written("done"))
    for place, raw in DONE.items():
        box.put(place, raw)
    assert recovered(box) == []
    assert box.files() == DONE


def test_a_copy_that_had_a_name_is_no_document(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a copy cannot be made without a name, a kill before it has lost it leaves nothing behind the next start."""
    raw = bytes(2 * MIB)
    box.put(NAME, raw)
    monkeypatch.setattr(os, "open", without_unnamed_files(os.open))
    call, killed, were_left = 0, True, set()
    while killed:
        call += 1
        killed = killed_at(call, lambda: box.snapshot(NAME))
        were_left |= box.names()
        assert recovered(box) == []
        assert box.files() == {NAME: raw}
    assert len(were_left) > 1


@pytest.mark.parametrize(("note", "left"), [(written("waiting"), set()), (b"{}", {f".processing/{NAME}.json"})])
def test_the_note_of_a_document_that_a_person_took_away_is_removed(box: Box, note: bytes, left: set[str]) -> None:
    """Another document of that name must not inherit its history; what others wrote stays."""
    box.put(f".processing/{NAME}.json", note)
    assert recovered(box) == []
    assert box.names() == left


def test_what_is_no_document_is_left_alone(box: Box) -> None:
    """A folder or a link in the work folder is nobody's invoice, and a reason to stop for nobody."""
    (box.work / "folder").mkdir()
    (box.work / "link").symlink_to("nowhere")
    os.mkfifo(box.work / "pipe.pdf")
    assert recovered(box) == []
    assert len(os.listdir(box.work)) == 3


def test_folders_named_as_our_own_files_are_left_alone(box: Box) -> None:
    """A folder `.receipt-1` in the work folder stops neither the start nor the work."""
    for number in range(1, 2000):  # whichever number comes next
        (box.work / f".receipt-{number}").mkdir()
    assert recovered(box) == []
    with Slot(box.folders.work) as slot:
        slot.write(receipt("waiting"), f"{NAME}.json")
    assert box.names() == {f".processing/{NAME}.json"}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_fault_of_the_disk_at_any_step_of_the_recovery(memory_box: Box, code: int, state: State) -> None:
    """It is said in a sentence and may be tried again: nothing is lost, and no decision is forgotten."""
    box, happened, call = memory_box, True, 0
    while happened:
        call += 1
        empty(box)
        box.put(f".processing/{NAME}")
        box.put(f".processing/{NAME}.json", written(state))
        box.put(".processing/.receipt-0", b"")
        with interrupted(call, failing(code)) as has_happened, suppress(FolderUnavailableError):
            found = box.spool().recover()
            assert all(isinstance(one, Completed) or one.unread or one.note == receipt(state) for one in found)
        happened = has_happened()
        assert len(inodes_of(box, PDF)) == 1
        box.spool().recover()
        assert box.files() == {f"{state}/{NAME}": PDF, f"{state}/{NAME}.json": written(state)}
    assert call > 10


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_right_that_is_missing_at_any_step_of_the_recovery(memory_box: Box, state: State, placed: bool) -> None:  # noqa: FBT001 - parametrized
    """A call that is not permitted makes nobody forget the decision, nor leaves a receipt that holds the name."""
    box, happened, call = memory_box, True, 0
    while happened:
        call += 1
        empty(box)
        box.put(f".processing/{NAME}")
        note = box.put(f".processing/{NAME}.json", written(state))
        if placed:
            os.link(note, box.root / state / f"{NAME}.json")
        with interrupted(call, failing(errno.EACCES)) as has_happened, suppress(FolderUnavailableError):
            found = box.spool().recover()
            assert all(isinstance(one, Completed) or one.unread or one.note == receipt(state) for one in found)
        happened = has_happened()
        box.spool().recover()
        assert box.files() == {f"{state}/{NAME}": PDF, f"{state}/{NAME}.json": written(state)}
    assert call > 10


def test_what_stops_the_recovery_is_named(box: Box) -> None:
    """Not a traceback: the folder, the file and the reason, and exit status 75, so that it is tried again."""
    box.put(f".processing/{NAME}")
    box.put(f".processing/{NAME}.json", written("done"))

    def sentence() -> str:
        use_up_descriptors()
        with pytest.raises(FolderUnavailableError) as error:
            box.spool().recover()
        assert error.value.exit_status == 75
        return str(error.value)

    assert in_child(sentence).startswith(f"cannot bring {box.work} in order: ")


def test_documents_of_any_name_are_recovered(box: Box) -> None:
    """A document of any name is recovered under the name it was dropped with."""
    for work_name in ("\udcff.pdf", "a\nb.pdf", f"{NAME}.json~1~", f"{NAME}~2~", NAME):
        box.put(f".processing/{work_name}")
    names = {one.name for one in recovered(box)}
    assert names == {"\udcff.pdf", "a\nb.pdf", f"{NAME}.json", NAME}


@pytest.fixture(params=["modern", "without renameat2", "without links"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system do all; or lack renameat2, as NFS; or hard links too, as FAT and CIFS."""
    if request.param != "modern":
        monkeypatch.setattr(syscalls, "_libc", OldKernel())
    if request.param == "without links":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))


def inodes_of(box: Box, raw: bytes) -> set[int]:
    """Return which files hold these bytes; two names of one file are one copy."""
    return {(box.root / place).stat().st_ino for place, found in box.files().items() if found == raw}


def empty(box: Box) -> None:
    """Remove every file."""
    for place in box.names():
        (box.root / place).unlink()


def filing(box: Box, state: State, *, receipts: bool, name: str = NAME) -> Callable[[], object]:
    """Return the filing away of a claimed document, as a worker does it."""

    def work() -> None:
        with Slot(box.folders.work) as slot:
            file_away(name, box.shelves(receipts=receipts), receipt(state, name), slot)

    return work


def check_filed(box: Box, state: State, *, decided: bool, receipts: bool) -> None:
    """After a crash and a restart: one copy, in its place if that was decided, with its receipt, and no remains."""
    found = recovered(box, receipts=receipts)
    (document,) = (place for place, raw in box.files().items() if raw == PDF)
    expected = {document}
    if document.startswith(".processing/"):
        assert not decided
        assert found == [Recovered(NAME, NAME, None, (box.work / NAME).stat().st_ctime_ns)]
    elif receipts:
        expected.add(f"{document}.json")
        assert box.receipt(f"{document}.json") == receipt(state, document.removeprefix(f"{state}/"))
    assert {place for place, raw in box.files().items() if raw != OTHER_PDF} == expected


@pytest.mark.slow
@pytest.mark.parametrize(("state", "receipts"), [("done", True), ("done", False), ("failed", True)])
def test_a_crash_at_any_step_of_the_filing(
    memory_box: Box,
    kernel: None,
    state: State,
    receipts: bool,  # noqa: FBT001 - parametrized
) -> None:
    """Kill -9 between any two calls: the document is in one place, and what the API said is not asked again."""
    box = memory_box
    for taken in (False, True):
        killed, call = True, 0
        while killed:
            call += 1
            empty(box)
            box.put(f".processing/{NAME}")
            if taken:
                box.put(f"{state}/{NAME}", OTHER_PDF)
            killed = killed_at(call, filing(box, state, receipts=receipts))
            assert len(inodes_of(box, PDF)) == 1
            note = read_receipt(f"{NAME}.json", box.folders.work)
            check_filed(box, state, decided=note is not None or not killed, receipts=receipts)
            assert not taken or box.files()[f"{state}/{NAME}"] == OTHER_PDF
        assert call > 6


@pytest.mark.slow
def test_a_crash_at_any_step_of_the_recovery(memory_box: Box, kernel: None) -> None:
    """It is recovered from like any other, also where the final name has been taken since."""
    box = memory_box
    killed, call = True, 0
    while killed:
        call += 1
        empty(box)
        box.put(f"done/{NAME}", OTHER_PDF)
        box.put(f".processing/{NAME}")
        box.put(f".processing/{NAME}.json", written("done"))
        killed = killed_at(call, lambda: recover(box.shelves()))
        assert len(inodes_of(box, PDF)) == 1
        recovered(box)
        assert box.files() == {
            f"done/{NAME}": OTHER_PDF,
            "done/12345.2.pdf": PDF,
            "done/12345.2.pdf.json": written("done", "12345.2.pdf"),
        }
    assert call > 10


@pytest.mark.slow
@pytest.mark.parametrize("noted", [False, True])
def test_a_crash_at_any_step_beside_an_old_receipt(memory_box: Box, kernel: None, noted: bool) -> None:  # noqa: FBT001 - parametrized
    """`12345.2.pdf` was moved back and is refused again: its order is known after each crash, until it is filed.

    So it is when that crash is one of the start that completes the filing.
    """
    box, name = memory_box, "12345.2.pdf"
    killed, call = True, 0
    while killed:
        call += 1
        empty(box)
        box.put(f"failed/{name}.json", written("failed", name, OTHER_PDF))
        box.put(f".processing/{name}")
        if noted:
            box.put(f".processing/{name}.json", written("failed", name))
        filing_again = filing(box, "failed", receipts=True, name=name)
        killed = killed_at(call, (lambda: recover(box.shelves())) if noted else filing_again)
        for one in recovered(box):
            if isinstance(one, Recovered):
                assert (one.note, box.spool().filed_for(name)) == (None, "12345")
                filing_again()
        assert box.files() == {f"failed/{name}": PDF, f"failed/{name}.json": written("failed", name)}
    assert call > 8


@pytest.mark.slow
def test_a_crash_at_any_step_of_a_claim(memory_box: Box, kernel: None) -> None:
    """The document lies in the drop folder or in the work folder, and can be taken from there."""
    box = memory_box
    killed, call = True, 0
    while killed:
        call += 1
        empty(box)
        box.put(NAME)
        task = box.task(NAME)
        with closing(box.snapshot(NAME)) as snapshot:
            killed = killed_at(call, lambda: box.spool().claim(task, snapshot))  # noqa: B023 - run at once
        assert len(inodes_of(box, PDF)) == 1
        found = recovered(box)
        assert list(box.files().values()) == [PDF]
        assert [one.name for one in found] == [NAME] * len(os.listdir(box.work))
        (path,) = (box.root / place for place in box.names())
        assert path.stat().st_nlink == 1
    assert call > 3


def test_a_crash_at_any_step_of_a_note(memory_box: Box) -> None:
    """The note is the old one or the new one, never half of one."""
    box = memory_box
    old, new = receipt("waiting"), receipt("waiting").with_state(sending=True, crashes=1, strikes=0)

    def note() -> None:
        with Slot(box.folders.work) as slot:
            slot.write(new, f"{NAME}.json")

    killed, call, seen = True, 0, set()
    while killed:
        call += 1
        box.put(f".processing/{NAME}")
        box.put(f".processing/{NAME}.json", encode(old))
        killed = killed_at(call, note)
        (found,) = recovered(box)
        assert isinstance(found, Recovered)
        assert found.note in {old, new}
        seen.add(_sending(found.note))
        assert box.names() == {f".processing/{NAME}", f".processing/{NAME}.json"}
    assert seen == {True, False}


def _sending(note: Receipt | None) -> bool:
    return note is not None and note.sending is True
