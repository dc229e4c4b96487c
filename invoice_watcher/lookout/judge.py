"""What a name in the drop folder is: strange, unfinished, or ready; and the task for a ready one.

`settling` knows the clock's part, the workers tell theirs (`hold`); here both become what people read, and the moment
at which the name is worth another look. Guarantees: whatever stays unfit is complained of. Raises FolderError when the
folder of old receipts cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.complaints import WORTH_A_WARNING, Complaints
from invoice_watcher.lookout.findings import Findings, Unfinished
from invoice_watcher.mounts import is_local
from invoice_watcher.naming import is_numbered
from invoice_watcher.schedule import Task
from invoice_watcher.settling import Clock, Settling, Signature, Unready
from invoice_watcher.spool import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from invoice_watcher.config import Settle
    from invoice_watcher.lookout.wanted import Wanted
    from invoice_watcher.naming import Naming
    from invoice_watcher.settling import Entry
    from invoice_watcher.spool import Spool

_AGAIN = 1.0  # seconds, until a name that a worker has in hand is looked at again
_NO_FILE = "is no regular file, so it is left alone, with whatever lies in it"
_RESTLESS = "keeps changing, so it is not sent; whatever writes to it has to come to an end"


class Judge:
    """What is known of the names, from one look to the next."""

    def __init__(  # noqa: PLR0913 - what it judges by, and whom it tells
        self, spool: Spool, folder: Path, settle: Settle, naming: Naming, complaints: Complaints, *, wanted: Wanted
    ) -> None:
        """Know nothing yet.

        Args:
            spool: knows the receipts of what failed.
            folder: the drop folder's path.
            settle: the configured patience.
            naming: how names are read.
            complaints: hears of what stays unfit.
            wanted: hears when a name is worth another look.
        """
        self._spool, self._naming, self._complaints, self._wanted = spool, naming, complaints, wanted
        self._quiet, self._patience = settle.quiet, settle.incomplete_after
        self._settling = Settling(settle.quiet, trust_ctime=is_local(folder))
        self._is_scanning = False  # between scans, what is found may be found again

    def hinted(self) -> None:
        """Something has happened in the folder."""
        self._settling.hinted()

    def begin_scan(self, now: Clock) -> None:
        """All of the folder is looked at from here on."""
        self._settling.begin_scan(now)
        self._is_scanning = True

    def end_scan(self) -> None:
        """All of the folder has been seen."""
        self._settling.end_scan()
        self._is_scanning = False

    def sees_ready(self, entry: Entry, findings: Findings, under_way: Collection[str], now: Clock) -> bool:
        """Tell whether a name is that of a ready file; if not, the findings have it."""
        name, signature = entry.name, entry.signature
        if not entry.regular:
            findings.add_strange(name)
            self._complaints.about(name, _NO_FILE, now.mono, 0.0)
            return False
        wait = self._settling.wait_for(name, signature, now)  # also of one that is being read: or it would be forgotten
        if name in under_way:
            self.in_hand([name], findings, now)
            return False
        if wait:
            findings.add(self._unfinished(entry, now, wait), may_be_counted=not self._is_scanning)
            self._wanted.name(name, now.mono + wait)
            self._complain(name, now)
        return not wait

    def in_hand(self, names: Iterable[str], findings: Findings, now: Clock) -> None:
        """Let these, which workers have or had in hand, be looked at again: something else may lie there by then."""
        for name in names:
            findings.add_in_hand(name)
            self._wanted.name(name, now.mono + _AGAIN)

    def hold(self, task: Task, signature: Signature, unready: Unready, now: Clock) -> Unfinished:
        """A worker left a file where it was."""
        name = task.invoice.name
        held_for = self._settling.hold(name, signature, unready, now)
        self._wanted.name(name, now.mono + self._settling.wait_for(name, signature, now))
        self._complain(name, now)
        hopeful = held_for < self._patience and not unready.needs_person
        return Unfinished(name, task.arrived_ns, signature.size, unready.reason, hopeful=hopeful)

    def tasks(
        self, ready: Iterable[Entry], known: Mapping[str, Task], findings: Findings, now: Clock
    ) -> Iterator[Task]:
        """Yield the tasks for ready files; one whose old receipt cannot be read has none, and the findings have it.

        Args:
            ready: the files.
            known: the tasks that there are already, by name.
            findings: of the look that found them.
            now: the time of that look.
        """
        for entry in ready:
            try:
                yield self._task(entry, known.get(entry.name), now)
            except UnreadableError as error:  # only this file needs it, so only this file waits
                reason = f"waits, for its old receipt in the failed folder cannot be read ({error.strerror})"
                findings.add(Unfinished(entry.name, entry.changed_ns, entry.signature.size, reason))
                self._complaints.about(entry.name, reason, now.mono)

    def lane_of(self, name: str) -> str:
        """Return which lane a name stands in, see `Invoice.lane`."""
        try:
            return self._spool.filed_for(name) or self._naming.lane_of(name)
        except UnreadableError:
            return self._naming.lane_of(name)

    def _task(self, found: Entry, known: Task | None, now: Clock) -> Task:
        """Return the task for a ready file: the one it had before, if it is the same, for there may be very many."""
        unchanged_for = self._settling.unchanged_for(found.name, found.signature, now)
        order_id = self._spool.filed_for(found.name)
        if known is not None and known.signature == found.signature and not is_numbered(found.name):
            known.unchanged_for = unchanged_for
            return known
        invoice = self._naming.read(found.name, order_id)
        return Task(invoice, found.changed_ns, found.signature, unchanged_for, owner=found.owner)

    def _unfinished(self, entry: Entry, now: Clock, wait: float) -> Unfinished:
        name, changed_ns, size = entry.name, entry.changed_ns, entry.signature.size
        hopeful = self._settling.held_for(name, now) < self._patience
        unready = self._settling.on_hold(name)
        if unready is None:
            text = f"changed moments ago, and is left alone for {self._quiet:g} s"
            return Unfinished(name, changed_ns, size, text, now.mono + wait, hopeful)
        return Unfinished(name, changed_ns, size, unready.reason, hopeful=hopeful)

    def _complain(self, name: str, now: Clock) -> None:
        unready = self._settling.on_hold(name)
        if unready is None:
            self._complaints.about(name, _RESTLESS, now.mono, WORTH_A_WARNING + self._quiet)
        else:
            self._complaints.about(name, unready.reason, now.mono, 0.0 if unready.needs_person else WORTH_A_WARNING)
