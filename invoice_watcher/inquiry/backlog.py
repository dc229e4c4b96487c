"""What waits in the drop and the work folder, by looking: for when no program runs that could tell.

Guarantees: nothing is changed or locked; memory stays flat, however much lies there; files that come and go meanwhile
do no harm; what may not be seen is said, and not counted as nought. Raises nothing.
"""

from __future__ import annotations

import heapq
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from invoice_watcher.errors import FolderError
from invoice_watcher.escaping import encodable
from invoice_watcher.naming import naming_of
from invoice_watcher.receipt import timestamp
from invoice_watcher.record import Record
from invoice_watcher.spool.folders import open_folder
from invoice_watcher.spool.names import is_document, note_name, original_name
from invoice_watcher.spool.receipts import read_receipt
from invoice_watcher.standing import MOST_NAMED, Waiter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config import Config
    from invoice_watcher.naming import Naming
    from invoice_watcher.receipt import Receipt

_LEFT = "lies there, and nothing takes it while the service does not run"
_CLAIMED = "was about to be sent (again), and is as soon as the service runs"


class Backlog(Record, frozen=True):
    """What waits.

    Attributes:
        waiting: how many files; None when the drop folder cannot be read.
        oldest: when the one that waits longest came, RFC 3339.
        files: the oldest of them, `MOST_NAMED` at most.
        trouble: what could not be looked at, in sentences.
    """

    waiting: int | None
    oldest: str | None
    files: tuple[Waiter, ...]
    trouble: tuple[str, ...]


class _Found(NamedTuple):
    changed_ns: int
    name: str
    size: int
    folder: Literal["drop", "work"]


class _Oldest:
    """A count of files, and the oldest of them."""

    def __init__(self) -> None:
        self.count = 0
        self._heap: list[tuple[int, str, _Found]] = []  # the youngest first, which gives way to an older one

    def add(self, found: _Found) -> None:
        self.count += 1
        entry = (-found.changed_ns, found.name, found)
        if len(self._heap) < MOST_NAMED:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def all(self) -> list[_Found]:
        return sorted(found for _, _, found in self._heap)


def backlog(config: Config) -> Backlog:
    """Look at what waits."""
    naming, oldest, trouble = naming_of(config), _Oldest(), []
    try:
        for found in _files_in(config.drop_dir, "drop"):
            if not naming.is_ignored(found.name):
                oldest.add(found)
    except FolderError as error:
        return Backlog(None, None, (), (str(error),))
    try:
        for found in _files_in(config.work_dir, "work") if os.path.lexists(config.work_dir) else ():
            if is_document(found.name):
                oldest.add(found)
    except FolderError as error:
        trouble.append(f"what was being sent cannot be counted: {error}")
    files = tuple(_waiter(found, config, naming) for found in oldest.all())
    return Backlog(oldest.count, min((one.since for one in files), default=None), files, tuple(trouble))


def note_of(config: Config, work_name: str) -> Receipt | None:
    """Return what is noted of a claimed document; None when nothing is, or it may not be read."""
    with suppress(FolderError, OSError):
        folder = open_folder(config.work_dir)
        try:
            return read_receipt(note_name(work_name), folder, note=True)
        finally:
            os.close(folder.fd)
    return None


def _files_in(path: Path, folder: Literal["drop", "work"]) -> Iterator[_Found]:
    """Yield the regular files of a folder; FolderError and its kin when it cannot be read."""
    opened = open_folder(path)
    try:
        with os.scandir(opened.fd) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield _Found(found.st_ctime_ns, entry.name, found.st_size, folder)
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(opened.fd)


def _waiter(found: _Found, config: Config, naming: Naming) -> Waiter:
    if found.folder == "drop":
        name, note = found.name, None
    else:
        name, note = original_name(found.name), note_of(config, found.name)
    return Waiter(
        name=encodable(name),
        order_id=note.order_id if note else naming.read(name).order,
        folder=found.folder,
        size=found.size,
        since=note.received_at if note else timestamp(found.changed_ns / 1e9),
        state="ready" if found.folder == "drop" else "deferred",
        text=_LEFT if found.folder == "drop" else _CLAIMED,
        attempts=note.attempts if note else 0,
        problem=note.error if note else None,
    )
