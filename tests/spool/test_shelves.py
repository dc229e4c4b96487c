"""`done_layout: month`: each delivered document in its month's folder, and nothing lost over it, nor over a switch."""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from invoice_watcher.config.model import DoneLayout
from invoice_watcher.receipt import encode
from invoice_watcher.spool import Completed, Recovered, Slot, syscalls
from invoice_watcher.spool.filing import file_away
from invoice_watcher.spool.receipts import read_receipt
from invoice_watcher.spool.recovery import recover
from tests.support.box import NAMING, OTHER_PDF, PDF, Box, receipt, written
from tests.support.children import NOBODY, in_child, killed_at, needs_root, unshared
from tests.support.kernel import OldKernel, failing, interrupted, traced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool.shelves import Shelves

NAME = "12345.pdf"
MONTH = "done/2026-11"
LAYOUTS: tuple[DoneLayout, ...] = get_args(DoneLayout)

# What a process with a mount of its own runs: files a claimed document away; the drop folder, and a decision.
FILING = """
import sys
from pathlib import Path
from invoice_watcher.receipt import decode
from invoice_watcher.spool import Folders, Slot
from invoice_watcher.spool.filing import file_away
from invoice_watcher.spool.shelves import Shelves
drop, decision = map(Path, sys.argv[1:])
folders = Folders(drop, drop / "done", drop / "failed", drop / ".processing")
with Slot(folders.work) as slot:
    file_away("12345.pdf", Shelves(folders, monthly=True, receipts=True), decode(decision.read_bytes()), slot)
print(*sorted(str(path.relative_to(drop)) for path in drop.rglob("*") if path.is_file()))
"""

# The same for a start: a document has a second name outside, and on the other mount is a file of its inode number.
STARTING = """
import os, sys
from pathlib import Path
from invoice_watcher.spool import Folders
from invoice_watcher.spool.recovery import recover
from invoice_watcher.spool.shelves import Shelves
drop = Path(sys.argv[1])
folders = Folders(drop, drop / "done", drop / "failed", drop / ".processing")
document = drop / ".processing/12345.pdf"
document.write_bytes(b"precious")
(drop / "elsewhere").mkdir()
os.link(document, drop / "elsewhere/12345.pdf")
numbers = set()
while document.stat().st_ino not in numbers and len(numbers) < 10_000:
    path = drop / f"done/2026-11/{len(numbers)}"
    path.touch()
    numbers.add(path.stat().st_ino)
print(document.stat().st_ino in numbers, *recover(Shelves(folders, monthly=True, receipts=True)), document.exists())
"""


def filed(box: Box, decision: Receipt | None = None, layout: DoneLayout = "month", *, receipts: bool = True) -> str:
    """File a claimed document away by its month, as a worker does it."""
    with Slot(box.folders.work) as slot:
        return file_away(NAME, box.shelves(layout, receipts=receipts), decision or receipt("done"), slot)


def claimed(box: Box, raw: bytes = PDF) -> None:
    """Lay a claimed document into the work folder."""
    box.put(f".processing/{NAME}", raw)


def empty(box: Box) -> None:
    """Remove every file, and every month's folder."""
    for place in box.names():
        (box.root / place).unlink()
    for path in box.done.iterdir():
        path.rmdir()


def inodes_of(box: Box, raw: bytes) -> set[int]:
    """Return which files hold these bytes; two names of one file are one copy."""
    return {(box.root / place).stat().st_ino for place, found in box.files().items() if found == raw}


@pytest.mark.parametrize("receipts", [True, False])
def test_a_delivered_document_lies_in_its_months_folder(box: Box, receipts: bool) -> None:  # noqa: FBT001 - parametrized
    """Whatever the clock says by then: the month is that of the receipt, in UTC, also where no receipt is written."""
    claimed(box)
    assert filed(box, receipt("done", month="2019-02"), receipts=receipts) == NAME
    expected = {f"done/2019-02/{NAME}"} | ({f"done/2019-02/{NAME}.json"} if receipts else set())
    assert box.names() == expected
    assert stat.S_IMODE((box.done / "2019-02").stat().st_mode) == stat.S_IMODE(box.done.stat().st_mode)


