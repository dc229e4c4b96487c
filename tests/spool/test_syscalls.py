"""Renames that never replace, and leases that tell of writers: on the disk and in memory, against the real kernel."""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.spool import syscalls
from invoice_watcher.spool.syscalls import Lease, lease_for_reading, lease_is_wanted, link, rename_noreplace
from tests.integration.program import until
from tests.support.children import NOBODY, in_child, needs_root
from tests.support.kernel import OldKernel, failing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BREAK_TIME = int(Path("/proc/sys/fs/lease-break-time").read_text(encoding="ascii"))  # seconds
BAD_NAMES = ["a\nb.pdf", "\udcff\udcfe.pdf", "x" * 255, "\u202efdp.12345", "-rf"]


class Pair:
    """Two open folders with one document in the first."""

    def __init__(self, root: Path) -> None:
        self.here, self.there = root / "here", root / "there"
        for folder in (self.here, self.there):
            folder.mkdir()
        self.old_dir, self.new_dir = (os.open(folder, os.O_RDONLY) for folder in (self.here, self.there))
        (self.here / "old").write_bytes(b"document")

    def close(self) -> None:
        """Let go of both."""
        os.close(self.old_dir)
        os.close(self.new_dir)


@pytest.fixture(params=["disk", "/dev/shm"])  # noqa: S108 - a tmpfs on every Linux
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Give a folder on each kind of file system."""
    if request.param == "disk":
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=request.param) as folder:
        yield Path(folder)


@pytest.fixture
def pair(root: Path) -> Iterator[Pair]:
    """Give two folders on one file system."""
    with closing(Pair(root)) as pair:
        yield pair


def _by_kernel(pair: Pair, old: str, new: str) -> None:
    rename_noreplace(old, new, old_dir=pair.old_dir, new_dir=pair.new_dir)


def _by_link(pair: Pair, old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "_libc", OldKernel())
        rename_noreplace(old, new, old_dir=pair.old_dir, new_dir=pair.new_dir)


def _by_look(pair: Pair, old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syscalls, "_libc", OldKernel(errno.ENOSYS))
        patch.setattr(os, "link", failing(errno.EPERM))  # as on FAT
        rename_noreplace(old, new, old_dir=pair.old_dir, new_dir=pair.new_dir)


every_way = pytest.mark.parametrize("rename", [_by_kernel, _by_link, _by_look], ids=["renameat2", "link", "look"])


@every_way
@pytest.mark.parametrize("new", ["new", *BAD_NAMES], ids=ascii)
def test_a_free_name_is_given(pair: Pair, rename: Callable[[Pair, str, str], None], new: str) -> None:
    """A rename to a free name gives it, whatever is in the name, and the document is in the new folder alone."""
    inode = (pair.here / "old").stat().st_ino
    rename(pair, "old", new)
    assert not os.listdir(pair.here)
    assert os.listdir(pair.there) == [new]
    assert (pair.there / new).stat().st_ino == inode
    assert (pair.there / new).read_bytes() == b"document"
    assert (pair.there / new).stat().st_nlink == 1


def _file(new: Path, _: Path) -> None:
    new.write_bytes(b"other")


def _folder(new: Path, _: Path) -> None:
    new.mkdir()


def _dangling(new: Path, _: Path) -> None:
    new.symlink_to("nowhere")


def _same_inode(new: Path, old: Path) -> None:
    new.hardlink_to(old)


@every_way
@pytest.mark.parametrize("occupy", [_file, _folder, _dangling, _same_inode])
def test_a_taken_name_is_never_replaced(
    pair: Pair, rename: Callable[[Pair, str, str], None], occupy: Callable[[Path, Path], None]
) -> None:
    """Not a file, an empty folder, a symbolic link to nowhere, nor another name of the same document."""
    occupy(pair.there / "new", pair.here / "old")
    before = (pair.there / "new").lstat()
    with pytest.raises(FileExistsError):
        rename(pair, "old", "new")
    assert (pair.there / "new").lstat().st_ino == before.st_ino
    assert (pair.here / "old").read_bytes() == b"document"


@every_way
def test_a_vanished_document_is_told(pair: Pair, rename: Callable[[Pair, str, str], None]) -> None:
    """A document that somebody took away in the instant of its rename gets no new name: FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        rename(pair, "missing", "new")
    assert not os.listdir(pair.there)


def test_two_file_systems_are_told(tmp_path: Path) -> None:
    """A rename across file systems is an error, and never silently a copy."""
    (tmp_path / "old").write_bytes(b"document")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        old_dir, new_dir = os.open(tmp_path, os.O_RDONLY), os.open(other, os.O_RDONLY)
        with pytest.raises(OSError, match="cross-device") as error:
            rename_noreplace("old", "new", old_dir=old_dir, new_dir=new_dir)
        os.close(old_dir)
        os.close(new_dir)
    assert error.value.errno == errno.EXDEV
    assert (error.value.filename, error.value.filename2) == ("old", "new")


