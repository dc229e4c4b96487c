"""The door to the four folders: what the scan sees, what a claim moves, and what a finish refuses."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.errors import FolderLostError
from invoice_watcher.settling import Unready
from invoice_watcher.spool import Entry, Snapshot
from tests.support.box import LARGEST, NAMING, OTHER_PDF, PDF, Box, receipt, written

if TYPE_CHECKING:
    from invoice_watcher.receipt import Receipt
    from invoice_watcher.schedule import Task

NAME = "12345.pdf"


def snapshot_of(box: Box, task: Task) -> Snapshot:
    """Copy a task's document, which must be ready."""
    taken = box.spool().snapshot(task)
    assert isinstance(taken, Snapshot), taken
    return taken


def claimed(box: Box, name: str = NAME, raw: bytes = PDF) -> tuple[Task, Snapshot]:
    """Drop a file and claim it."""
    box.put(name, raw)
    task = box.task(name)
    snapshot = snapshot_of(box, task)
    assert box.spool().claim(task, snapshot)
    return task, snapshot


def test_the_scan_tells_files_from_what_is_never_taken(box: Box) -> None:
    """Folders and ignored names are passed over; links and FIFOs are told, so that they can be warned of."""
    found = box.put(NAME).stat()
    box.put("~$12345.docx")
    box.put("done/6789.pdf")
    os.mkfifo(box.drop / "pipe.pdf")
    (box.drop / "link.pdf").symlink_to("nowhere")
    entries = {entry.name: entry for entry in box.spool().scan(NAMING.is_ignored)}
    assert {name: entry.regular for name, entry in entries.items()} == {
        NAME: True,
        "pipe.pdf": False,
        "link.pdf": False,
    }
    signature = (found.st_ino, len(PDF), found.st_mtime_ns, found.st_ctime_ns)
    assert entries[NAME] == Entry(NAME, signature, regular=True)  # type: ignore[arg-type]  # a tuple is as good


def test_every_scan_begins_at_the_beginning(box: Box) -> None:
    """One that was broken off costs the next one nothing."""
    for number in range(100):
        box.put(f"{number}.pdf")
    spool = box.spool()
    next(iter(spool.scan(NAMING.is_ignored)))
    assert len(list(spool.scan(NAMING.is_ignored))) == len(list(spool.scan(NAMING.is_ignored))) == 100


def test_the_scan_sees_that_the_folder_was_replaced(box: Box) -> None:
    """An empty folder in place of the real one is not "nothing to do"."""
    box.drop.rename(box.drop.with_name("moved"))
    box.drop.mkdir()
    with pytest.raises(FolderLostError):
        list(box.spool().scan(NAMING.is_ignored))


@pytest.mark.parametrize("name", [NAME, "\udcff\udcfe.pdf", "a\nb.pdf", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 125])
def test_a_claim_moves_the_document(box: Box, name: str) -> None:
    """Whatever its name, it lies in the work folder and nowhere else, and is still what was copied."""
    task, snapshot = claimed(box, name)
    with closing(snapshot):
        assert list(box.files().values()) == [PDF]
        assert os.listdir(box.work) == [task.work_name]
        assert (box.work / task.work_name).stat().st_ino == snapshot.signature.inode
    snapshot_of(box, task).close()


def test_a_claim_never_replaces(box: Box) -> None:
    """A second document of the same name gets another name in the work folder."""
    first, second = claimed(box, raw=PDF), claimed(box, raw=OTHER_PDF)
    assert box.files() == {f".processing/{NAME}": PDF, ".processing/12345.2.pdf": OTHER_PDF}
    first[1].close()
    second[1].close()


@pytest.mark.parametrize("change", ["rewritten", "replaced", "being written"])
def test_a_document_changed_before_the_claim_is_copied_anew(box: Box, change: str) -> None:
    """Between the copy and the claim lies the validation; what came in between is not sent as the old one."""
    path = box.put(NAME)
    task = box.task(NAME)
    with closing(snapshot_of(box, task)) as snapshot:
        if change == "replaced":
            path.unlink()
        with path.open("wb") as file:
            file.write(OTHER_PDF)
            if change != "being written":
                file.close()
            assert not box.spool().claim(task, snapshot)
    assert list(box.files().values()) == [OTHER_PDF]
    task.signature = None if task.claimed else box.task(NAME).signature
    snapshot_of(box, task).close()


def test_a_claim_of_a_vanished_document_says_so(box: Box) -> None:
    """Taken back by its clerk in that instant."""
    path = box.put(NAME)
    task = box.task(NAME)
    with closing(snapshot_of(box, task)) as snapshot:
        path.unlink()
        with pytest.raises(FileNotFoundError):
            box.spool().claim(task, snapshot)
    assert not task.claimed


def final(name: str) -> Receipt:
    """Return the receipt of a delivered document."""
    return receipt("done", name)


def test_a_finished_document_lies_beside_its_receipt(box: Box) -> None:
    """And nothing is left in the work folder."""
    task, snapshot = claimed(box)
    spool = box.spool()
    with closing(snapshot), spool.reserve() as slot:
        assert spool.finish(task, snapshot, final, slot, delivered=True) == NAME
    assert box.files() == {f"done/{NAME}": PDF, f"done/{NAME}.json": written("done")}


@pytest.mark.parametrize("change", ["grown", "open"])
def test_a_document_changed_meanwhile_is_not_finished(box: Box, change: str) -> None:
    """What lies in done is what was sent: nothing is filed away, and nothing is written down."""
    task, snapshot = claimed(box)
    spool = box.spool()
    with closing(snapshot), (box.work / NAME).open("ab") as writer, spool.reserve() as slot:
        if change == "grown":
            writer.write(b"more")
            writer.close()
        assert spool.finish(task, snapshot, final, slot, delivered=True) is None
    assert box.names() == {f".processing/{NAME}"}


def test_a_delivery_removes_the_receipt_of_the_earlier_failure(box: Box) -> None:
    """A person has moved the document from failed back into the folder, and now it went through."""
    box.put(f"failed/{NAME}.json", written("failed"))
    box.put("failed/6789.pdf.json", written("failed", "6789.pdf"))
    task, snapshot = claimed(box)
    spool = box.spool()
    with closing(snapshot), spool.reserve() as slot:
        spool.finish(task, snapshot, final, slot, delivered=True)
    assert box.names() == {f"done/{NAME}", f"done/{NAME}.json", "failed/6789.pdf.json"}


def test_without_receipts_only_rejections_have_one(box: Box) -> None:
    """`receipts: false` leaves nothing but documents in done."""
    spool = box.spool(receipts=False)
    for delivered in (True, False):
        task, snapshot = claimed(box)
        with closing(snapshot), spool.reserve() as slot:
            spool.finish(task, snapshot, final, slot, delivered=delivered)
    assert box.names() == {f"done/{NAME}", f"failed/{NAME}", f"failed/{NAME}.json"}


def test_a_claimed_document_is_copied_from_the_work_folder(box: Box) -> None:
    """A later attempt looks only there, and does not mind that the scan never saw it so."""
    task, snapshot = claimed(box)
    snapshot.close()
    box.put(NAME, OTHER_PDF)
    with closing(snapshot_of(box, task)) as again:
        assert again.document is not None
        assert again.document.read() == PDF
    (box.work / NAME).unlink()
    assert isinstance(box.spool().snapshot(task), Unready)


def test_a_document_over_the_limit_is_only_described(box: Box) -> None:
    """The spool copies no more than it was told to."""
    box.put(NAME, bytes(LARGEST + 1))
    with closing(snapshot_of(box, box.task(NAME))) as snapshot:
        assert snapshot.document is None
