"""Looking at the drop folder: when, and what of it is ready.

Hints and the clock say when; the scan says what; `settling` says whether. A look is made in slices, for a folder with
a million names takes seconds, and the loop has uploads to begin and signals to heed meanwhile; only when all has been
seen is anything offered, for the oldest goes first and may come last. Guarantees: every change is seen within one
rescan, hints or no hints; a storm of hints costs a bounded share of the processor; the number of files held in memory
is bounded, in fair shares (see `schedule`), and the others have their turn after them. Raises FolderError when the
folder is not what it was, or cannot be read.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invoice_watcher.complaints import WORTH_A_WARNING, Complaints
from invoice_watcher.errors import FolderError
from invoice_watcher.lookout.findings import Findings, Unfinished
from invoice_watcher.mounts import gives_hints
from invoice_watcher.naming import is_numbered
from invoice_watcher.schedule import Task
from invoice_watcher.settling import Clock, Settling, Signature, Unready
from invoice_watcher.spool import GONE, UnreadableError
from invoice_watcher.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from invoice_watcher.config import Settle
    from invoice_watcher.naming import Naming
    from invoice_watcher.schedule import Schedule, Selection
    from invoice_watcher.settling import Entry
    from invoice_watcher.spool import Spool

__all__ = ["Findings", "Lookout", "Unfinished"]

MOST_IN_MEMORY = 20_000
_SLICE = 0.005  # seconds, about, that the loop looks on without doing anything else
_AT_ONCE = 32  # names that are seen between two looks at the clock
_REST = 2.0  # times the processor time of the last look, before a hint brings the next one
_BUSY_REST = 1.0  # seconds, while there is enough to do
_NO_FILE = "is no regular file, so it is left alone, with whatever lies in it"
_RESTLESS = "keeps changing, so it is not sent; whatever writes to it has to come to an end"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    """A look that is under way: what is still to be seen, and what was found so far; `took` is in processor seconds."""

    entries: Iterator[Entry]
    selection: Selection
    findings: Findings = field(default_factory=Findings)
    took: float = 0.0


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
        self._patience = settle.incomplete_after
        self._hinted = True
        self._look: _Look | None = None
        self._began = self._looked_on = self._rested = 0.0
        self._known = Findings()
        self._beyond = 0  # ready ones that were too many for the memory

    def start(self) -> None:
        """Begin to watch; without hints the rescan goes on alone, and that is logged."""
        self._watching = self._watcher is not None
        if self._watcher and (trouble := self._watcher.start()):
            _log.warning("%s", trouble)

    def stop(self) -> None:
        """End the watch, and a look that is under way."""
        self._look = None
        if self._watcher:
            self._watcher.stop()

    def hinted(self) -> None:
        """Something may have happened in the folder."""
        self._hinted = True
        self._settling.hinted()

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way."""
        return self._look is not None

    @property
    def more(self) -> int:
        """How many files in the folder wait beside the offered ones, as far as the last look and the workers know."""
        return self._known.more + self._beyond

    @property
    def oldest_ns(self) -> int | None:
        """When the one that is longest unchanged of those that are not ready changed, nanoseconds since the epoch."""
        return self._known.oldest_ns

    @property
    def left_alone(self) -> list[str]:
        """What the last look found to be no regular file; the first of them."""
        return self._known.left_alone

    def due_at(self, *, busy: bool) -> float:
        """Return when to look, or to look on, monotonic seconds; `busy` while there is more to do than workers."""
        if self._look is not None:
            return self._looked_on
        wanted = self._began + self._rescan
        if self._hinted or (self._beyond and not busy):
            wanted = self._began
        rested = max(self._rested, self._looked_on + _BUSY_REST if busy else 0.0)
        return max(min(wanted, self._known.settled_at), rested)

    def look(self, schedule: Schedule) -> None:
        """Look on for a moment, and once all of the folder has been seen, offer what is ready."""
        look = self._look or self._begin(schedule)
        now = Clock(time.monotonic(), time.time())  # both now, or the clock seems to have been set
        spent = time.thread_time()
        try:
            is_over = self._look_on(look, schedule.names_under_way(), now)
        except FolderError:
            self._look = None
            raise
        if is_over:
            self._end(look, schedule, now)
        look.took += time.thread_time() - spent
        self._looked_on = time.monotonic()
        self._rested = self._looked_on + _REST * look.took

    def _begin(self, schedule: Schedule) -> _Look:
        began = time.monotonic()
        if self._began and began >= self._began + self._rescan:
            self._keep_watching()
        self._began, self._hinted = began, False
        self._settling.begin_scan(Clock(time.monotonic(), time.time()))
        entries = self._spool.scan(self._naming.is_ignored)
        self._look = _Look(entries, schedule.selection(self._most))
        return self._look

    def _look_on(self, look: _Look, under_way: Collection[str], now: Clock) -> bool:
        """See some more of the folder; True when all has been seen."""
        for number, entry in enumerate(look.entries, 1):
            self._see(entry, look, under_way, now)
            if number % _AT_ONCE == 0 and time.monotonic() > now.mono + _SLICE:
                return False
        return True

    def _end(self, look: _Look, schedule: Schedule, now: Clock) -> None:
        self._look, self._known = None, look.findings
        self._settling.end_scan()
        chosen = look.selection.chosen()
        self._beyond = look.selection.found - len(chosen)
        if schedule.offer(self._tasks(chosen, schedule.ready_by_name(), now), look.selection.newest_ns):
            self._known.expect(now.mono + _BUSY_REST)
            self._known.hopeful += 1

    def _see(self, entry: Entry, look: _Look, under_way: Collection[str], now: Clock) -> None:
        """Take one name into account."""
        name, signature, findings = entry.name, entry.signature, look.findings
        if not entry.regular:
            findings.add_strange(name)
            self._complaints.about(name, _NO_FILE, now.mono, 0.0)
            return
        wait = self._settling.wait_for(name, signature, now)  # also of one that is being read: or it would be forgotten
        if name in under_way:
            findings.expect(now.mono + _BUSY_REST)
        elif wait:
            hopeful = self._settling.held_for(name, now) < self._patience
            findings.add(self._why(name, signature, now.mono + wait), hopeful=hopeful)
            findings.expect(now.mono + wait)
            self._complain(name, now)
        else:
            look.selection.add(entry)

    def not_ready(self, task: Task, unready: Unready) -> None:
        """A worker left a file where it was."""
        if unready is GONE or task.signature is None:
            return
        now = Clock(time.monotonic(), time.time())
        name, signature = task.invoice.name, task.signature
        hopeful = self._settling.hold(name, signature, unready, now) < self._patience and not unready.known
        for findings in (self._known, self._look.findings) if self._look else (self._known,):
            findings.expect(now.mono + self._settling.wait_for(name, signature, now))
            findings.add(Unfinished(name, signature, unready.reason), hopeful=hopeful)
        self._complain(name, now)

    def unfinished(self, name: str) -> Unfinished | None:
        """Return why one file is not ready; None when it is, or was not seen."""
        return self._known.unfinished.get(name)

    def all_unfinished(self) -> Iterable[Unfinished]:
        """Return those that are not ready, as many as are remembered, in no particular order."""
        return self._known.unfinished.values()

    def expects_more(self) -> bool:
        """Tell whether a file that was not seen yet, or is not ready, may become so before patience runs out."""
        return self._look is not None or self._known.hopeful > 0 or self._beyond > 0

    def _tasks(self, found: Iterable[Entry], known: Mapping[str, Task], now: Clock) -> Iterator[Task]:
        for entry in found:
            try:
                yield self._task(entry, known.get(entry.name), now)
            except UnreadableError as error:  # only this file needs it, so only this file waits
                reason = f"waits, for its old receipt in the failed folder cannot be read ({error.strerror})"
                self._known.add(Unfinished(entry.name, entry.signature, reason))
                self._complaints.about(entry.name, reason, now.mono)

    def _task(self, found: Entry, known: Task | None, now: Clock) -> Task:
        """Return the task for a ready file: the one it had before, if it is the same, for there may be very many."""
        unchanged_for = self._settling.unchanged_for(found.name, found.signature, now)
        order_id = self._spool.filed_for(found.name)
        if known is not None and known.signature == found.signature and not is_numbered(found.name):
            known.unchanged_for = unchanged_for
            return known
        invoice = self._naming.read(found.name, order_id)
        return Task(invoice, found.changed_ns, found.signature, unchanged_for, owner=found.owner)

    def _why(self, name: str, signature: Signature, again_at: float) -> Unfinished:
        unready = self._settling.on_hold(name)
        if unready is None:
            text = f"changed moments ago, and is left alone for {self._quiet:g} s"
            return Unfinished(name, signature, text, again_at)
        return Unfinished(name, signature, unready.reason)

    def _keep_watching(self) -> None:
        if self._watching and self._watcher and (news := self._watcher.revive()):
            _log.warning("%s", news)

    def _complain(self, name: str, now: Clock) -> None:
        unready = self._settling.on_hold(name)
        if unready is None:
            self._complaints.about(name, _RESTLESS, now.mono, WORTH_A_WARNING + self._quiet)
        else:
            self._complaints.about(name, unready.reason, now.mono, 0.0 if unready.known else WORTH_A_WARNING)
