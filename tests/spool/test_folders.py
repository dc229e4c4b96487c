"""What the folders must be before anything is done in them, and that nobody else works there."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.errors import FolderError, FolderInUseError, FolderLostError, FolderUnavailableError
from invoice_watcher.spool import Folders
from tests.support.children import NOBODY, fork, in_child, needs_root, unshared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.box import Box

# What a process with mounts of its own runs; says what came of it in one line.
OPEN = """
import sys
from pathlib import Path
from invoice_watcher.errors import FolderError, FolderInUseError
from invoice_watcher.spool import Folders
drop = Path(sys.argv[1])
try:
    Folders(drop, drop / "done", drop / "failed", drop / ".processing").close()
    print("opened")
except (FolderError, FolderInUseError) as error:
    print(type(error).__name__, error)
"""

MOUNT_OVER = """
import os, sys
from pathlib import Path
from invoice_watcher.errors import FolderLostError
from invoice_watcher.spool import Folders
drop = Path(sys.argv[1])
folders = Folders(drop, drop / "done", drop / "failed", drop / ".processing")
folders.verify()
os.system(sys.argv[2])
try:
    folders.verify()
except FolderLostError as error:
    print(error)
"""


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Give an empty drop folder."""
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


@pytest.fixture
def public() -> Iterator[Path]:
    """Give a folder that every user may enter."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def folders(drop: Path, others: dict[str, Path] | None = None, *, create: bool = True) -> Folders:
    """Open the folders of an instance; `others` replace the usual ones."""
    usual = {"done": drop / "done", "failed": drop / "failed", "work": drop / ".processing"}
    return Folders(drop, **{**usual, **(others or {})}, create=create)


def refusal(drop: Path, others: dict[str, Path] | None = None, *, create: bool = True) -> str:
    """Return the sentence with which these folders are refused; nothing may stay open or locked behind it."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FolderError) as error:
        folders(drop, others, create=create)
    assert os.listdir("/proc/self/fd") == before
    return str(error.value)


def test_missing_folders_are_made(drop: Path) -> None:
    """A sysadmin names one folder; the work folder is for nobody else, and no trial file stays anywhere."""
    folders(drop).close()
    assert sorted(os.listdir(drop)) == [".processing", "done", "failed"]
    assert stat.S_IMODE((drop / ".processing").stat().st_mode) == 0o700
    assert not stat.S_IMODE((drop / "done").stat().st_mode) & 0o007
    assert not [name for folder in drop.iterdir() for name in os.listdir(folder)]


def test_the_drop_folder_is_never_made(tmp_path: Path) -> None:
    """A missing one is a missing mount or a typing mistake, and invoices would vanish under it."""
    assert refusal(tmp_path / "drop").startswith(f"{tmp_path / 'drop'} does not exist; create it")
    assert not os.listdir(tmp_path)


def test_checking_makes_nothing(drop: Path) -> None:
    """`check` only looks."""
    assert "does not exist" in refusal(drop, create=False)
    assert not os.listdir(drop)


def test_a_folder_without_parent_is_not_made(drop: Path) -> None:
    """Only the last part of a path is made; more would hide a typing mistake."""
    assert "archive/done does not exist" in refusal(drop, {"done": drop / "archive" / "done"})


@pytest.mark.parametrize("which", ["done", "failed", "work"])
@pytest.mark.parametrize("leads_to", ["elsewhere", "nowhere"])
def test_a_symbolic_link_is_refused(drop: Path, which: str, leads_to: str) -> None:
    """Whoever can swap a link could redirect the documents; the real folder has to be named."""
    (drop.parent / "elsewhere").mkdir()
    (drop / "link").symlink_to(drop.parent / leads_to)
    assert "link is a symbolic link; name the folder it leads to" in refusal(drop, {which: drop / "link"})


def test_a_linked_drop_folder_is_refused(drop: Path) -> None:
    """The same holds for the drop folder itself."""
    (drop.parent / "link").symlink_to(drop)
    assert "is a symbolic link" in refusal(drop.parent / "link")