@needs_root
def test_what_cannot_leave_its_folder_is_not_in_both(tmp_path: Path) -> None:
    """Where link and unlink stand for the rename, a folder that forbids the unlink gets everything back as it was."""
    with closing(Pair(tmp_path)) as pair:
        if subprocess.run(["chattr", "+a", str(pair.here)], capture_output=True, check=False).returncode:
            pytest.skip("this file system has no append-only folders")
        try:
            with pytest.raises(PermissionError):
                _by_link(pair, "old", "new")
        finally:
            subprocess.run(["chattr", "-a", str(pair.here)], check=True)
        assert os.listdir(pair.here) == ["old"]
        assert not os.listdir(pair.there)


def test_links_that_are_not_to_be_had_are_told(pair: Pair) -> None:
    """EPERM is what a file system without hard links says (and any says it of a folder): False, no exception."""
    (pair.here / "folder").mkdir()
    assert not link("folder", "new", old_dir=pair.old_dir, new_dir=pair.new_dir)
    assert not os.listdir(pair.there)


def test_exists_sees_whatever_takes_a_name(pair: Pair) -> None:
    """A name counts as taken also by a symbolic link that leads nowhere."""
    (pair.here / "link").symlink_to("nowhere")
    seen = [syscalls.exists(name, pair.old_dir) for name in ("old", "link", "missing")]
    assert seen == [True, True, False]


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Give a descriptor for reading."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lease_on(path: Path) -> Lease:
    """Return what the kernel says of a file's writers."""
    with reading(path) as descriptor, lease_for_reading(descriptor) as lease:
        return lease


def test_a_file_that_nobody_writes_is_leased(pair: Pair) -> None:
    """Other readers do not matter, and when the block ends nobody waits any more."""
    with reading(pair.here / "old"):
        assert lease_on(pair.here / "old") is Lease.HELD
    os.close(os.open(pair.here / "old", os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("mode", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND])
def test_a_file_open_for_writing_is_busy(pair: Pair, mode: int) -> None:
    """Half a file is never taken for a whole one, however long its writer pauses."""
    path = pair.here / "old"
    writer = os.open(path, mode)
    assert lease_on(path) is Lease.BUSY
    os.close(writer)
    assert lease_on(path) is Lease.HELD


def test_a_writer_in_another_process_counts(pair: Pair) -> None:
    """As smbd, cp or an accounting program would be one."""
    path = pair.here / "old"
    with subprocess.Popen(["sh", "-c", 'exec 3>>"$0"; echo; read _', str(path)], stdin=-1, stdout=-1) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert lease_on(path) is Lease.BUSY
        writer.communicate(b"\n")
    assert lease_on(path) is Lease.HELD


def test_a_writable_mapping_is_busy_though_its_file_is_closed(pair: Pair) -> None:
    """A program that maps the file and closes it can still write."""
    path = pair.here / "old"
    with path.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    assert lease_on(path) is Lease.BUSY
    mapping.close()
    assert lease_on(path) is Lease.HELD


def test_a_writer_that_comes_meanwhile_is_noticed_and_waits_only_for_the_block(pair: Pair) -> None:
    """Somebody who saves in that moment is held up for milliseconds, not for an upload."""
    path = pair.here / "old"
    opened = threading.Event()

    def write() -> None:
        os.close(os.open(path, os.O_WRONLY))
        opened.set()

    with reading(path) as descriptor:
        with lease_for_reading(descriptor):
            assert not lease_is_wanted(descriptor)
            writer = threading.Thread(target=write)
            writer.start()
            until(lambda: lease_is_wanted(descriptor), "a writer that waits")
            assert not opened.is_set()
        assert opened.wait(_BREAK_TIME / 2), "waited for the kernel to break the lease"
        writer.join()


@needs_root
def test_where_leases_are_not_to_be_had_that_is_told(tmp_path: Path) -> None:
    """No lease on another user's file without CAP_LEASE: that is told, and no reason to leave the file alone."""
    path = tmp_path / "old"
    path.write_bytes(b"document")
    path.chmod(0o644)
    descriptor = os.open(path, os.O_RDONLY)

    def lease() -> tuple[str, bool]:
        with lease_for_reading(descriptor) as lease:
            return lease.name, lease.tells_of_writer

    assert in_child(lease, uid=NOBODY) == ("UNAVAILABLE", False)
    os.close(descriptor)
