"""Looking at the drop folder: when, and what of it is ready.

Hints and the clock say when; the scan says what; `settling` says whether. Guarantees: every change is seen within
one rescan, hints or no hints; a storm of hints costs a bounded share of the time; the number of files held in
memory is bounded, oldest first, and the others have their turn after them. Raises FolderLostError when the folder is
not what it was.
"""

from __future__ import annotations

import heapq
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.complaints import WORTH_A_WARNING, Complaints
from invoice_watcher.mounts import gives_hints
from invoice_watcher.schedule import Task
from invoice_watcher.settling import Clock, Settling, Signature, Unready
from invoice_watcher.spool import GONE, UnreadableError
from invoice_watcher.standing import MOST_NAMED
from invoice_watcher.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from invoice_watcher.config import Settle
    from invoice_watcher.naming import Naming
    from invoice_watcher.schedule import Schedule
    from invoice_watcher.spool import Spool

MOST_IN_MEMORY = 20_000
_REST = 4.0  # times as long as the last look took, before a hint brings the next one
_BUSY_REST = 1.0  # seconds, while there is enough to do
_MOST_UNFINISHED = 1000
_NO_FILE = "is no regular file, so it is left alone, with whatever lies in it"
_RESTLESS = "keeps changing, so it is not sent; whatever writes to it has to come to an end"

_log = logging.getLogger(__name__)


class Unfinished(NamedTuple):
    """A file that is not ready.

    Attributes:
        text: why, a phrase that goes on after its name.
        again_at: when it is looked at again, monotonic seconds; None when only what happens in the folder tells.
    """

    name: str
    signature: Signature
    text: str
    again_at: float | None = None