def test_a_document_that_goes_through_at_last_takes_its_old_receipt_along(box: Box) -> None:
    """A clerk moved it back, and it is delivered: the receipt of its failure must not tell of it for ever."""
    box.put(f"failed/{NAME}.json", written("failed"))
    claimed(box)
    filed(box)
    assert box.names() == {f"{MONTH}/{NAME}", f"{MONTH}/{NAME}.json"}


def test_a_rejected_document_lies_in_failed_itself(box: Box) -> None:
    """A clerk looks for it there."""
    claimed(box)
    filed(box, receipt("failed"))
    assert box.names() == {f"failed/{NAME}", f"failed/{NAME}.json"}


def test_at_the_turn_of_a_month_each_document_follows_its_receipt(box: Box) -> None:
    """The last millisecond of November, and the first of December; each month counts its own names."""
    last, first = "2026-11-30T23:59:59.999Z", "2026-12-01T00:00:00.000Z"
    names = []
    for moment in (last, last, first, last):
        claimed(box)
        names.append(filed(box, msgspec.structs.replace(receipt("done"), finished_at=moment)))
    assert names == [NAME, "12345.2.pdf", NAME, "12345.3.pdf"]
    assert box.receipt(f"done/2026-12/{NAME}.json").finished_at == first
    assert box.receipt(f"{MONTH}/12345.3.pdf.json").file == "12345.3.pdf"
    assert len(box.names()) == 8


def test_what_lies_in_a_months_folder_is_never_replaced(box: Box) -> None:
    """The document takes the next number, as in done itself, where a document of that name is in nobody's way."""
    (box.root / MONTH).mkdir()
    for place in (f"{MONTH}/{NAME}", f"{MONTH}/12345.2.pdf.json", f"done/{NAME}"):
        box.put(place, b"precious")
    claimed(box)
    assert filed(box) == "12345.3.pdf"
    assert list(box.files().values()).count(b"precious") == 3


@needs_root
def test_a_months_folder_belongs_to_the_group_of_done(box: Box) -> None:
    """What the clerks may read in done they may read in a month's folder, and nobody else; whatever the umask."""
    os.chown(box.done, -1, NOBODY)
    box.done.chmod(0o2770)
    claimed(box)
    before = os.umask(0o027)
    filed(box)
    os.umask(before)
    found = (box.root / MONTH).stat()
    assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, 0o2750)


@pytest.mark.parametrize(
    "finished_at", [None, "", "2026-13-01", "../../x", "2026-11/../..", "\u0662\u0660\u0662\u0666-11"]
)
def test_a_damaged_note_leads_nowhere_else(box: Box, finished_at: str | None) -> None:
    """Only a month is a month's folder; what has none is put into done."""
    claimed(box)
    box.put(f".processing/{NAME}.json", encode(msgspec.structs.replace(receipt("done"), finished_at=finished_at)))
    assert [type(one) for one in recover(box.shelves("month"))] == [Completed]
    place = MONTH if finished_at and finished_at.startswith("2026-11") else "done"
    assert box.names() == {f"{place}/{NAME}", f"{place}/{NAME}.json"}


def _file(path: Path) -> None:
    path.write_bytes(b"precious")


def _link(path: Path) -> None:
    (path.parent.parent.parent / "elsewhere").mkdir()
    path.symlink_to("../../elsewhere")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("occupy", [_file, _link, _dangling, os.mkfifo])
