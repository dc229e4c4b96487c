"""The door to the four folders: what the scan sees, what a claim moves, and what a finish refuses."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from invoice_watcher.errors import FolderLostError, FolderUnavailableError
from invoice_watcher.settling import GONE, Entry, Unready
from invoice_watcher.spool import CHANGED, Folders, Snapshot, Spool, UnreadableError
from tests.support.box import LARGEST, NAMING, OTHER_PDF, PDF, Box, receipt, written
from tests.support.children import NOBODY, in_child, needs_root, unshared, use_up_descriptors
from tests.support.kernel import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.receipt import State
    from invoice_watcher.schedule import Task

NAME = "12345.pdf"

# What a process with a mount of its own runs: the snapshot of a dropped document, and the same as if it were claimed.
SNAPSHOT = """
import os, sys
from pathlib import Path
from invoice_watcher.naming import Naming
from invoice_watcher.schedule import Task
from invoice_watcher.spool import Folders, Spool
drop = Path(sys.argv[1])
folders = Folders(drop, drop / "done", drop / "failed", drop / ".processing")
spool = Spool(folders, largest=1000, receipts=True)
(entry,) = spool.scan(lambda name: False)
task = Task(Naming.of(".*").read(entry.name), 0, entry.signature)
found = spool.snapshot(task)
print(type(found).__name__, entry.name, found.reason)
task.work_name = f"../{entry.name}"
print(type(spool.snapshot(task)).__name__)
"""


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
    assert box.spool().claim(task, snapshot) is None
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
    assert entries[NAME] == Entry(found.st_ctime_ns, NAME, found.st_uid, signature)  # type: ignore[arg-type]  # a tuple is as good


def test_a_glance_at_some_names_sees_of_each_what_the_scan_sees(box: Box) -> None:
    """Whatever a hint names, one way of looking knows no more of it than the other; what is gone is gone."""
    names = [NAME, "6789.pdf", "~$12345.docx", "pipe.pdf", "link.pdf", "folder", "done", "failed", ".processing"]
    for name in names[:3]:
        box.put(name)
    os.mkfifo(box.drop / "pipe.pdf")
    (box.drop / "link.pdf").symlink_to("nowhere")
    (box.drop / "folder").mkdir()
    scanned = {entry.name: entry for entry in box.spool().scan(NAMING.is_ignored)}
    for name in [*names, "gone.pdf"]:
        assert box.spool().glance([name], NAMING.is_ignored) == [scanned[one] for one in [name] if one in scanned]
    assert box.spool().glance(names, NAMING.is_ignored) == [scanned[name] for name in names if name in scanned]


def test_a_glance_sees_that_the_folder_was_replaced(box: Box) -> None:
    """What a hint tells of another folder's file is not looked for in the one that went away."""
    box.drop.rename(box.drop.with_name("moved"))
    box.drop.mkdir()
    with pytest.raises(FolderLostError):
        box.spool().glance([NAME], NAMING.is_ignored)


def test_what_leads_to_our_folders_is_ours(tmp_path: Path) -> None:
    """Where done_dir is archive/done, nobody has to do anything about the folder archive."""
    for name in ("archive", "clerks", "done"):
        (tmp_path / name).mkdir()
    failed = tmp_path / "clerks" / "failed"
    with closing(Folders(tmp_path, tmp_path / "archive" / "done", failed, tmp_path / ".processing")) as folders:
        found = Spool(folders, largest=1, receipts=True).scan(NAMING.is_ignored)
        assert [entry.name for entry in found] == ["done"]


def test_every_scan_begins_at_the_beginning(box: Box) -> None:
    """A scan that was broken off costs the next one nothing: that one sees all files."""
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
    assert box.files() == {f".processing/{NAME}": PDF, f".processing/{NAME}~1~": OTHER_PDF}
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
            assert box.spool().claim(task, snapshot) is CHANGED
    assert list(box.files().values()) == [OTHER_PDF]
    task.signature = None if task.claimed else box.task(NAME).signature
    snapshot_of(box, task).close()


@needs_root
def test_a_file_that_alone_cannot_be_read_is_left_alone(box: Box) -> None:
    """A bad place on the disk: the file is named, with what to do, and no queue pauses; also once it is claimed."""
    box.put(NAME)
    box.folders.close()
    unreadable = unshared('mount --bind "/proc/$$/mem" "$1/12345.pdf"', SNAPSHOT, box.root)
    box.folders = box.open()
    waiting, claimed = unreadable.stdout.splitlines()
    assert waiting.startswith(f"Unready {NAME} cannot be read (Input/output error); drop it anew, and")
    assert claimed == "Unready"