class Lookout:
    """The eyes on one drop folder."""

    def __init__(  # noqa: PLR0913 - what it looks at, how, and whom it tells
        self,
        spool: Spool,
        folder: Path,
        settle: Settle,
        naming: Naming,
        complaints: Complaints,
        *,
        on_hint: Callable[[], None],
        most: int = MOST_IN_MEMORY,
    ) -> None:
        """Prepare; `start` begins to watch.

        Args:
            spool: gives the scan.
            folder: the drop folder's path.
            settle: the configured patience.
            naming: which names are left alone, and how the others are read.
            complaints: hears of what stays unfit.
            on_hint: called from another thread when a look may be worth it.
            most: how many files are held in memory.
        """
        polling = settle.mode == "polling" or (settle.mode == "auto" and not gives_hints(folder))
        self._spool = spool
        self._naming = naming
        self._rescan = settle.rescan_for(polling=polling)
        self._watcher = None if polling else Watcher(folder, on_hint, naming.own)
        self._quiet = settle.quiet
        self._settling = Settling(settle.quiet, trust_ctime=gives_hints(folder))
        self._watching = False
        self._complaints = complaints
        self._most = most
        self._hinted = True
        self._settled_at = 0.0
        self._looked = (0.0, 0.0)
        self._patience = settle.incomplete_after
        self._hopeful = 0
        self._beyond = 0  # ready ones that were too many for the memory
        self._unfinished: dict[str, Unfinished] = {}  # the first of them
        self.more = 0  # files in the folder that are not ready, as far as the last look and the workers know
        self.oldest_ns: int | None = None  # when the one of these that is longest unchanged changed, since the epoch
        self.left_alone: list[str] = []  # what the last look found to be no regular file; the first of them

    def start(self) -> None:
        """Begin to watch; without hints the rescan goes on alone, and that is logged."""
        self._watching = self._watcher is not None
        if self._watcher and (trouble := self._watcher.start()):
            _log.warning("%s", trouble)

    def stop(self) -> None:
        """End the watch."""
        if self._watcher:
            self._watcher.stop()

    def hinted(self) -> None:
        """Something may have happened in the folder."""
        self._hinted = True
        self._settling.hinted()

    def due_at(self, *, busy: bool) -> float:
        """Return when to look next, monotonic seconds; `busy` while there is more to do than workers."""
        began, ended = self._looked
        rest = ended + max(_REST * (ended - began), _BUSY_REST if busy else 0.0)
        wanted = began if self._hinted or (self._beyond and not busy) else min(began + self._rescan, self._settled_at)
        return max(wanted, rest)

    def look(self, schedule: Schedule) -> None:
        """Scan the folder, and offer what is ready."""
        began = time.monotonic()
        if self._looked[0] and began >= self._looked[0] + self._rescan:
            self._keep_watching()
        self._hinted = False
        now = Clock(time.monotonic(), time.time())  # both now, or the clock seems to have been set
        self._settling.begin_scan(now)
        self._beyond = 0
        found = heapq.nsmallest(self._most, self._ready(schedule, now))
        self._settling.end_scan()
        self._beyond -= len(found)
        self.more += self._beyond
        schedule.offer(self._tasks(found, now))
        self._looked = (began, time.monotonic())

    def not_ready(self, task: Task, unready: Unready) -> None:
        """A worker left a file where it was."""
        if unready is GONE or task.signature is None:
            return
        now = Clock(time.monotonic(), time.time())
        held = self._settling.hold(task.invoice.name, task.signature, unready, now)
        self._settled_at = min(
            self._settled_at, now.mono + self._settling.wait_for(task.invoice.name, task.signature, now)
        )
        self._hopeful += held < self._patience and not unready.known
        self._count_unready(Unfinished(task.invoice.name, task.signature, unready.reason))
        self._complain(task.invoice.name, now)

    def unfinished(self, name: str) -> Unfinished | None:
        """Return why one file is not ready; None when it is, or was not seen."""
        return self._unfinished.get(name)

    def all_unfinished(self) -> Iterable[Unfinished]:
        """Return those that are not ready, as many as are remembered, in no particular order."""
        return self._unfinished.values()

    def expects_more(self) -> bool:
        """Tell whether a file that is not ready may still become so before patience runs out."""
        return self._hopeful > 0 or self._beyond > 0

    def _ready(self, schedule: Schedule, now: Clock) -> Iterator[tuple[int, str, Signature]]:
        """Yield what is ready; note when the next of the others will be."""
        self._settled_at = float("inf")
        self.more = self._hopeful = 0
        self.oldest_ns = None
        self._unfinished.clear()
        self.left_alone.clear()
        for entry in self._spool.scan(self._naming.is_ignored):
            if not entry.regular:
                self._leave_alone(entry.name, now)
                continue
            wait = self._settling.wait_for(entry.name, entry.signature, now)
            if schedule.is_under_way(entry.name):
                self._settled_at = min(self._settled_at, now.mono + _BUSY_REST)
            elif wait:
                self._count_unready(self._why(entry.name, entry.signature, now.mono + wait))
                self._hopeful += self._settling.held_for(entry.name, now) < self._patience
                self._settled_at = min(self._settled_at, now.mono + wait)
                self._complain(entry.name, now)
            else:
                self._beyond += 1
                yield entry.signature.ctime_ns, entry.name, entry.signature

    def _leave_alone(self, name: str, now: Clock) -> None:
        if len(self.left_alone) < MOST_NAMED:
            self.left_alone.append(name)
        self._complaints.about(name, _NO_FILE, now.mono, 0.0)

    def _tasks(self, found: Iterable[tuple[int, str, Signature]], now: Clock) -> Iterator[Task]:
        for _, name, signature in found:
            try:
                yield self._task(name, signature, now)
            except UnreadableError as error:  # only this file needs it, so only this file waits
                reason = f"waits, for its old receipt in the failed folder cannot be read ({error.strerror})"
                self._count_unready(Unfinished(name, signature, reason))
                self._complaints.about(name, reason, now.mono)

    def _task(self, name: str, signature: Signature, now: Clock) -> Task:
        unchanged_for = self._settling.unchanged_for(name, signature, now)
        invoice = self._naming.read(name, self._spool.filed_for(name))
        return Task(invoice, signature.ctime_ns, signature, unchanged_for)

    def _why(self, name: str, signature: Signature, again_at: float) -> Unfinished:
        unready = self._settling.on_hold(name)
        if unready is None:
            return Unfinished(
                name, signature, f"changed moments ago, and is left alone for {self._quiet:g} s", again_at
            )
        return Unfinished(name, signature, unready.reason)

    def _count_unready(self, found: Unfinished) -> None:
        self.more += 1
        if len(self._unfinished) < _MOST_UNFINISHED:
            self._unfinished[found.name] = found
        changed_ns = found.signature.ctime_ns
        self.oldest_ns = changed_ns if self.oldest_ns is None else min(self.oldest_ns, changed_ns)

    def _keep_watching(self) -> None:
        if self._watching and self._watcher and (news := self._watcher.revive()):
            _log.warning("%s", news)

    def _complain(self, name: str, now: Clock) -> None:
        unready = self._settling.on_hold(name)
        if unready is None:
            self._complaints.about(name, _RESTLESS, now.mono, WORTH_A_WARNING + self._quiet)
        else:
            self._complaints.about(name, unready.reason, now.mono, 0.0 if unready.known else WORTH_A_WARNING)