@pytest.mark.parametrize("which", ["done", "failed", "work"])
def test_a_file_in_place_of_a_folder_is_refused(drop: Path, which: str) -> None:
    """The file stays as it is."""
    (drop / "file").write_bytes(b"precious")
    assert "file is not a folder" in refusal(drop, {which: drop / "file"})
    assert (drop / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("which", ["done", "failed", "work"])
def test_another_file_system_is_refused(drop: Path, public: Path, which: str) -> None:
    """Documents are renamed, never copied; it shows at the start and not with the first invoice."""
    sentence = refusal(drop, {which: public})
    assert "must lie on one file system" in sentence
    assert str(public) in sentence
    assert not os.listdir(public)


@needs_root
def test_bind_mounts_of_one_file_system_are_refused(drop: Path) -> None:
    """Two `ReadWritePaths=` of one disk look alike, and yet no rename goes between them."""
    (drop / "done").mkdir()
    done = unshared('mount --bind "$1/done" "$1/done"', OPEN, drop)
    assert done.stdout.startswith("FolderError")
    assert "must lie on one file system (and one mount)" in done.stdout


@needs_root
def test_a_read_only_file_system_is_refused(drop: Path) -> None:
    """What could not be filed away must not be sent."""
    folders(drop).close()
    done = unshared('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', OPEN, drop)
    assert done.stdout == f"FolderUnavailableError cannot write in {drop}/.processing: Read-only file system\n"


@needs_root
def test_folders_that_deny_the_rename_are_refused(public: Path) -> None:
    """Rights are tried as the daemon's own user, with the folder's name in the sentence."""
    drop = public / "drop"
    drop.mkdir()
    folders(drop).close()
    for folder in (drop, *drop.iterdir()):
        os.chown(folder, NOBODY, NOBODY)
    os.chown(drop / "failed", 0, 0)
    (drop / "failed").chmod(0o755)
    sentence = in_child(lambda: refusal(drop), uid=NOBODY)
    assert sentence == f"cannot move files from {drop}/done to {drop}/failed: Permission denied"
    assert not (drop / "done" / ".invoice-watcher-trial").exists()
    (drop / "failed").chmod(0o700)
    assert in_child(lambda: refusal(drop), uid=NOBODY) == f"{drop}/failed may not be opened by this user"


def test_what_a_killed_start_left_does_no_harm(box: Box) -> None:
    """Killed in the middle of the trial, the next start works, and clears up."""
    for place in ("", "done/", "failed/", ".processing/"):
        box.put(f"{place}.invoice-watcher-trial", b"")
        box.reopen()
        assert not box.names()


@pytest.mark.parametrize("folder", ["", "done/", "failed/", ".processing/"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_only_bears_the_name_of_the_trial_is_left_alone(box: Box, folder: str, what: str) -> None:
    """Somebody's file or folder of that name neither stops the start nor is removed."""
    path = box.root / folder / ".invoice-watcher-trial"
    if what == "file":
        path.write_bytes(b"precious")
    else:
        path.mkdir()
    before = path.lstat()
    box.reopen()
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [one for one in box.root.rglob(".invoice-watcher-trial*") if one.is_file()] == [path] * (what == "file")


def test_too_many_open_files_may_pass(drop: Path) -> None:
    """Wherever the descriptors run out: exit status 75, so that systemd starts the service again; nothing is made."""

    def start_with_ever_more_room() -> list[tuple[int, str, bool]]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        others = []
        with suppress(OSError):
            while True:
                others.append(os.open("/dev/null", os.O_RDONLY))
        found = []
        while True:
            os.close(others.pop())
            try:
                folders(drop).close()
            except FolderUnavailableError as error:
                found.append((int(error.exit_status), str(error), bool(next(drop.iterdir(), None))))
            else:
                return found

    found = in_child(start_with_ever_more_room)
    assert {status for status, _, _ in found} == {75}
    assert all(sentence.endswith("Too many open files") for _, sentence, _ in found)
    assert not found[0][2], "whether something should be mounted there could not be known"


@needs_root
@pytest.mark.parametrize("option", ["nr_inodes=4", "nr_inodes=2"])
def test_a_full_disk_may_pass(drop: Path, option: str) -> None:
    """No room for a folder, or for a file: exit status 75."""
    program = OPEN.replace("type(error).__name__", "int(error.exit_status)")
    done = unshared(f'mount -t tmpfs -o {option} none "$1"', program, drop)
    assert done.stdout.startswith("75 ")
    assert done.stdout.endswith("No space left on device\n")


@needs_root
def test_a_drop_folder_that_may_not_be_searched_is_refused(public: Path) -> None:
    """Its names can be read, and none of its files can: the right is named."""
    elsewhere = {which: public / which for which in ("done", "failed", "work")}
    for folder in (public, public / "drop", *elsewhere.values()):
        folder.mkdir(exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
    (public / "drop").chmod(0o600)
    sentence = in_child(lambda: refusal(public / "drop", elsewhere), uid=NOBODY)
    assert sentence == f"{public}/drop may not be searched by this user"


def test_a_second_instance_is_refused(box: Box) -> None:
    """By the same path, and by another one through a linked parent; it ends with exit status 75."""
    (box.root.parent / "link").symlink_to(box.root.parent)
    for path in (box.root, box.root.parent / "link" / box.root.name):
        with pytest.raises(FolderInUseError, match=f"another invoice-watcher works on {path}") as error:
            folders(path)
        assert error.value.exit_status == 75


def test_a_shared_work_folder_is_refused(box: Box, drop: Path) -> None:
    """Two drop folders cannot share the folder where claimed documents lie."""
    with pytest.raises(FolderInUseError, match="processing"):
        folders(drop, {"work": box.work})


@needs_root
def test_a_second_instance_through_a_bind_mount_is_refused(box: Box, drop: Path) -> None:
    """Whatever the path, it is the same folder."""
    done = unshared('mount --bind "$1" "$2"; shift', OPEN, box.root, drop)
    assert done.stdout == f"FolderInUseError another invoice-watcher works on {drop}\n"


def test_the_lock_ends_with_its_owner(box: Box) -> None:
    """After a close, and after a kill -9, the next one may start."""
    box.folders.close()
    reading, writing = os.pipe()
    if (pid := fork()) == 0:
        try:
            box.open()
            os.write(writing, b"locked")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        assert pipe.read(6) == b"locked"
    with pytest.raises(FolderInUseError):
        box.open()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    box.folders = box.open()
    box.folders.verify()


def test_where_folders_cannot_be_locked_a_file_is(box: Box) -> None:
    """NFS wants a file open for writing; the second one is refused all the same."""
    box.folders._lock_file(box.folders.drop, fcntl.LOCK_EX)
    with pytest.raises(FolderInUseError, match="another invoice-watcher works on"):
        box.folders._lock_file(box.folders.drop, fcntl.LOCK_EX)


def test_folders_that_stay_are_verified_silently(box: Box) -> None:
    """Files coming and going change nothing."""
    box.put("12345.pdf")
    box.put("done/12345.pdf")
    box.folders.verify()


@pytest.mark.parametrize("which", ["drop", "done", "failed", "work"])
@pytest.mark.parametrize("change", ["removed", "renamed", "replaced", "a file"])
def test_a_folder_that_is_not_the_one_it_was_is_noticed(box: Box, which: str, change: str) -> None:
    """Nothing is filed into a folder that nobody sees any more."""
    folder: Path = getattr(box, which)
    folder.rename(box.root.parent / "moved away")
    if change == "replaced":
        folder.mkdir()
    elif change == "a file":
        folder.touch()
    elif change == "removed" and which != "drop":
        (box.root.parent / "moved away").rmdir()
    with pytest.raises(FolderLostError, match=str(folder)):
        box.folders.verify()


@needs_root
def test_a_folder_that_is_mounted_over_is_noticed(drop: Path) -> None:
    """A disk that comes up late covers the folder; what was opened lies below, unseen."""
    mount = Path(f"mount -t tmpfs none '{drop}'")
    done = unshared("true", MOUNT_OVER, drop, mount)
    assert done.stdout.startswith(f"{drop} is not the folder it was")


@needs_root
def test_an_unmounted_drop_folder_keeps_the_program_from_starting(drop: Path) -> None:
    """With the sentence that says what to do."""
    table = drop.parent / "fstab"
    table.write_text(f"/dev/sdb1 {drop} ext4 defaults 0 2\n")
    done = unshared('touch /etc/fstab; mount --bind "$2" /etc/fstab', OPEN, drop, table)
    assert done.stdout == (
        f"FolderError {drop} is a mount point in /etc/fstab, but nothing is mounted there: mount it first\n"
    )
    assert not os.listdir(drop)
