"""Who has a file open for writing, and who has a folder locked, as the kernel tells of real programs."""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.inquiry.openers import holder_of, writers_of
from tests.support.children import NOBODY, in_child, meanwhile, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def program(code: str, *arguments: Path) -> Iterator[int]:
    """Run a Python program until it says that it is ready; yields its process id."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(flush=True)\nsys.stdin.read()", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        yield child.pid
        child.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file."""
    path = tmp_path / "12345.pdf"
    path.write_bytes(b"%PDF")
    return path


@pytest.mark.parametrize("mode", ["ab", "r+b", "wb"])
def test_who_writes(path: Path, mode: str) -> None:
    """A program that has the file open for writing is named, with its process and its user."""
    began = time.time()
    with program(f"file = open(sys.argv[1], {mode!r})", path) as pid:
        (opener,) = writers_of(path).found
        assert opener.pid == pid
        assert opener.name.startswith("python")
        assert opener.user == pwd.getpwuid(os.geteuid()).pw_name
        assert opener.since is not None
        assert began - 2 < opener.since < time.time() + 2, "the kernel tells its own start in whole seconds"


def test_who_reads_is_not_named(path: Path) -> None:
    """Whoever only reads keeps nothing from being sent."""
    with program("file = open(sys.argv[1], 'rb')", path):
        assert writers_of(path).found == ()


def test_a_file_of_the_same_name_elsewhere(path: Path, tmp_path: Path) -> None:
    """A program that writes another file of this name is not blamed."""
    other = tmp_path / "other"
    other.mkdir()
    with program("file = open(sys.argv[1], 'wb')", other / path.name):
        assert writers_of(path).found == ()


def test_a_file_that_was_renamed_while_it_was_open(path: Path) -> None:
    """A program that gave the file its name while it was writing is found under the new name."""
    before = path.with_name("12345.tmp")
    with program("import os\nfile = open(sys.argv[1], 'wb')\nos.rename(sys.argv[1], sys.argv[2])", before, path):
        assert len(writers_of(path).found) == 1


def test_nothing_is_there(path: Path) -> None:
    """Of a file that is gone nothing is told."""
    assert writers_of(path.with_name("nothing")) == ((), False)


@needs_root
def test_what_only_root_may_see() -> None:
    """Another user's programs may not be looked into, and that is told; root sees them, and whose they are."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        path = Path(root) / "12345.pdf"
        path.touch()
        path.chmod(0o666)
        with program("file = open(sys.argv[1], 'wb')", path):
            assert in_child(lambda: tuple(writers_of(path)), uid=NOBODY) == ((), True)
        with meanwhile(lambda: path.open("wb"), uid=NOBODY):
            found = writers_of(path)
    assert [opener.user for opener in found.found] == [pwd.getpwuid(NOBODY).pw_name]
    assert not found.hidden


def test_a_program_with_a_hostile_name(path: Path) -> None:
    """A program names itself: what it says is told as it is, and whoever shows it escapes it."""
    name = r"open('/proc/self/comm', 'wb').write(b'a\n\x1b[31m')"
    with program(f"{name}\nfile = open(sys.argv[1], 'wb')", path):
        (opener,) = writers_of(path).found
    assert opener.name.startswith("a\n\x1b[31m")


def test_a_samba_server_tells_its_client(path: Path) -> None:
    """Who writes through a share is a server's process: its title names the client, and is told whole."""
    code = "import sys; open('/proc/self/comm', 'w').write('smbd[192.0.2.7]'); file = open(sys.argv[1], 'wb')"
    script = f'exec -a "smbd: client [192.0.2.7]" "$0" -c "{code}; print(flush=True); sys.stdin.read()" "$1"'
    command = ["bash", "-c", script, sys.executable, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        (opener,) = writers_of(path).found
        child.kill()
    assert opener.name == "smbd: client [192.0.2.7]"


def test_who_has_the_folder_locked(tmp_path: Path) -> None:
    """The program that works on a drop folder is found by its lock, by whatever path; when it is gone, nobody is."""
    lock = "import fcntl, os\nfcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)"
    drop, alias = tmp_path / "drop", tmp_path / "alias"
    drop.mkdir()
    alias.symlink_to(drop)
    assert holder_of(drop) is None
    with program(lock, drop) as pid:
        for path in (drop, alias):
            holder = holder_of(path)
            assert holder is not None
            assert holder.pid == pid
        assert holder_of(tmp_path) is None
    assert holder_of(drop) is None


def test_a_lock_in_the_folder(tmp_path: Path) -> None:
    """Where the folder itself cannot be locked (NFS), the lock is a file in it."""
    descriptor = os.open(tmp_path / ".invoice-watcher-lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    holder = holder_of(tmp_path)
    os.close(descriptor)
    assert holder is not None
    assert holder.pid == os.getpid()


def test_a_shared_lock_is_nobodys(tmp_path: Path) -> None:
    """Instances share the folders into which they file; that says nothing of the one they take from."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert holder_of(tmp_path) is None
    os.close(descriptor)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is locked by nobody."""
    assert holder_of(tmp_path / "nothing") is None
