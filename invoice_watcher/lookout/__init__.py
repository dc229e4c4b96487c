"""Looking at the drop folder: when, at what, and what of it is ready.

Hints and the clock say when (`timing`); the scan says what; `judge` says whether. A look at all of the folder is made
in slices, for one with a million names takes seconds, and the loop has uploads to begin and signals to heed meanwhile;
only when all has been seen is anything offered, for the oldest goes first and may come last. Where that takes long,
a hint about one name is worth a *glance* at that name alone, at once; all of the folder is looked at as well, in its
own time.

Guarantees: every change is seen within one rescan, hints or no hints; a storm of hints costs a bounded share of the
processor; the number of files held in memory is bounded, in fair shares (see `schedule`), and the others have their
turn after them. Raises FolderError when the folder is not what it was, or cannot be read.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from invoice_watcher.errors import FolderError
from invoice_watcher.lookout.findings import Findings, Unfinished
from invoice_watcher.lookout.judge import Judge
from invoice_watcher.lookout.timing import Timing, is_polled
from invoice_watcher.lookout.wanted import Wanted
from invoice_watcher.record import MutableRecord, field
from invoice_watcher.settling import GONE, Clock
from invoice_watcher.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from invoice_watcher.complaints import Complaints
    from invoice_watcher.config import Settle
    from invoice_watcher.naming import Naming
    from invoice_watcher.schedule import Schedule, Selection, Task
    from invoice_watcher.schedule.beyond import Beyond
    from invoice_watcher.settling import Entry, Unready
    from invoice_watcher.spool import Spool

__all__ = ["Findings", "Lookout", "Unfinished", "is_polled"]

MOST_IN_MEMORY = 20_000
_SLACK = 4  # a quarter more may be held until the next look
_SLICE = 0.005  # seconds, about, that the loop looks on without doing anything else
_AT_ONCE = 32  # names that are seen between two looks at the clock

_log = logging.getLogger(__name__)


class _Look(MutableRecord):
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
        polling = is_polled(settle, folder)
        self._spool = spool
        self._is_ignored = naming.is_ignored
        self._rescan = settle.rescan_for(polling=polling)
        self._watcher = None if polling else Watcher(folder, on_hint, naming.own)
        self._watching = False
        self._watch_asked_at = 0.0  # whether it still hears
        self._most = most
        self._wanted = Wanted()
        self._wanted.all(0.0)
        self._timing = Timing(self._wanted, self._rescan)
        self._judge = Judge(spool, folder, settle, naming, complaints, wanted=self._wanted)
        self._look: _Look | None = None
        self._known = Findings()
        self._beyond: Beyond | None = None  # ready ones that were too many for the memory

    def start(self) -> None:
        """Begin to watch; without hints the rescan goes on alone, and that is logged."""
        self._watching = self._watcher is not None
        self._watch_asked_at = time.monotonic()
        if self._watcher and (trouble := self._watcher.start()):
            _log.warning("%s", trouble)

    def stop(self) -> None:
        """End the watch, and a look that is under way."""
        self._look = None
        if self._watcher:
            self._watcher.stop()

    def hinted(self) -> None:
        """Something may have happened in the folder."""
        self._judge.hinted()
        names = self._watcher.names() if self._watcher else None
        if names is None:
            self._wanted.all(0.0)
        elif names:
            self._timing.hinted(time.monotonic())
        for name in names or ():
            self._wanted.name(name, 0.0)

    @property
    def is_looking(self) -> bool:
        """Whether a look at all of the folder is under way."""
        return self._look is not None

    @property
    def more(self) -> int:
        """How many files in the folder wait beside the offered ones, as far as the last look and the workers know."""
        return self._known.more + len(self._beyond or ())

    @property
    def oldest_ns(self) -> int | None:
        """When the one that is longest unchanged of those that are not ready changed, nanoseconds since the epoch."""
        return self._known.oldest_ns

    @property
    def unfinished(self) -> Collection[Unfinished]:
        """Those that are not ready, as many as are remembered, in no particular order."""
        return self._known.unfinished.values()

    @property
    def left_alone(self) -> list[str]:
        """What was found to be no regular file; the first of them."""
        return self._known.left_alone

    def due_at(self, *, busy: bool) -> float:
        """Return when to look, or to look on, monotonic seconds; `busy` while there is more to do than workers."""
        if self._look is not None:
            return self._timing.looked_at
        return self._timing.due_at(busy=busy, crowded=bool(self._beyond))

    def look(self, schedule: Schedule, *, busy: bool = False) -> None:
        """Look at what is due, or look on for a moment, and offer what is ready, once it is known what goes first."""
        began = time.monotonic()
        if self._look is None and self._timing.glance_due_at(busy=busy, crowded=bool(self._beyond)) <= began:
            self._glance(schedule)
            return
        look = self._look or self._begin(schedule)
        now = _now()
        spent = time.thread_time()
        try:
            is_over = self._look_on(look, schedule, now)
        except FolderError:
            self._look = None
            raise
        if is_over:
            self._end(look, schedule, now)
        look.took += time.thread_time() - spent
        self._timing.looked(time.monotonic(), look.took)

    def _begin(self, schedule: Schedule) -> _Look:
        began = time.monotonic()
        if began >= self._watch_asked_at + self._rescan:
            self._keep_watching(began)
        self._timing.began(began)
        self._judge.begin_scan(_now())
        entries = self._spool.scan(self._is_ignored)
        self._look = _Look(entries, schedule.selection(self._most, self._judge.lane_of))
        return self._look

    def _look_on(self, look: _Look, schedule: Schedule, now: Clock) -> bool:
        """See some more of the folder; True when all has been seen."""
        under_way = schedule.names_under_way()
        for number, entry in enumerate(look.entries, 1):
            self._wanted.forget(entry.name)
            if self._judge.sees_ready(entry, look.findings, under_way, now):
                look.selection.add(entry)
            if number % _AT_ONCE == 0 and time.monotonic() > now.mono + _SLICE:
                return False
        return True

    def _end(self, look: _Look, schedule: Schedule, now: Clock) -> None:
        self._look, self._known = None, look.findings
        self._judge.end_scan()
        if look.took:  # in slices before this one
            self._catch_up(look, schedule, now)
        chosen, self._beyond = look.selection.chosen(), look.selection.beyond
        tasks = self._judge.tasks(chosen, schedule.ready_by_name(), self._known, now)
        left_out = schedule.offer(self._beyond.keep_back(tasks), look.selection.newest_ns)
        self._judge.in_hand(left_out, self._known, now)

    def _catch_up(self, look: _Look, schedule: Schedule, now: Clock) -> None:
        """See what arrived where the look had been already: it may be older than a file of its order that was seen."""
        if self._watcher:
            self.hinted()
        if names := self._wanted.take(now.mono):
            look.selection.see_again(set(names), self._ready_among(names, schedule, now))

    def _glance(self, schedule: Schedule) -> None:
        """Look at the names that are due, and offer those that are ready; in the folder as a whole nothing changes."""
        now = _now()
        spent = time.thread_time()
        names = self._wanted.take(now.mono)
        self._add(self._ready_among(names, schedule, now), names, schedule, now)
        self._timing.glanced(time.monotonic(), time.thread_time() - spent)

    def _ready_among(self, names: Collection[str], schedule: Schedule, now: Clock) -> list[Entry]:
        """Look at these names alone; return those that are ready, and know of the others."""
        found = self._spool.glance(names, self._is_ignored)
        under_way = schedule.names_under_way()
        ready = [entry for entry in found if self._judge.sees_ready(entry, self._known, under_way, now)]
        unready = {entry.name for entry in found}.difference(entry.name for entry in ready)
        for name in set(names) - unready:
            self._known.forget(name)
        return ready

    def _add(self, ready: Iterable[Entry], names: Iterable[str], schedule: Schedule, now: Clock) -> None:
        """Offer what a glance at these names found ready, beside what is offered already."""
        known = schedule.ready_by_name()
        looks = {entry.name: entry.signature for entry in ready}
        new = [entry for entry in ready if entry.name not in known]
        has_changed = any(name in known and known[name].signature != looks.get(name) for name in names)
        if has_changed or schedule.ready + len(new) > self._most + self._most // _SLACK:
            self._wanted.all(0.0)  # only a look at all of the folder can choose anew
            return
        tasks = self._judge.tasks(new, {}, self._known, now)
        schedule.add_ready(self._beyond.keep_back(tasks) if self._beyond else tasks)

    def not_ready(self, task: Task, unready: Unready) -> None:
        """A worker left a file where it was."""
        if unready is GONE or task.signature is None:
            return
        found = self._judge.hold(task, task.signature, unready, _now())
        for findings in (self._known, self._look.findings) if self._look else (self._known,):
            findings.add(found, may_be_counted=True)

    def expects_more(self) -> bool:
        """Tell whether a file that was not seen yet, or is not ready, may become so before patience runs out."""
        return bool(self._look or self._known.hopeful or self._beyond or self._known.in_hand)

    def _keep_watching(self, now: float) -> None:
        """Ask the watch whether it still hears: once in a rescan, however often files are looked at in between."""
        self._watch_asked_at = now
        if self._watching and self._watcher and (news := self._watcher.revive()):
            _log.warning("%s", news)


def _now() -> Clock:
    """Return the moment on both clocks, read one after the other: or the clock would seem to have been set."""
    return Clock(time.monotonic(), time.time())
