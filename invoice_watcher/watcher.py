"""Hints from the kernel that the drop folder is worth a look.

A hint says "look again", never what happened: the scan is the truth. It may say at which name (`names`), so that a new
file need not wait until all of a large folder has been seen; a name that got lost is found by the scan. Guarantees:
nothing is done in watchdog's threads but remembering a name and calling `on_hint`, which must only set a flag; a watch
that has gone deaf (its folder deleted, renamed, mounted over, one of its threads dead) is noticed by `is_deaf`, and
built anew by `start` or `revive`. Where the kernel grants no watch, a sentence says so, once, and how to get one; the
rescan alone finds the files. Raises nothing.

The watch has a mask of its own. watchdog's default holds events back for half a second to pair both halves of a
rename, and moving a file *out* of the folder, which this program does with each one, is such a half; the default also
reports our own reading. IN_DELETE is there for programs that deliver by link and unlink (OpenSSH's sftp-server).
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    DirDeletedEvent,
    DirModifiedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init
from watchdog.utils import BaseThread

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

# What watchdog calls IN_CLOSE_WRITE and IN_MOVED_TO: the name is that of what arrived. Another one may only tell of it.
_ARRIVED = frozenset({EVENT_TYPE_CLOSED, EVENT_TYPE_CREATED})
_MOST_NAMES = 1000  # until somebody asks for them

# What inotify_init(2) and inotify_add_watch(2) mean by these, and what mends it.
_LIMITS = {
    errno.EMFILE: (
        "inotify instance limit reached",
        "; raise fs.inotify.max_user_instances with sysctl(8), or this program's limit of open files",
    ),
    errno.ENOSPC: ("inotify watch limit reached", "; raise fs.inotify.max_user_watches with sysctl(8)"),
}

# A thread of watchdog's that has an event in hand while it is being stopped calls that an error; it is the ordinary end
# of a watch, and its event is only a hint.
_STOPPED = "InotifyEmitter.queue_events() called when the thread is inactive"
logging.getLogger(InotifyEmitter.__module__).addFilter(lambda record: record.msg != _STOPPED)
_log = logging.getLogger(__name__)


class Watcher:
    """One watch on one folder."""

    def __init__(self, folder: Path, on_hint: Callable[[], None], own_names: Iterable[str] = ()) -> None:
        """Prepare; nothing is watched before `start`.

        Args:
            folder: what to watch.
            on_hint: called from watchdog's thread; must return at once and never raise.
            own_names: names that this program itself writes there, of which no hint is given.
        """
        self._folder = folder
        self._listener = _Listener(on_hint, {os.path.join(folder, name) for name in own_names})
        self._observer: InotifyObserver | None = None
        self._threads: set[threading.Thread] = set()  # watchdog's, of this watch
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
        alive = all(thread.is_alive() for thread in self._threads)
        return not (alive and _identity_or_none(self._folder) == self._identity)

    def names(self) -> set[str] | None:
        """Return, once, the names that the hints were about; None when some were about none, or about very many."""
        return self._listener.names()

    def stop(self) -> None:
        """End the watch and its threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _watch(self) -> str | None:
        others, observer = _threads_of_watchdog(), None
        try:
            self._identity = _identity(self._folder)
            _try_to_watch(self._folder)
            observer = _Observer()
            observer.schedule(self._listener, str(self._folder))
            observer.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread could be started
            if observer is not None:
                observer.stop()
            return _refusal(error)
        self._observer, self._threads = observer, _threads_of_watchdog() - others
        return None


def excepthook(args: threading.ExceptHookArgs) -> None:
    """Say in one line that the machine's fault ended a thread of a watch, which `revive` will notice.

    A `threading.excepthook`; whatever else ends a thread is a bug, and shows its traceback.
    """
    if isinstance(args.thread, BaseThread) and isinstance(args.exc_value, OSError):
        _log.warning("the watch on the drop folder ended: %s", args.exc_value.strerror)
    else:
        threading.__excepthook__(args)


class _Listener(FileSystemEventHandler):
    def __init__(self, on_hint: Callable[[], None], own_paths: set[str]) -> None:
        self._on_hint = on_hint
        self._own_paths = own_paths
        self._names: set[str] = set()
        self._is_about_all = False
        self._changing = threading.Lock()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass on a hint, but for what this program writes: it would otherwise look after each page that it wrote.

        watchdog lets a second event, that the folder was modified, follow each that the kernel gave; the first is
        enough. Other names that are never taken do count: the deletion of `12345.pdf.part` may be all that tells of
        a `12345.pdf` that was delivered by link and unlink.
        """
        path = os.fsdecode(event.src_path)
        if isinstance(event, DirModifiedEvent) or path in self._own_paths:
            return
        with self._changing:
            name = os.path.basename(path)
            # A file made with O_TMPFILE (open(2)) is closed as `#` and its inode, before or after it is linked.
            says_where = event.event_type in _ARRIVED and not name.startswith("#")
            self._is_about_all |= not says_where or len(self._names) >= _MOST_NAMES
            if not self._is_about_all:
                self._names.add(name)
        self._on_hint()

    def names(self) -> set[str] | None:
        with self._changing:
            names, self._names = self._names, set()
            is_about_all, self._is_about_all = self._is_about_all, False
        return None if is_about_all else names


class _Emitter(InotifyEmitter):
    def get_event_mask_from_filter(self) -> Any:  # noqa: ANN401 - watchdog 6 says int, watchdog 7 a NewType of it
        return _MASK

    def on_thread_start(self) -> None:
        """Have an overflow of the kernel's queue give a hint that is about no name; watchdog 6 tells nobody of it."""
        super().on_thread_start()
        group: Any = self._inotify
        told: Callable[[], None] | None = getattr(group, "on_queue_overflow", None)
        if told is not None:
            group.on_queue_overflow = partial(self._overflown, told)

    def _overflown(self, told: Callable[[], None]) -> None:
        told()
        self.queue_event(DirDeletedEvent(self.watch.path))


class _Observer(InotifyObserver):
    """With a thread of its own that reads from the kernel: one that all observers share would be missed for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._emitter_class = _Emitter


def _try_to_watch(folder: Path) -> None:
    """Raise OSError where the kernel grants no watch, and RuntimeError where it grants no thread.

    watchdog would never close what it had opened by then.
    """
    descriptor = _granted(inotify_init())
    try:
        _granted(inotify_add_watch(descriptor, os.fsencode(folder), _MASK))
        # The kernel takes its time to forget a watch (synchronize_srcu in fsnotify): a tenth of the whole start.
        threading.Thread(target=os.close, args=(descriptor,), name="end of a trial").start()
    except BaseException:
        os.close(descriptor)
        raise


def _granted(answer: int) -> int:
    """Return what libc answered; raises OSError for a refusal."""
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def _refusal(error: OSError | RuntimeError) -> str:
    """Say why there is no watch, and how to get one."""
    why, remedy = str(error), ""
    if isinstance(error, OSError):
        why, remedy = _LIMITS.get(error.errno or 0, (error.strerror or why, ""))
    return f"no hints from the kernel ({why}): new files are found by the rescan alone{remedy}"


def _threads_of_watchdog() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if isinstance(thread, BaseThread)}


def _identity(folder: Path) -> tuple[int, int]:
    found = os.stat(folder)
    os.scandir(folder).close()  # an unreadable folder can be watched, but no hint ever comes from it
    return found.st_dev, found.st_ino


def _identity_or_none(folder: Path) -> tuple[int, int] | None:
    try:
        return _identity(folder)
    except OSError:
        return None
