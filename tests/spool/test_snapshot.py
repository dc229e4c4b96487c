"""The private copy: what is copied, what is left alone, and what is never half read."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import random
import resource
import socket
import threading
import time
import tracemalloc
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.settling import GONE, Unready
from invoice_watcher.spool import leases_work
from invoice_watcher.spool.snapshot import (
    Snapshot,
    UnreadableError,
    is_unchanged,
    signature_of,
    take_snapshot,
)
from tests.support.box import LARGEST, MIB, OTHER_PDF, PDF
from tests.support.children import NOBODY, in_child, needs_root, use_up_descriptors
from tests.support.kernel import traced, without_unnamed_files

if TYPE_CHECKING:
    from tests.support.box import Box

NAME = "12345.pdf"
_CHANGED = "changed while it was being read"


def take(box: Box, name: str = NAME) -> Snapshot | Unready:
    """Copy a dropped file as it is now; nothing may stay open when there is no copy."""
    before = os.listdir("/proc/self/fd")
    taken = take_snapshot(name, box.folders.drop.fd, box.folders.work.fd, LARGEST, None)
    assert isinstance(taken, Snapshot) or os.listdir("/proc/self/fd") == before
    return taken


def reason(taken: Snapshot | Unready) -> str:
    """Return why a file was left alone."""
    assert isinstance(taken, Unready), taken
    return taken.reason


@pytest.mark.parametrize("size", [0, 1, 30_000, MIB - 1, MIB, MIB + 1, 3 * MIB, LARGEST])
def test_the_copy_is_the_file_byte_for_byte(box: Box, size: int) -> None:
    """A copy is its file byte for byte, of any size; nothing is left of a large one to clear up."""
    raw = random.Random(size).randbytes(size)
    box.put(NAME, raw)
    with closing(box.snapshot(NAME)) as snapshot:
        assert snapshot.document is not None
        assert isinstance(snapshot.document, BytesIO) == (size <= MIB)
        assert snapshot.document.read() == raw
        assert (snapshot.size, snapshot.sha256) == (size, hashlib.sha256(raw).hexdigest())
        assert box.names() == {NAME}
        snapshot.close()


def test_a_file_over_the_limit_is_described_and_not_copied(box: Box) -> None:
    """Somebody drops a film: it is rejected without being read."""
    with box.put("film.pdf").open("r+b") as file:
        file.truncate(LARGEST + 1)
    with closing(box.snapshot("film.pdf")) as snapshot:
        assert (snapshot.document, snapshot.sha256, snapshot.size) == (None, None, LARGEST + 1)


def test_no_more_than_a_mebibyte_is_held_in_memory(box: Box) -> None:
    """Ten workers with ten large documents do not fill the machine."""
    box.put(NAME, bytes(LARGEST))
    tracemalloc.start()
    with closing(box.snapshot(NAME)):
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


def test_a_full_disk_is_told_and_never_cuts_the_copy(box: Box) -> None:
    """write(2) writes a part where no more fits; such a copy must not pass for the document."""
    box.put(NAME, random.Random(0).randbytes(2 * MIB))

    def with_little_room() -> str:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB - 100, 2 * MIB - 100))
        with pytest.raises(OSError, match="File too large"):
            take(box)
        return "told"

    assert in_child(with_little_room) == "told"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/cwd/{os.path.relpath(path)}")


def _symlink(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_fifo, _socket, _symlink, _dangling, _folder])
def test_what_is_no_regular_file_is_left_alone(
    box: Box, make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO does not make the program wait, and a link does not make it read a secret."""
    monkeypatch.chdir(tmp_path)
    assert callable(make)
    make(box.drop / NAME)
    taken = take(box)
    assert reason(taken) == "is no regular file"
    assert isinstance(taken, Unready)
    assert taken.needs_person


def test_a_device_is_left_alone(box: Box) -> None:
    """A device in the drop folder is never read: /dev/zero would never end."""
    with open("/dev/null") as device:
        folder = os.open(os.path.dirname(device.name), os.O_RDONLY)
    taken = take_snapshot("zero", folder, box.folders.work.fd, LARGEST, None)
    os.close(folder)
    assert reason(taken) == "is no regular file"


def test_a_second_name_is_waited_out(box: Box) -> None:
    """OpenSSH's sftp-server delivers by link and unlink; a lasting hard link may lead to somebody's secret."""
    box.put(NAME)
    (box.drop / "upload.tmp").hardlink_to(box.drop / NAME)
    taken = take(box)
    assert reason(taken) == "has a second name (hard link)"
    assert isinstance(taken, Unready)
    assert not taken.needs_person
    (box.drop / "upload.tmp").unlink()
    box.snapshot(NAME).close()