def test_a_file_that_cannot_even_be_looked_at_is_not_passed_over(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is broken where a file's inode lies: it is offered all the same, so that reading it tells the reason."""
    box.put(NAME)
    box.put("6789.pdf")
    looks, stat = [], os.stat

    def look(name: str, **options: Any) -> os.stat_result:  # noqa: ANN401 - as the real one
        looks.append(name)
        if name == NAME:
            raise OSError(errno.EUCLEAN, os.strerror(errno.EUCLEAN))
        return stat(name, **options)

    monkeypatch.setattr(os, "stat", look)
    entries = {entry.name: entry for entry in box.spool().scan(NAMING.is_ignored)}
    assert NAME in looks
    assert {name: entry.regular for name, entry in entries.items()} == {NAME: True, "6789.pdf": True}


@needs_root
@pytest.mark.parametrize(
    ("folder", "mode", "trouble"),
    [(0, 0o600, "may not be searched by this user")]
    + [(folder, 0o555, "may not be written by this user, or is read-only") for folder in range(4)],
)
def test_a_folder_that_is_closed_to_us_is_waited_for(folder: int, mode: int, trouble: str) -> None:
    """Somebody took the right away while the program ran: no traceback, and the right is named."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name)
        root.chmod(0o755)
        places = [root / one for one in ("drop", "done", "failed", "work")]
        for place in places:
            place.mkdir()
            os.chown(place, NOBODY, NOBODY)
        (places[0] / NAME).write_bytes(PDF)

        def sentence() -> str:
            with closing(Folders(*places)) as folders:
                places[folder].chmod(mode)
                with pytest.raises(FolderLostError) as error:
                    list(Spool(folders, largest=LARGEST, receipts=True).scan(NAMING.is_ignored))
                return str(error.value)

        assert in_child(sentence, uid=NOBODY) == f"{places[folder]} {trouble}"


def test_too_many_open_files_do_not_end_the_program(box: Box) -> None:
    """Neither the scan nor the look for an earlier receipt: it is said in a sentence, and may be tried again."""
    box.put("failed/12345.2.pdf.json", written("failed", "12345.2.pdf"))
    spool = box.spool()

    def sentences() -> list[str]:
        use_up_descriptors()
        with pytest.raises(FolderUnavailableError) as scan:
            list(spool.scan(NAMING.is_ignored))
        with pytest.raises(FolderUnavailableError) as receipt:
            spool.filed_for("12345.2.pdf")
        return [str(scan.value), str(receipt.value)]

    assert in_child(sentences) == [f"{path} cannot be read now: Too many open files" for path in (box.drop, box.failed)]


def test_an_old_receipt_that_alone_cannot_be_read_is_the_files_own_matter(box: Box) -> None:
    """Somebody has it for himself: the order of that one file cannot be known now, and all others can."""
    with box.put("failed/12345.2.pdf.json", written("failed", "12345.2.pdf")).open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with pytest.raises(UnreadableError):
            box.spool().filed_for("12345.2.pdf")
        assert box.spool().filed_for("6789.2.pdf") is None
    assert box.spool().filed_for("12345.2.pdf") == "12345"


def failed(box: Box, name: str = NAME) -> None:
    """Lay a failed document with its receipt where it belongs."""
    box.put(f"failed/{name}", OTHER_PDF)
    box.put(f"failed/{name}.json", written("failed", name, OTHER_PDF))


def filing(box: Box, name: str, *, delivered: bool) -> Callable[[], object]:
    """Claim a dropped file; return its filing away, as a worker does it."""
    spool, task = box.spool(), box.task(name)
    snapshot = snapshot_of(box, task)
    assert spool.claim(task, snapshot) is None
    state: State = "done" if delivered else "failed"

    def work() -> object:
        with closing(snapshot), spool.reserve() as slot:
            return spool.finish(task, snapshot, receipt(state, name), slot)

    return work


@pytest.mark.parametrize("order", [(NAME, f"{NAME}.json"), (f"{NAME}.json", NAME)])
@pytest.mark.parametrize("delivered", [True, False])
def test_a_receipt_that_is_moved_back_with_its_document_is_kept(
    box: Box,
    order: tuple[str, str],
    delivered: bool,  # noqa: FBT001 - parametrized
) -> None:
    """In whichever order the two are taken up: the receipt is a file like any other, and no file is ever lost."""
    failed(box)
    for name in order:
        (box.failed / name).rename(box.drop / name)
    for name in order:
        filing(box, name, delivered=delivered and name == NAME)()
    contents = list(box.files().values())
    assert contents.count(OTHER_PDF) == contents.count(written("failed", NAME, OTHER_PDF)) == 1
    assert len(contents) == 4, "each has a receipt of its own"
    assert box.spool().filed_for(NAME) is None


def both_moved_back(box: Box) -> tuple[str, str]:
    """Move a failed document and its receipt back; return their names."""
    failed(box)
    for name in (NAME, f"{NAME}.json"):
        (box.failed / name).rename(box.drop / name)
    return NAME, f"{NAME}.json"


def one_name_for_two(box: Box) -> tuple[str, str]:
    """Move `12345.2.pdf` back, and drop another `12345.pdf`, which will want that name."""
    failed(box)
    failed(box, "12345.2.pdf")
    (box.failed / "12345.2.pdf").rename(box.drop / "12345.2.pdf")
    box.put(NAME, OTHER_PDF)
    return "12345.2.pdf", NAME


@pytest.mark.slow
@pytest.mark.parametrize("lay_out", [both_moved_back, one_name_for_two])
def test_two_that_are_filed_at_once_do_not_take_each_others_receipts(
    memory_box: Box, lay_out: Callable[[Box], tuple[str, str]]
) -> None:
    """Neither what was moved back, nor a receipt whose document has not followed yet, is taken for a stale one."""
    box, happened, call = memory_box, True, 0
    while happened:
        call += 1
        for place in box.names():
            (box.root / place).unlink()
        names = lay_out(box)
        dropped = [(box.drop / name).read_bytes() for name in names]
        first, second = (filing(box, name, delivered=False) for name in names)
        other = threading.Thread(target=second)

        def overtake(other: threading.Thread = other) -> None:
            other.start()
            other.join(0.1)  # or it waits for the first one

        with interrupted(call, overtake) as has_happened:
            first()
        if happened := has_happened():
            other.join()
            files = box.files()
            assert set(dropped) <= set(files.values())
            for place in [place for place, raw in files.items() if raw == OTHER_PDF]:
                assert box.receipt(f"{place}.json").file == place.removeprefix("failed/")
    assert call > 10


def test_a_claim_of_a_vanished_document_says_so(box: Box) -> None:
    """A document that its clerk took back in the instant of its claim is told as gone."""
    path = box.put(NAME)
    task = box.task(NAME)
    with closing(snapshot_of(box, task)) as snapshot:
        path.unlink()
        assert box.spool().claim(task, snapshot) is GONE
    assert not task.claimed


def test_a_finished_document_lies_beside_its_receipt(box: Box) -> None:
    """A finished document lies beside its receipt, and nothing is left in the work folder."""
    task, snapshot = claimed(box)
    spool = box.spool()
    with closing(snapshot), spool.reserve() as slot:
        assert spool.finish(task, snapshot, receipt("done"), slot) == NAME
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
        assert spool.finish(task, snapshot, receipt("done"), slot) is CHANGED
    assert box.names() == {f".processing/{NAME}"}


def test_a_delivery_removes_the_receipt_of_the_earlier_failure(box: Box) -> None:
    """A person has moved the document from failed back into the folder, and now it went through."""
    box.put(f"failed/{NAME}.json", written("failed"))
    box.put("failed/6789.pdf.json", written("failed", "6789.pdf", OTHER_PDF))
    box.put("failed/6790.pdf.json", written("failed", "6790.pdf"))  # the same document, renamed on its way back
    task, snapshot = claimed(box)
    spool = box.spool()
    with closing(snapshot), spool.reserve() as slot:
        spool.finish(task, snapshot, receipt("done"), slot)
    assert box.names() == {f"done/{NAME}", f"done/{NAME}.json", "failed/6789.pdf.json"}


def test_without_receipts_only_rejections_have_one(box: Box) -> None:
    """With `receipts: false` there are receipts in failed, and nothing but documents in done."""
    spool = box.spool(receipts=False)
    states: tuple[State, ...] = ("done", "failed")
    for state in states:
        task, snapshot = claimed(box)
        with closing(snapshot), spool.reserve() as slot:
            spool.finish(task, snapshot, receipt(state), slot)
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
    """A document over `max_size` is not copied, only described."""
    box.put(NAME, bytes(LARGEST + 1))
    with closing(snapshot_of(box, box.task(NAME))) as snapshot:
        assert snapshot.document is None
