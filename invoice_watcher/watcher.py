"""Hints from the kernel that the drop folder is worth a look, and which file systems give none.

A hint says "look again", never what happened: the scan is the truth. Guarantees: nothing is done in watchdog's
threads but calling `on_hint`, which must only set a flag; a watch that has gone deaf (its folder deleted, renamed,
mounted over, its thread dead) is noticed by `is_deaf`, and built anew by `start` or `revive`. Where the kernel grants
no watch, a sentence says so, once, and how to get one; the rescan alone finds the files. Raises nothing.

The watch has a mask of its own. watchdog's default holds events back for half a second to pair both halves of a
rename, and moving a file *out* of the folder, which this program does with each one, is such a half; the default also
reports our own reading. IN_DELETE is there for programs that deliver by link and unlink (OpenSSH's sftp-server).
"""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import InotifyConstants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_MASK = (
    InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
)

_REMEDIES = {
    errno.EMFILE: "; raise fs.inotify.max_user_instances with sysctl(8), or this program's limit of open files",
    errno.ENOSPC: "; raise fs.inotify.max_user_watches with sysctl(8)",
}

# File systems on which other machines write without this kernel hearing of it (inotify(7), "Limitations").
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "sshfs",
        "rclone",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)


# A thread of watchdog's that has an event in hand while it is being stopped calls that an error; it is the ordinary end
# of a watch, and its event is only a hint.
_STOPPED = "InotifyEmitter.queue_events() called when the thread is inactive"
logging.getLogger(InotifyEmitter.__module__).addFilter(lambda record: record.msg != _STOPPED)


class Watcher:
    """One watch on one folder."""

    def __init__(self, folder: Path, on_hint: Callable[[], None]) -> None:
        """Prepare; nothing is watched before `start`.

        Args:
            folder: what to watch.
            on_hint: called from watchdog's thread; must return at once and never raise.
        """
        self._folder = folder
        self._listener = _Listener(on_hint)
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None
        self._trouble: str | None = None

    def start(self) -> str | None:
        """Watch, anew if need be; returns None, or a sentence on why there are no hints."""
        self.stop()
        self._trouble = self._watch()
        return self._trouble

    def revive(self) -> str | None:
        """Watch anew if the watch is deaf; returns a sentence when the log has to learn of it, and else None.

        While the kernel goes on to refuse, each try after the first is silent.
        """
        if not self.is_deaf():
            return None
        before = self._trouble
        trouble = self.start()
        if trouble is None:
            return "the kernel gives hints again" if before else "the watch on the drop folder had ended; watching anew"
        return trouble if trouble != before else None

    def is_deaf(self) -> bool:
        """Tell whether hints can no longer come, though nothing said so."""
        if self._observer is None:
            return True
        alive = self._observer.is_alive() and all(one.is_alive() for one in self._observer.emitters)
        return not (alive and self._observer.emitters and _identity_or_none(self._folder) == self._identity)

    def stop(self) -> None:
        """End the watch and its threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _watch(self) -> str | None:
        observer = BaseObserver(_Emitter)
        try:
            self._identity = _identity(self._folder)
            observer.schedule(self._listener, str(self._folder))
            observer.start()
        except OSError as error:
            observer.unschedule_all()
            remedy = _REMEDIES.get(error.errno or 0, "")
            why = error.strerror or error
            return f"no hints from the kernel ({why}): new files are found by the rescan alone{remedy}"
        self._observer = observer
        return None


def gives_hints(folder: Path) -> bool:
    """Tell whether every change in the folder is made by this machine, so that its kernel knows of it."""
    return file_system_of(folder) not in NETWORK_FILE_SYSTEMS


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that holds the folder, as the kernel names it; empty if unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return file_system_in(table, os.path.realpath(folder))
    except OSError:
        return ""


def file_system_in(mountinfo: Iterable[str], path: str) -> str:
    """Return the type of the innermost mount above `path`, of the last one where several lie on one another.

    Args:
        mountinfo: lines as in proc_pid_mountinfo(5); fuse file systems are named by what they stand for.
        path: absolute and free of symbolic links.
    """
    best, found = -1, ""
    for line in mountinfo:
        mount, _, rest = line.partition(" - ")
        fields = mount.split()
        if len(fields) < 5 or not rest:  # noqa: PLR2004 - the mount point is the fifth field
            continue
        point = _unescape(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, found = len(point), rest.split()[0]
    return found.removeprefix("fuse.")


def _unescape(point: str) -> str:
    r"""Undo the kernel's octal escapes of blanks, tabs, newlines and backslashes: `\040`."""
    for code in ("040", "011", "012", "134"):
        point = point.replace("\\" + code, chr(int(code, 8)))
    return point


class _Listener(FileSystemEventHandler):
    def __init__(self, on_hint: Callable[[], None]) -> None:
        self._on_hint = on_hint

    def dispatch(self, event: FileSystemEvent) -> None:
        del event
        self._on_hint()


class _Emitter(InotifyEmitter):
    def get_event_mask_from_filter(self) -> Any:  # noqa: ANN401 - watchdog 6 says int, watchdog 7 a NewType of it
        return _MASK


def _identity(folder: Path) -> tuple[int, int]:
    found = os.stat(folder)
    os.scandir(folder).close()  # an unreadable folder can be watched, but no hint ever comes from it
    return found.st_dev, found.st_ino


def _identity_or_none(folder: Path) -> tuple[int, int] | None:
    try:
        return _identity(folder)
    except OSError:
        return None