def test_a_vanished_file_is_gone(box: Box) -> None:
    """A file that its clerk took back while it was to be copied is told as gone."""
    assert take(box) is GONE


@needs_root
def test_an_unreadable_file_waits_for_its_owner(box: Box) -> None:
    """A file that the program may not read stays where it is, with the reason and who can mend it."""
    box.put(NAME).chmod(0o600)
    assert in_child(lambda: reason(take(box)), uid=NOBODY) == "may not be read by this program; its owner must allow it"


@pytest.mark.parametrize("change", ["grown", "truncated", "rewritten", "replaced", "touched"])
def test_a_file_changed_since_the_scan_has_to_settle_again(box: Box, change: str) -> None:
    """A file that changed between the look and the copy has to settle again."""
    path = box.put(NAME)
    expected = box.task(NAME).signature
    if change == "grown":
        path.write_bytes(PDF + PDF)
    elif change == "truncated":
        os.truncate(path, 3)
    elif change == "rewritten":
        path.write_bytes(OTHER_PDF)
    elif change == "replaced":
        path.unlink()
        box.put(NAME)
    else:
        os.utime(path)
    folders = box.folders
    taken = take_snapshot(NAME, folders.drop.fd, folders.work.fd, LARGEST, expected)
    assert reason(taken) == "changed while it was being read"


def test_a_file_that_somebody_writes_is_never_read(box: Box) -> None:
    """A file that is open for writing, or mapped and closed by its writer, is not read."""
    path = box.put(NAME)
    with path.open("r+b") as file:
        assert reason(take(box)) == "is still open for writing"
        mapping = mmap.mmap(file.fileno(), 0)
    assert reason(take(box)) == "is still open for writing"
    mapping.close()
    box.snapshot(NAME).close()


def test_a_file_that_another_program_has_leased_is_waited_for(box: Box) -> None:
    """As Samba does for a client that has it open for itself: opening it would block, and it is nobody's fault."""
    with box.put(NAME).open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert reason(take(box)) == "is still open for writing"
    box.snapshot(NAME).close()


def test_a_file_with_a_bad_place_on_the_disk_is_told_from_a_fault_of_ours(box: Box) -> None:
    """A process's memory at address nought is a regular file that cannot be read: EIO, as a bad sector gives."""
    folder = os.open("/proc/self", os.O_RDONLY)
    with pytest.raises(UnreadableError, match="Input/output error"):
        take_snapshot("mem", folder, box.folders.work.fd, LARGEST, None)
    os.close(folder)