def test_a_name_that_is_taken_holds_up_nothing(
    box: Box, occupy: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody called a file `2026-11`: documents go into done itself, it is said once, and no link is followed."""
    path = box.root / MONTH
    occupy(path)
    before = path.lstat()
    shelves = box.shelves("month")
    for raw in (PDF, OTHER_PDF):
        claimed(box, raw)
        with Slot(box.folders.work) as slot:
            file_away(NAME, shelves, receipt("done", raw=raw), slot)
    assert path.lstat() == before
    assert box.names() - {MONTH} == {f"done/{name}{end}" for name in (NAME, "12345.2.pdf") for end in ("", ".json")}
    (line,) = caplog.messages
    assert line.startswith(f"{path} is a ")
    assert "take it away" in line
    path.unlink()
    claimed(box)
    filed(box)
    assert f"{MONTH}/{NAME}" in box.names()


BIND = 'mount --bind "$1/done/other"'


@pytest.mark.parametrize("mount", ["mount -t tmpfs none", BIND, f'{BIND} "$1/{MONTH}"; mount -o remount,bind,ro'])
def test_another_mount_holds_up_nothing(box: Box, tmp_path: Path, mount: str) -> None:
    """Nothing can be renamed into it, be it another disk or the same one by another way: done itself is used."""
    for name in ("2026-11", "other"):
        (box.done / name).mkdir()
    claimed(box)
    box.folders.close()
    decision = tmp_path / "decision"
    decision.write_bytes(written("done"))
    done = unshared(f'{mount} "$1/{MONTH}"', FILING, box.root, decision)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"done/{NAME}", f"done/{NAME}.json"]
    assert "lies on another mount" in done.stderr


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_months_folder_of_another_user_holds_up_nothing(box: Box, mode: int) -> None:
    """An administrator made it by hand: documents go into done itself until the rights are mended."""
    claimed(box)
    (box.root / MONTH).mkdir()
    (box.root / MONTH).chmod(mode)
    for path in (box.root, box.done, box.failed, box.work, box.work / NAME):
        os.chown(path, NOBODY, NOBODY)
    box.root.parent.chmod(0o755)
    assert in_child(lambda: filed(box), uid=NOBODY) == NAME
    assert box.names() == {f"done/{NAME}", f"done/{NAME}.json"}


def test_a_fault_of_the_document_is_not_laid_to_the_folder(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What may not be moved anywhere is told as such, and no folder is complained of."""
    claimed(box)
    monkeypatch.setattr(syscalls, "_libc", OldKernel(errno.EPERM))
    with pytest.raises(PermissionError):
        filed(box)
    assert box.files() == {f".processing/{NAME}": PDF, f".processing/{NAME}.json": written("done")}
    assert not caplog.messages


def test_a_full_disk_is_waited_for(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """No month's folder can be made now: the document keeps its place until one can."""
    claimed(box)
    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", failing(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            filed(box)
    assert box.names() == {f".processing/{NAME}"}
    filed(box)
    assert box.names() == {f"{MONTH}/{NAME}", f"{MONTH}/{NAME}.json"}


def test_a_month_is_durable_before_anything_is_put_into_it(box: Box) -> None:
    """A power cut must not take the folder with all that is in it; an earlier run may have made it just before."""
    shelves = box.shelves("month")
    steps = []
    for _ in range(2):
        claimed(box)
        with Slot(box.folders.work) as slot, traced() as calls:
            file_away(NAME, shelves, receipt("done"), slot)
        steps.append([call for call in calls if call in {"mkdir", "fsync", "link", "renameat2"}])
    moves = ["fsync", "link", "renameat2", "fsync", "fsync"]
    assert steps == [["mkdir", "fsync", *moves], moves]
    claimed(box)
    with traced() as calls:
        filed(box)
    assert calls.index("mkdir") < calls.index("fsync") < calls.index("link")


def test_the_flat_layout_knows_no_months(box: Box) -> None:
    """Who does not want months does not pay for them."""
    claimed(box)
    with traced() as calls:
        filed(box, layout="flat")
    assert calls.count("open") == 2  # the room for the receipt, and a look for an old one in failed
    assert "mkdir" not in calls


def test_a_months_folder_that_is_removed_is_made_anew(memory_box: Box) -> None:
    """An empty one is removed at any moment of a filing: at worst the next attempt succeeds."""
    box, happened, call, failures = memory_box, True, 0, 0
    path = box.root / MONTH
    while happened:
        call += 1
        empty(box)
        claimed(box)
        shelves = box.shelves("month")

        def attempt(shelves: Shelves = shelves) -> None:
            with Slot(box.folders.work) as slot:
                file_away(NAME, shelves, receipt("done"), slot)

        def remove() -> None:
            with suppress(OSError):
                path.rmdir()

        with interrupted(call, remove) as has_happened:
            try:
                attempt()
            except FileNotFoundError:
                failures += 1
                attempt()
        happened = has_happened()
        assert box.files() == {f"{MONTH}/{NAME}": PDF, f"{MONTH}/{NAME}.json": written("done")}
    assert failures > 0


def test_workers_may_open_a_month_together(box: Box) -> None:
    """The first minute of a month: eight uploads end at once; all lie in one folder, and no descriptor stays open."""
    shelves, before = box.shelves("month"), os.listdir("/proc/self/fd")
    names = [f"{number}.pdf" for number in range(8)]
    start = threading.Barrier(len(names))

    def work(name: str) -> None:
        box.put(f".processing/{name}")
        start.wait()
        with Slot(box.folders.work) as slot:
            file_away(name, shelves, receipt("done", name), slot)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert box.names() == {f"{MONTH}/{name}{end}" for name in names for end in ("", ".json")}
    assert os.listdir("/proc/self/fd") == before


def test_a_document_is_finished_by_the_door(box: Box) -> None:
    """Claimed from the drop folder and filed by its month, through the spool as the daemon has it."""
    box.put(NAME)
    spool, task = box.spool(layout="month"), box.task(NAME)
    with closing(box.snapshot(NAME)) as snapshot, spool.reserve() as slot:
        assert spool.claim(task, snapshot) is None
        assert spool.finish(task, snapshot, receipt("done"), slot) == NAME
    assert box.files() == {f"{MONTH}/{NAME}": PDF, f"{MONTH}/{NAME}.json": written("done")}
    assert [entry.name for entry in spool.scan(NAMING.is_ignored)] == []


@pytest.fixture(params=["modern", "without renameat2", "without links"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system do all; or lack renameat2, as NFS; or hard links too, as FAT and CIFS."""
    if request.param != "modern":
        monkeypatch.setattr(syscalls, "_libc", OldKernel())
    if request.param == "without links":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))


def check_filed(box: Box, layout: DoneLayout, *, decided: bool) -> None:
    """After a crash and a start in some layout: one copy, in one place with its receipt if decided, and no remains."""
    box.reopen()
    found = recover(box.shelves(layout))
    assert recover(box.shelves(layout)) == [one for one in found if isinstance(one, Recovered)]
    (document,) = (place for place, raw in box.files().items() if raw == PDF)
    expected = {document}
    if document.startswith(".processing/"):
        assert not decided
    else:
        expected.add(f"{document}.json")
        assert document in {f"done/{NAME}", f"{MONTH}/{NAME}", "done/12345.2.pdf", f"{MONTH}/12345.2.pdf"}
        name = document.rpartition("/")[2]
        assert box.receipt(f"{document}.json") == receipt("done", name)
    assert {place for place, raw in box.files().items() if raw != OTHER_PDF} == expected
    assert (box.root / document).stat().st_nlink == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", LAYOUTS)
@pytest.mark.parametrize("before", LAYOUTS)
@pytest.mark.parametrize("taken", [False, True])
def test_a_crash_at_any_step_of_the_filing_and_a_switch(
    memory_box: Box,
    kernel: None,
    before: DoneLayout,
    after: DoneLayout,
    taken: bool,  # noqa: FBT001 - parametrized
) -> None:
    """Killed between any two calls, and started with the same or the other layout: one document, one receipt."""
    box, killed, call = memory_box, True, 0
    while killed:
        call += 1
        empty(box)
        claimed(box)
        if taken:
            (box.root / MONTH).mkdir()
            for place in ("done", MONTH):
                box.put(f"{place}/{NAME}", OTHER_PDF)
        killed = killed_at(call, lambda: filed(box, layout=before))
        assert len(inodes_of(box, PDF)) == 1
        note = read_receipt(f"{NAME}.json", box.folders.work)
        check_filed(box, after, decided=note is not None or not killed)
        assert not taken or [box.files()[f"{place}/{NAME}"] for place in ("done", MONTH)] == [OTHER_PDF] * 2
    assert call > 6


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_crash_at_any_step_of_the_recovery_and_a_switch(memory_box: Box, kernel: None, layout: DoneLayout) -> None:
    """A receipt lies already under its final name, in done or in its month's folder: the start finds it in either."""
    box = memory_box

    def recovery() -> None:
        recover(box.shelves(layout))

    for placed in ("done", MONTH):
        killed, call = True, 0
        while killed:
            call += 1
            empty(box)
            (box.root / MONTH).mkdir()
            claimed(box)
            for place in (".processing", placed):
                box.put(f"{place}/{NAME}.json", written("done"))
            killed = killed_at(call, recovery)
            assert len(inodes_of(box, PDF)) == 1
            check_filed(box, layout, decided=True)
            assert NAME in os.listdir(box.root / (MONTH if layout == "month" else "done"))
        assert call > 10


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EXDEV, errno.EMFILE])
def test_an_error_at_any_step_of_the_filing(memory_box: Box, code: int) -> None:
    """Whatever call fails once: filed at once or at the next start, in the month's folder or in done, and but once."""
    box, happened, call = memory_box, True, 0
    while happened:
        call += 1
        empty(box)
        claimed(box)
        with interrupted(call, failing(code)) as has_happened, suppress(OSError):
            filed(box)
        happened = has_happened()
        assert len(inodes_of(box, PDF)) == 1
        note = read_receipt(f"{NAME}.json", box.folders.work)
        check_filed(box, "month", decided=note is not None or not happened)
    assert call > 10


def test_a_rename_that_was_cut_in_half_is_ended_in_any_month(box: Box) -> None:
    """Where a rename is a link and an unlink, a crash leaves two names; the note may be lost, and a link lie about."""
    claimed(box)
    (box.root / "done/2020-02").mkdir()
    (box.root / MONTH).symlink_to("nowhere")
    box.put("done/2019-02", b"no folder")
    os.link(box.work / NAME, box.done / "2020-02" / NAME)
    assert recover(box.shelves("flat")) == []
    assert box.names() == {f"done/2020-02/{NAME}", "done/2019-02"}


def test_a_file_of_another_disk_is_not_taken_for_the_document(tmp_path: Path) -> None:
    """Two disks number their files alike: what is mounted as a month proves nothing of a document in work."""
    mounts = 'mount -t tmpfs none "$1"; mkdir -p "$1/done/2026-11"; mount -t tmpfs none "$1/done/2026-11"'
    done = unshared(mounts, STARTING, tmp_path)
    assert done.returncode == 0, done.stderr
    same, *found, is_there = done.stdout.split()
    if same == "False":
        pytest.skip("this kernel numbers the files of all its memory disks together")
    assert found[0].startswith("Recovered("), found
    assert is_there == "True"


@needs_root
def test_a_months_folder_that_cannot_be_looked_into_is_not_taken_for_empty(box: Box) -> None:
    """The receipt may lie there already: the start says so in a sentence, and begins when it can be known."""
    for path in (box.root, box.done, box.failed, box.work, box.put(f".processing/{NAME}")):
        os.chown(path, NOBODY, NOBODY)
    os.chown(box.put(f".processing/{NAME}.json", written("done")), NOBODY, NOBODY)
    (box.root / MONTH).mkdir(mode=0o700)

    def sentence() -> str:
        with pytest.raises(OSError, match="2026-11") as error:
            recover(box.shelves("flat"))
        return str(error.value.strerror)

    box.root.parent.chmod(0o755)
    assert in_child(sentence, uid=NOBODY) == "Permission denied"
    assert len(box.names()) == 2


def test_only_months_are_looked_into(box: Box) -> None:
    """What else lies in done, a folder that somebody made there or a file, holds none of the program's documents."""
    for name in ("2026-11", "2019-02", "2026-13", "old"):
        (box.done / name).mkdir()
    box.put("done/2020-01", b"no folder")
    found = [str(folder.path.relative_to(box.drop)) for folder in box.shelves().everywhere()]
    assert found == [".", "failed", "done", "done/2019-02", MONTH]


def test_where_a_document_may_have_been_put(box: Box) -> None:
    """A rejected one into failed alone; a delivered one into done, or into its month's folder where there is one."""
    shelves = box.shelves()

    def places(decision: Receipt) -> list[str]:
        return [str(folder.path.relative_to(box.drop)) for folder in shelves.places(decision)]

    assert places(receipt("failed")) == ["failed"]
    assert places(receipt("done")) == ["done"]
    (box.root / MONTH).mkdir()
    assert places(receipt("failed")) == ["failed"]
    assert places(receipt("done")) == ["done", MONTH]
    assert places(receipt("done", month="2019-02")) == ["done"]
