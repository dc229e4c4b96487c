"""One invoice, from the drop folder to its place: joins what was decided to what is done.

The walk: snapshot, validate, reserve room for the receipt, claim, send, file away. `Delivery.attempt` makes it once and
reports; what comes next is the daemon's business. Guarantees: nothing is sent that could not be recorded; nothing is
filed that is not, byte for byte, what was sent; what the API said is never thrown away for a fault of this machine (it
stays in the task as its `decision`, and filing is tried again without sending). Raises FolderLostError when the folders
are not what they were; every other fault of the machine becomes a `Deferred`.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from invoice_watcher.ending import Filed, Fit, Held, NotReady, Waiting
from invoice_watcher.escaping import encodable
from invoice_watcher.hints import MAY_HAVE_ARRIVED, hint_for
from invoice_watcher.outcome import (
    ORDER_CLOSED,
    WRONG_API_CODE,
    Deferred,
    Delivered,
    Fault,
    Outcome,
    Problem,
    Rejected,
    Source,
)
from invoice_watcher.policy import api_code_doubted
from invoice_watcher.receipt import Receipt, error_of, state_of, timestamp
from invoice_watcher.schedule import Decision
from invoice_watcher.settling import GONE, Unready
from invoice_watcher.spool import CHANGED
from invoice_watcher.validation import Document, Limits, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.ending import Report
    from invoice_watcher.schedule import Task
    from invoice_watcher.spool import Slot, Snapshot, Spool
    from invoice_watcher.uploader import Uploader

# Seconds. To send another one while this one is filed is worth a wake-up where the API is slower than the disk.
_SLOW = 0.01


class Delivery:
    """The walk of one invoice; shared by all workers, holds nothing of any one invoice."""

    def __init__(
        self, spool: Spool, uploader: Uploader, limits: Limits, on_answer: Callable[[], None] = lambda: None
    ) -> None:
        """Join a spool to an uploader.

        Args:
            spool: the folders.
            uploader: the API.
            limits: bound what is sent.
            on_answer: called from the worker's thread when a document was taken by the API, before it is filed.
        """
        self._spool = spool
        self._uploader = uploader
        self._limits = limits
        self._on_answer = on_answer

    def attempt(self, task: Task, *, hold_wrong_api_code: bool = False) -> Report:
        """Take an invoice as far as it goes, and report; `task` is brought up to date on the way.

        Args:
            task: the invoice; no other worker may hold it.
            hold_wrong_api_code: do not reject what the API answers 101, for it may be the configuration's fault.
        """
        task.took, task.answered = None, False
        try:
            snapshot = self._spool.snapshot(task)
            if snapshot is GONE and task.claimed:
                self._spool.forget(task)
            if isinstance(snapshot, Unready):
                return NotReady(snapshot)
            with closing(snapshot):
                return self._with_snapshot(task, snapshot, hold_wrong_api_code)
        except OSError as error:
            return Waiting(_not_recordable(error))

    def _with_snapshot(self, task: Task, snapshot: Snapshot, hold: bool) -> Report:  # noqa: FBT001 - passed through
        unchanged_for = self._unchanged_for(task, snapshot)
        verdict = validate(task.invoice, snapshot.document, snapshot.size, unchanged_for, self._limits)
        if isinstance(verdict, Unready):
            return NotReady(verdict)
        if task.look_only and isinstance(verdict, Document):
            return Fit()
        if task.decision is None:  # what is sent has to find its folder afterwards; what was sent is filed if it can be
            self._spool.verify()
        with self._spool.reserve() as slot:
            claimed_before = task.claimed
            record = _Record(task, snapshot)
            if not claimed_before and (report := self._claim(record, slot)) is not None:
                return report
            outcome, sent = self._outcome(task, verdict, record, claimed_before=claimed_before)
            return self._settle(record, slot, outcome, sent=sent, hold=hold)

    def _claim(self, record: _Record, slot: Slot) -> Report | None:
        """Claim the document; returns what to report when it cannot be had, or not as it was copied."""
        task = record.task
        unready = self._spool.claim(task, record.snapshot)
        if unready is CHANGED and task.claimed:
            # Without a note the next run would take what lies in the work folder for something that was being sent.
            return self._defer(record, slot, _CHANGED)
        return None if unready is None else NotReady(unready)

    def _unchanged_for(self, task: Task, snapshot: Snapshot) -> float:
        """Seconds since it last changed: by its `ctime`, or since it was first seen so where the clock was set back."""
        if not task.claimed:
            return task.unchanged_for
        now = time.monotonic()
        if task.signature != snapshot.signature:
            task.signature, task.seen_at = snapshot.signature, now
        return max(time.time() - snapshot.signature.ctime_ns / 1e9, now - task.seen_at)

    def _outcome(
        self, task: Task, verdict: Document | Rejected, record: _Record, *, claimed_before: bool
    ) -> tuple[Outcome, bool]:
        """What becomes of it, and whether it was sent for that just now.

        What was claimed just now needs no note: a document without one was being sent. What was claimed before this
        attempt may have been waiting, or its claim may never have reached the disk.
        """
        if task.decision is not None and task.decision.sha256 in {None, record.snapshot.sha256}:
            return task.decision.outcome, False
        task.decision = None
        if isinstance(verdict, Rejected):
            return verdict, False
        if claimed_before:
            with self._spool.reserve() as slot:
                self._spool.note(task, record.waiting(task.last, sending=True), slot)
        task.attempts += 1
        began = time.monotonic()
        outcome = self._uploader.send(verdict)
        task.took = time.monotonic() - began
        task.crashes = 0  # this program has outlived it
        if isinstance(outcome, Delivered) and task.took > _SLOW:
            task.answered = True
            self._on_answer()
        return outcome, True

    def _settle(self, record: _Record, slot: Slot, outcome: Outcome, *, sent: bool, hold: bool) -> Report:
        """Write down what came of it, and file it away when that is final."""
        task = record.task
        if isinstance(outcome, Deferred):
            return self._defer(record, slot, outcome)
        decision = Decision(outcome, record.snapshot.sha256) if sent else task.decision
        if hold and sent and isinstance(outcome, Rejected) and outcome.problem.code == WRONG_API_CODE:
            # Noted before it stands: what could not be noted is better asked again than rejected unheld.
            self._spool.note(task, record.waiting(api_code_doubted(outcome)), slot)
            task.decision = decision
            return Held(outcome)
        task.decision = decision
        name = self._spool.finish(task, record.snapshot, record.final(outcome), slot)
        if name is CHANGED:
            return self._defer(record, slot, _CHANGED)
        if isinstance(name, Unready):
            return NotReady(name)
        return Filed(outcome, name, sent)

    def _defer(self, record: _Record, slot: Slot, outcome: Deferred) -> Waiting:
        task = record.task
        task.in_doubt = task.in_doubt or outcome.in_doubt
        task.last = outcome
        # What the API said of these bytes is noted as such, so that the next run need not ask again.
        decision = task.decision
        note = record.final(decision.outcome) if decision else record.waiting(outcome)
        self._spool.note(task, note, slot)
        return Waiting(outcome)


class _Record:
    """What the sidecar says of one attempt."""

    def __init__(self, task: Task, snapshot: Snapshot) -> None:
        self.task = task
        self.snapshot = snapshot

    def final(self, outcome: Delivered | Rejected) -> Receipt:
        """The receipt of what was decided, until its final name is known under the one it was dropped with."""
        problem = outcome.problem if isinstance(outcome, Rejected) else None
        if problem and self.task.in_doubt and problem.code == ORDER_CLOSED and MAY_HAVE_ARRIVED not in problem.hint:
            problem = Problem(
                problem.source, problem.code, problem.reason, problem.message, problem.hint + MAY_HAVE_ARRIVED
            )
        return self._receipt(outcome, problem, timestamp(time.time()))

    def waiting(self, outcome: Deferred | None, *, sending: bool = False) -> Receipt:
        """The note for a document that stays in the work folder."""
        problem = outcome.problem if outcome else None
        receipt = self._receipt(outcome, problem, None)
        return receipt.with_state(sending=sending, crashes=self.task.crashes, strikes=self.task.strikes)

    def _receipt(self, outcome: Outcome | None, problem: Problem | None, finished_at: str | None) -> Receipt:
        return Receipt(
            state=state_of(outcome) if outcome else "waiting",
            order_id=self.task.invoice.order,
            file=encodable(self.task.invoice.name),
            size=self.snapshot.size,
            sha256=self.snapshot.sha256,
            owner=self.snapshot.owner,
            received_at=timestamp(self.task.arrived_ns / 1e9),
            finished_at=finished_at,
            attempts=self.task.attempts,
            in_doubt=self.task.in_doubt,
            http_status=outcome.http_status if outcome else None,
            error=error_of(problem) if problem else None,
            response=outcome.response if outcome else None,
        )


def _deferred_locally(fault: Fault, reason: str, message: str) -> Deferred:
    return Deferred(Problem(Source.VALIDATION, None, reason, message, hint_for(reason)), fault)


_CHANGED = _deferred_locally(Fault.FILE, "changed", "The file was changed while it was being sent")


def _not_recordable(error: OSError) -> Deferred:
    text = f"This machine could not read or file it: {error.strerror or type(error).__name__}"
    return _deferred_locally(Fault.OURS, "not_recordable", text)
