"""Hints from the real kernel, and a watch that knows when it has gone deaf."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.inotify import InotifyEmitter

from invoice_watcher.naming import PAGE_IN_WRITING
from invoice_watcher.status_page.sheet import Sheet
from invoice_watcher.watcher import Watcher
from tests.integration.program import until
from tests.support.children import needs_root, unshared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


_NAMESPACE = ["unshare", "--map-root-user"]


class Ear:
    """A watch on a folder, and the hints that it gave."""

    def __init__(self, folder: Path, own_names: Sequence[str] = ()) -> None:
        self._heard = threading.Event()
        self.watcher = Watcher(folder, self._heard.set, own_names)

    def hears(self, within: float = 5.0) -> bool:
        """Wait for a hint that came since the last call."""
        heard = self._heard.wait(within)
        self._heard.clear()
        return heard


@contextmanager
def closing_watch(watcher: Watcher) -> Iterator[Watcher]:
    """Watch for the length of a block."""
    assert watcher.start() is None
    try:
        yield watcher
    finally:
        watcher.stop()


@contextmanager
def ear_on(folder: Path, own_names: Sequence[str] = ()) -> Iterator[Ear]:
    """Watch a folder."""
    ear = Ear(folder, own_names)
    with closing_watch(ear.watcher):
        yield ear


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Give a watched folder, with another one beside it on the same file system."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "12345.pdf").write_bytes(b"%PDF")
    return tmp_path / "drop"


def _written(drop: Path) -> None:
    (drop / "12345.pdf").write_bytes(b"%PDF")


def _moved_in(drop: Path) -> None:
    (drop.parent / "other" / "12345.pdf").rename(drop / "12345.pdf")


def _renamed_inside(drop: Path) -> None:
    (drop / "there.tmp").rename(drop / "12345.pdf")


def _linked_and_unlinked(drop: Path) -> None:
    (drop / "12345.pdf").hardlink_to(drop / "there.tmp")
    (drop / "there.tmp").unlink()


def _appended(drop: Path) -> None:
    with (drop / "there.tmp").open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("deliver", [_written, _moved_in, _renamed_inside, _linked_and_unlinked, _appended])
def test_every_way_of_delivering_gives_a_hint(drop: Path, deliver: Callable[[Path], None]) -> None:
    """A copy, a move, a rename from a temporary name, WinSCP's link and unlink, a save over the old: all are seen."""
    (drop / "there.tmp").write_bytes(b"%PDF")
    with ear_on(drop) as ear:
        deliver(drop)
        assert ear.hears()


@pytest.mark.parametrize("name", ["a\nb.pdf", "x" * 255, "\u202efdp.1", "\udcff\udcfe.pdf"], ids=ascii)
def test_every_name_gives_a_hint(drop: Path, name: str) -> None:
    """A file of any name gives a hint; bytes that are no UTF-8 do not end the watch."""
    with ear_on(drop) as ear:
        for _ in range(2):
            (drop / name).write_bytes(b"%PDF")
            assert ear.hears()
        assert not ear.watcher.is_deaf()


@pytest.mark.parametrize("name", ["12345.pdf", "a\nb.pdf", "\udcff\udcfe.pdf"], ids=ascii)
@pytest.mark.parametrize("deliver", ["written", "moved in", "renamed"])
def test_a_hint_says_at_which_name_to_look(drop: Path, deliver: str, name: str) -> None:
    """What arrives is told by its name, once; so a large folder need not be searched for it."""
    elsewhere = drop / "there.tmp" if deliver == "renamed" else drop.parent / "other" / "12345.pdf"
    elsewhere.write_bytes(b"%PDF")
    with ear_on(drop) as ear:
        if deliver == "written":
            (drop / name).write_bytes(b"%PDF")
        else:
            elsewhere.rename(drop / name)
        assert ear.hears()
        assert ear.watcher.names() == {name}
        assert ear.watcher.names() == set()


def test_a_file_without_a_name_says_nothing_of_the_one_it_gets(drop: Path) -> None:
    """Made with O_TMPFILE and linked, as some programs do: the only hint bears the kernel's own word for it."""
    with ear_on(drop) as ear:
        descriptor = os.open(drop, os.O_TMPFILE | os.O_WRONLY)
        os.link(f"/proc/self/fd/{descriptor}", drop / "12345.pdf", src_dir_fd=descriptor)  # or Python does not follow
        os.close(descriptor)
        assert ear.hears()
        assert ear.watcher.names() in (None, {"12345.pdf"})