@pytest.mark.parametrize("size", [30_000, 3 * MIB])
def test_a_bad_place_behind_a_good_one_never_cuts_the_copy(
    box: Box, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """read(2) gives what is good, and tells the error to whoever reads on."""
    box.put(NAME, bytes(size))
    answers = iter([bytes(size // 2)])

    def read(_descriptor: int, _size: int) -> bytes:
        for good in answers:
            return good
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(UnreadableError, match="Input/output error"):
        take(box)


def test_a_file_that_gives_less_than_its_size_is_not_taken(box: Box) -> None:
    """As a network file system may; here the kernel's own: the files of sysfs say 4096 bytes, and hold a few."""
    path = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not path.exists() or path.stat().st_size == len(path.read_bytes()):
        pytest.skip("no such file here")
    folder = os.open(path.parent, os.O_RDONLY)
    assert reason(take_snapshot(path.name, folder, box.folders.work.fd, LARGEST, None)) == _CHANGED
    os.close(folder)


def test_a_file_that_gives_more_than_its_size_is_not_taken(box: Box) -> None:
    """Without leases it may grow while it is read; here one of procfs, which says nought bytes and holds many."""
    folder = os.open("/proc/self", os.O_RDONLY)
    assert reason(take_snapshot("status", folder, box.folders.work.fd, LARGEST, None)) == _CHANGED
    os.close(folder)


@pytest.mark.parametrize("size", [0, 30_000, MIB])
def test_a_small_document_costs_one_read(box: Box, size: int) -> None:
    """One byte more is asked for than there are, so the answer tells that there are no more."""
    box.put(NAME, bytes(size))
    with traced() as calls, closing(box.snapshot(NAME)):
        assert calls.count("read") == 1


def test_running_out_of_descriptors_is_a_fault_of_ours(box: Box) -> None:
    """When descriptors run out no file is blamed, for it would be so with every other one."""
    box.put(NAME)

    def blamed() -> bool:
        use_up_descriptors()
        with pytest.raises(OSError, match="Too many open files") as error:
            take_snapshot(NAME, box.folders.drop.fd, box.folders.work.fd, LARGEST, None)
        return isinstance(error.value, UnreadableError)

    assert not in_child(blamed)


def test_nobody_waits_once_the_copy_is_made(box: Box) -> None:
    """During the upload the clerk can open and save the document."""
    box.put(NAME)
    path = box.drop / NAME
    with closing(box.snapshot(NAME)), open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb") as file:
        file.write(b"saved anew")
    assert path.read_bytes().startswith(b"saved anew")


def test_a_writer_that_comes_while_it_is_read_is_noticed(box: Box) -> None:
    """The copy is thrown away, and the writer waits no longer than the reading takes."""
    path = box.put(NAME)
    os.truncate(path, 100 * MIB)
    waited = []

    def write() -> None:
        inode, end = f":{path.stat().st_ino} ", time.monotonic() + 30
        while not any("LEASE" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()):
            if (
                time.monotonic() > end
            ):  # the assertion below says so; without a pause, for the reading takes but a moment
                return
        began = time.monotonic()
        os.close(os.open(path, os.O_WRONLY))
        waited.append(time.monotonic() - began)

    writer = threading.Thread(target=write)
    writer.start()
    taken = take_snapshot(NAME, box.folders.drop.fd, box.folders.work.fd, 100 * MIB, None)
    writer.join(60)
    assert waited, "never saw the lease, or never got the file"
    assert reason(taken) == "is still open for writing"
    assert waited[0] < int(Path("/proc/sys/fs/lease-break-time").read_text()) / 2, "waited for the kernel to break it"


@needs_root
def test_without_leases_a_change_while_it_is_read_is_noticed_by_its_times(box: Box) -> None:
    """The documented weaker mode, for another user's file without CAP_LEASE."""
    path = box.put(NAME)
    os.truncate(path, 20 * MIB)
    path.chmod(0o666)
    box.work.chmod(0o777)
    appending = os.open(path, os.O_WRONLY | os.O_APPEND)

    def read_twice() -> str:
        done = threading.Event()

        def append() -> None:
            while not done.wait(0.001):
                os.write(appending, b"more")

        writer = threading.Thread(target=append)
        writer.start()
        first = take_snapshot(NAME, box.folders.drop.fd, box.folders.work.fd, 100 * MIB, None)
        done.set()
        writer.join()
        second = take_snapshot(NAME, box.folders.drop.fd, box.folders.work.fd, 100 * MIB, None)
        assert isinstance(second, Snapshot)
        return reason(first)

    assert in_child(read_twice, uid=NOBODY) == "changed while it was being read"
    os.close(appending)


@needs_root
def test_the_owner_is_named(box: Box) -> None:
    """The receipt says who dropped it."""
    os.chown(box.put(NAME), NOBODY, NOBODY)
    with closing(box.snapshot(NAME)) as snapshot:
        assert snapshot.owner == "nobody"


@pytest.mark.parametrize("change", ["none", "read", "grown", "rewritten in secret", "renamed", "linked"])
def test_a_change_after_the_copy_is_noticed(box: Box, change: str) -> None:
    """A change after the copy is noticed, also one that keeps size and modification time."""
    path = box.put(NAME)
    times = path.stat()
    with closing(box.snapshot(NAME)) as snapshot:
        if change == "read":
            path.read_bytes()
        elif change == "grown":
            path.write_bytes(PDF + PDF)
        elif change == "rewritten in secret":
            path.write_bytes(OTHER_PDF)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        elif change == "renamed":
            path.rename(path.with_name("6789.pdf"))
        elif change == "linked":
            path.with_name("6789.pdf").hardlink_to(path)
        assert is_unchanged(snapshot) == (change in {"none", "read"})


def test_a_document_that_is_being_written_counts_as_changed(box: Box) -> None:
    """A document that is open for writing is not filed away before its writer has closed it."""
    path = box.put(NAME)
    with closing(box.snapshot(NAME)) as snapshot:
        with path.open("r+b"):
            assert not is_unchanged(snapshot)
        assert is_unchanged(snapshot)
        assert snapshot.signature == signature_of(path.stat())


def test_whether_leases_work_is_known_for_each_file_system(tmp_path: Path) -> None:
    """`check` says where half-written files can be told for sure, and leaves nothing behind."""
    assert leases_work(tmp_path)
    assert not leases_work(tmp_path / "missing")
    assert not os.listdir(tmp_path)


def test_the_trial_of_leases_is_nobodys_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file that `check` tries has a name for a moment, it begins with a dot: a clerk's folder looks empty."""
    names: list[str] = []
    unlink = os.unlink

    def seen(path: str) -> None:
        names.extend(os.listdir(tmp_path))
        unlink(path)

    monkeypatch.setattr(os, "open", without_unnamed_files(os.open))
    monkeypatch.setattr(os, "unlink", seen)
    assert leases_work(tmp_path)
    assert [name[0] for name in names] == ["."]
    assert not os.listdir(tmp_path)