def test_an_overflow_of_the_kernels_queue_is_a_hint_about_all_of_the_folder(drop: Path) -> None:
    """What the kernel could not tell may have been anything; only watchdog 7 and later pass that on."""
    program = """
import os, sys, time
from pathlib import Path
from invoice_watcher.watcher import Watcher
hints = []
watcher = Watcher(Path(sys.argv[1]), lambda: hints.append(None))
watcher.start()
print("stopped", flush=True)
os.kill(os.getpid(), 19)
end = time.monotonic() + 60
while time.monotonic() < end:
    if watcher.names() is None:
        print("all")
        break
    time.sleep(0.001)
watcher.stop()
"""
    if int(version("watchdog").partition(".")[0]) < 7:
        pytest.skip("this watchdog passes nothing on")
    with subprocess.Popen([sys.executable, "-c", program, drop], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "stopped\n"
        until(lambda: "T (stopped)" in Path(f"/proc/{child.pid}/status").read_text(encoding="ascii"))
        for number in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii")) + 10):
            (drop / f"{number % 2}.tmp").write_bytes(b"")
        child.send_signal(signal.SIGCONT)
        assert child.stdout.read() == "all\n"


def test_a_deletion_says_nothing_of_the_names_that_are_left(drop: Path) -> None:
    """Delivered by link and unlink, a file is told of only by the end of its other name."""
    (drop / "there.tmp").write_bytes(b"%PDF")
    with ear_on(drop) as ear:
        _linked_and_unlinked(drop)
        assert ear.hears()
        assert ear.watcher.names() is None


def test_very_many_hints_are_about_all_of_the_folder(drop: Path) -> None:
    """However long nobody asks, a bounded number of names is held."""
    hints: list[None] = []
    with closing_watch(Watcher(drop, lambda: hints.append(None))) as watcher:
        for number in range(1001):
            (drop / f"{number}.pdf").touch()
        until(lambda: len(hints) == 1001, "each gave a hint")
        assert watcher.names() is None
        assert watcher.names() == set()


def test_writing_the_status_page_gives_no_hint(drop: Path) -> None:
    """A page that is written every few seconds must not cause as many scans of a large folder; all else still does."""
    sheet = Sheet(drop, "status.html")
    with ear_on(drop, ["status.html", PAGE_IN_WRITING]) as ear:
        for _ in range(5):
            sheet.write("page")
        sheet.remove()
        assert not ear.hears(within=0.3)
        (drop / "status.html.pdf").write_bytes(b"%PDF")
        assert ear.hears()
        (drop / "there.tmp").write_bytes(b"%PDF")
        assert ear.hears()


def test_the_end_of_the_folder_gives_a_hint(drop: Path) -> None:
    """The removal of the drop folder itself gives a hint, whatever names are passed over."""
    with ear_on(drop, [drop.name, "status.html"]) as ear:
        drop.rmdir()
        assert ear.hears()
        assert ear.watcher.is_deaf()


@pytest.mark.slow
def test_our_own_work_gives_no_hint(drop: Path) -> None:
    """Reading and claiming a document must not wake the program that does it."""
    (drop / "12345.pdf").write_bytes(b"%PDF")
    with ear_on(drop) as ear:
        (drop / "12345.pdf").read_bytes()
        os.listdir(drop)
        (drop / "12345.pdf").rename(drop.parent / "12345.pdf")
        assert not ear.hears(within=0.7), "watchdog holds a move back for half a second"


def test_hints_are_not_held_up_by_moves_out_of_the_folder(drop: Path) -> None:
    """A document dropped while others are claimed is told of at once, not once watchdog lets go of the moves."""
    for number in range(50):
        (drop / f"{number}.pdf").write_bytes(b"%PDF")
    times = []
    with ear_on(drop) as ear:
        for number in range(50):
            (drop / f"{number}.pdf").rename(drop.parent / "other" / f"{number}.pdf")
            began = time.monotonic()
            (drop / "12345.pdf").write_bytes(b"%PDF")
            assert ear.hears()
            times.append(time.monotonic() - began)
    assert sorted(times)[25] < 0.25, "most were held up"


def test_a_healthy_watch_is_not_deaf(drop: Path) -> None:
    """A watch that works is not taken for one that ended, nor built anew for nothing."""
    with ear_on(drop) as ear:
        assert not ear.watcher.is_deaf()
        _written(drop)
        assert ear.hears()
        assert not ear.watcher.is_deaf()


@pytest.mark.parametrize("change", ["deleted", "renamed", "replaced"])
def test_a_watch_on_a_folder_that_is_not_there_any_more_is_deaf(drop: Path, change: str) -> None:
    """The kernel says nothing of what happens in the new folder; after a new start it does again."""
    with ear_on(drop) as ear:
        if change == "deleted":
            drop.rmdir()
        else:
            drop.rename(drop.parent / "moved")
        if change == "replaced":
            drop.mkdir()
        assert ear.watcher.is_deaf()
        drop.mkdir(exist_ok=True)
        assert ear.watcher.start() is None
        assert not ear.watcher.is_deaf()
        ear.hears(within=0.2)
        _written(drop)
        assert ear.hears()


@needs_root
def test_a_watch_that_is_mounted_over_is_deaf(drop: Path) -> None:
    """A drop folder that is unmounted or mounted over gives no event: the watch is known to hear nothing."""
    program = """
import os, sys
from pathlib import Path
from invoice_watcher.watcher import Watcher
watcher = Watcher(Path(sys.argv[1]), lambda: None)
watcher.start()
heard = [watcher.is_deaf()]
os.system(f"mount -t tmpfs none '{sys.argv[1]}'")
heard.append(watcher.is_deaf())
watcher.start()
heard.append(watcher.is_deaf())
os.system(f"umount '{sys.argv[1]}'")
heard.append(watcher.is_deaf())
watcher.stop()
print(heard)
"""
    assert unshared("true", program, drop).stdout == "[False, True, False, True]\n"


def test_a_watch_that_was_never_started_or_was_stopped_is_deaf(drop: Path) -> None:
    """A watch that was stopped, once or twice, leaves no thread; it hears nothing, and says so."""
    watcher = Watcher(drop, lambda: None)
    assert watcher.is_deaf()
    before = threading.active_count()
    assert watcher.start() is None
    watcher.stop()
    watcher.stop()
    assert watcher.is_deaf()
    until(lambda: threading.active_count() <= before, "the end of its threads")  # one of them only sees that it may go


def test_a_missing_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    """The rescan goes on alone; nothing is raised, and nothing stays open."""
    before, threads = os.listdir("/proc/self/fd"), threading.active_count()
    watcher = Watcher(tmp_path / "missing", lambda: None)
    assert watcher.start() == (
        "no hints from the kernel (No such file or directory): new files are found by the rescan alone"
    )
    assert watcher.is_deaf()
    assert os.listdir("/proc/self/fd") == before
    until(lambda: threading.active_count() <= threads, "the end of its threads")


def test_a_kernel_that_grants_no_watch_is_told_in_a_sentence(drop: Path) -> None:
    """Here for want of descriptors, as elsewhere for want of watches: the rescan alone finds the files."""
    program = """
import os, resource, sys
from pathlib import Path
from invoice_watcher.watcher import Watcher
watcher = Watcher(Path(sys.argv[1]), lambda: None)
free = os.open("/", os.O_RDONLY)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))
print(watcher.start())
print(watcher.is_deaf())
"""
    done = subprocess.run([sys.executable, "-c", program, drop], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("no hints from the kernel (")
    assert "by the rescan alone; raise fs.inotify.max_user_instances with sysctl(8), or " in done.stdout
    assert done.stdout.endswith("limit of open files\nTrue\n")


@pytest.mark.parametrize("what", ["instances", "watches"])
def test_a_kernel_that_grants_no_watch_is_told_once(drop: Path, what: str) -> None:
    """Limits that are used up: said once, with the mending; tried again in silence; said when there are hints again."""
    program = """
import os, sys
from pathlib import Path
from invoice_watcher.watcher import Watcher
folder, limit = map(Path, sys.argv[1:])
before = limit.read_text(), os.listdir("/proc/self/fd")
limit.write_text("0")
watcher = Watcher(folder, lambda: None)
said = [watcher.start(), watcher.revive(), watcher.revive()]
assert os.listdir("/proc/self/fd") == before[1], "each try leaves something open"
limit.write_text(before[0])
print(*said, watcher.revive(), watcher.revive(), watcher.is_deaf(), sep="\\n")
watcher.stop()
"""
    limit = f"/proc/sys/user/max_inotify_{what}"  # of a user namespace; fs.inotify.max_user_* is that of the first one
    if subprocess.run([*_NAMESPACE, "test", "-w", limit], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    command = [*_NAMESPACE, sys.executable, "-c", program, str(drop), limit]
    first, *rest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert first.startswith("no hints from the kernel (inotify ")
    assert f"raise fs.inotify.max_user_{what} with sysctl(8)" in first
    assert rest == ["None", "None", "the kernel gives hints again", "None", "False"]


def test_a_machine_that_has_no_thread_to_spare_is_told_in_a_sentence(drop: Path) -> None:
    """Here for want of memory for its stack: the rescan goes on alone, nothing stays open, and later there is a watch.

    In a process of its own, for the size of a stack is that of all threads to come.
    """
    program = """
import os, sys, threading
from pathlib import Path
from invoice_watcher.watcher import Watcher
watcher = Watcher(Path(sys.argv[1]), lambda: None)
before = os.listdir("/proc/self/fd"), threading.active_count()
threading.stack_size(1 << 46)
print(watcher.start(), watcher.revive(), sep="\\n")
assert (os.listdir("/proc/self/fd"), threading.active_count()) == before
threading.stack_size(0)
print(watcher.revive(), watcher.is_deaf(), sep="\\n")
watcher.stop()
"""
    command = [sys.executable, "-c", program, str(drop)]
    first, *rest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert first.startswith("no hints from the kernel (can't start new thread): new files are found by the rescan")
    assert rest == ["None", "the kernel gives hints again", "False"]


def test_a_watch_that_ended_is_revived(drop: Path) -> None:
    """The folder was replaced: it is watched again, which is said; a healthy watch is left as it is."""
    with ear_on(drop) as ear:
        assert ear.watcher.revive() is None
        drop.rename(drop.parent / "moved")
        drop.mkdir()
        assert ear.watcher.revive() == "the watch on the drop folder had ended; watching anew"
        assert ear.watcher.revive() is None
        _written(drop)
        assert ear.hears()


def test_a_watch_whose_thread_died_is_revived(drop: Path) -> None:
    """The kernel answers it with an error, here because a folder took the place of its descriptor: one line, no trace.

    The new watch shares nothing with the dead one.
    """
    program = """
import os, sys, threading, time
from pathlib import Path
from invoice_watcher import watcher
threading.excepthook = watcher.excepthook
folder, heard = Path(sys.argv[1]), threading.Event()
watch = watcher.Watcher(folder, heard.set)
watch.start()
links = {int(fd): os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
(inotify,) = (fd for fd, link in links.items() if link.endswith("anon_inode:inotify"))
os.dup2(os.open(folder, os.O_RDONLY), inotify)
(folder / "1.pdf").touch()
while not watch.is_deaf():
    time.sleep(0.01)
print(watch.revive(), watch.revive(), sep="\\n")
heard.clear()
(folder / "2.pdf").touch()
print(heard.wait(10))
watch.stop()
"""
    command = [sys.executable, "-c", program, str(drop)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "the watch on the drop folder had ended; watching anew\nNone\nTrue\n"
    assert done.stderr == "the watch on the drop folder ended: Is a directory\n"


def test_the_end_of_a_watch_is_no_error(drop: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stop or reload while hints come in leaves no error in the log; watchdog's other words still get there."""
    with ear_on(drop) as ear:
        assert ear.watcher._observer is not None
        (emitter,) = ear.watcher._observer.emitters
        ear.watcher.stop()
        emitter.queue_events(1)  # as its thread does that has just looked whether to go on
    logger = sys.modules[InotifyEmitter.__module__].logger
    logger.warning("Inotify queue overflowed")
    assert caplog.messages == ["Inotify queue overflowed"]
