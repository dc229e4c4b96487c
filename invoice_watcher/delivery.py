"""One invoice, from the drop folder to its place: joins what was decided to what is done.

The walk: snapshot, validate, reserve room for the receipt, claim, send, file away. `Delivery.attempt` makes it once and
reports; what comes next is the queue's business. Guarantees: nothing is sent that could not be recorded; nothing is
filed as answered that is not, byte for byte, what was sent; what the API said is never thrown away for a fault of this
machine (it stays in the task as its `decision`, and filing is tried again without sending). Raises FolderLostError when
the folders are not what they were. Every other fault of the machine is reported as `Waiting`, for this machine's sake
(`Fault.OURS`); what keeps this one file alone from being read or moved as `NotReady`.
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
from invoice_watcher.record import replace
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
        task.took, task.place_free = None, False
        walk = _Walk(task, holds=hold_wrong_api_code)
        try:
            snapshot = self._spool.snapshot(task)
            if snapshot is GONE and task.claimed:
                self._spool.forget(task)
            if isinstance(snapshot, Unready):
                return NotReady(snapshot)
            with closing(snapshot) as walk.snapshot:
                return self._with_snapshot(walk)
        except OSError as error:
            task.last = _not_recordable(error, walk.answer)
            return Waiting(task.last, walk.answer)

    def _with_snapshot(self, walk: _Walk) -> Report:
        task = walk.task
        verdict = walk.decided or self._verdict(walk)
        if isinstance(verdict, Unready):
            return NotReady(verdict)
        if task.look_only and isinstance(verdict, Document):
            return Fit()
        if walk.decided is None:  # what is sent has to find its folder afterwards; what was sent is filed if it can be
            self._spool.verify()
            task.decision = None
        with self._spool.reserve() as walk.slot:
            try:
                if not task.claimed and (report := self._claim(walk)) is not None:
                    return report
                outcome = self._send(walk, verdict) if isinstance(verdict, Document) else verdict
            except OSError as error:
                if not task.claimed:
                    raise
                # Claimed, and not sent: without a note of that the next run would take it for what was being sent.
                return self._defer(walk, _not_recordable(error, None))
            return self._settle(walk, outcome)

    def _verdict(self, walk: _Walk) -> Document | Rejected | Unready:
        """Tell by its looks whether it may be sent."""
        snapshot, unchanged_for = walk.snapshot, self._unchanged_for(walk)
        return validate(walk.task.invoice, snapshot.document, snapshot.size, unchanged_for, self._limits)

    def _unchanged_for(self, walk: _Walk) -> float:
        """Seconds since it last changed: as known before the claim, by its `ctime`, or since it was first seen so."""
        task, signature = walk.task, walk.snapshot.signature
        if not task.claimed:
            return task.unchanged_for
        now = time.monotonic()
        if task.signature != signature:
            task.signature, task.seen_at = signature, now
        return max(time.time() - signature.ctime_ns / 1e9, now - task.seen_at)

    def _claim(self, walk: _Walk) -> Report | None:
        """Claim the document; returns what to report when it cannot be had, or not as it was copied."""
        task, snapshot = walk.task, walk.snapshot
        unready = self._spool.claim(task, snapshot)
        if unready is None:  # the rename has set its ctime, which tells no longer since when it is unchanged
            task.signature, task.seen_at = snapshot.signature, time.monotonic() - task.unchanged_for
            return None
        if unready is CHANGED and task.claimed:
            # Without a note the next run would take what lies in the work folder for something that was being sent.
            return self._defer(walk, _CHANGED_MEANWHILE)
        return NotReady(unready)

    def _send(self, walk: _Walk, document: Document) -> Outcome:
        """Send it.

        What was claimed just now needs no note: a document without one was being sent. What was claimed before this
        attempt may have been waiting, or its claim may never have reached the disk.
        """
        task = walk.task
        if walk.was_claimed:
            with self._spool.reserve() as slot:
                self._spool.note(task, walk.waiting(task.last, sending=True), slot)
        task.attempts += 1
        began = time.monotonic()
        walk.answer = answer = self._uploader.send(document)
        task.took = time.monotonic() - began
        task.crashes = 0  # this program has outlived it
        if isinstance(answer, Delivered) and task.took > _SLOW:
            task.place_free = True
            self._on_answer()
        return answer

    def _settle(self, walk: _Walk, outcome: Outcome) -> Report:
        """Write down what came of it, and file it away when that is final."""
        task = walk.task
        if isinstance(outcome, Deferred):
            return self._defer(walk, outcome)
        if walk.answer is not None:
            if walk.holds and isinstance(outcome, Rejected) and outcome.problem.code == WRONG_API_CODE:
                return self._hold(walk, outcome)
            task.decision = Decision(outcome, walk.snapshot.sha256)
        placed = self._spool.finish(task, walk.snapshot, walk.final(outcome), walk.slot)
        if placed is CHANGED:
            return self._defer(walk, _CHANGED_MEANWHILE)
        if isinstance(placed, Unready):
            return NotReady(placed, walk.answer)
        return Filed(outcome, placed, sent=walk.answer is not None)

    def _hold(self, walk: _Walk, outcome: Rejected) -> Held:
        """Keep an answer that may be the configuration's fault.

        It is noted before it stands: what could not be noted is better asked again than rejected unheld.
        """
        self._spool.note(walk.task, walk.waiting(api_code_doubted(outcome)), walk.slot)
        walk.task.decision = Decision(outcome, walk.snapshot.sha256)
        return Held(outcome)

    def _defer(self, walk: _Walk, outcome: Deferred) -> Waiting:
        """Write down that it waits; what the API said of these bytes is noted as such, so nobody need ask again."""
        task = walk.task
        task.in_doubt = task.in_doubt or outcome.in_doubt
        task.last = outcome
        note = walk.final(task.decision.outcome) if task.decision else walk.waiting(outcome)
        self._spool.note(task, note, walk.slot)
        return Waiting(outcome, walk.answer)


class _Walk:
    """One document's walk: what its steps hand on to each other, and what its sidecar says.

    Attributes:
        task: the invoice.
        holds: whether a 101 is held.
        was_claimed: an earlier attempt had claimed it.
        snapshot: the copy; there once it has been made.
        slot: the room for its receipt; there once it has been reserved.
        answer: what came of sending it; None as long as that was not done.
    """

    snapshot: Snapshot
    slot: Slot

    def __init__(self, task: Task, *, holds: bool) -> None:
        self.task = task
        self.holds = holds
        self.was_claimed = task.claimed
        self.answer: Outcome | None = None

    @property
    def decided(self) -> Delivered | Rejected | None:
        """What an earlier attempt came to with these very bytes; None when they have to be judged, and sent."""
        decision = self.task.decision
        if decision is None or decision.sha256 not in {None, self.snapshot.sha256}:
            return None
        return decision.outcome

    def final(self, outcome: Delivered | Rejected) -> Receipt:
        """The receipt of what was decided, until its final name is known under the one it was dropped with."""
        problem = outcome.problem if isinstance(outcome, Rejected) else None
        if problem and self.task.in_doubt and problem.code == ORDER_CLOSED and MAY_HAVE_ARRIVED not in problem.hint:
            problem = replace(problem, hint=problem.hint + MAY_HAVE_ARRIVED)
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


_CHANGED_MEANWHILE = _deferred_locally(Fault.FILE, "changed", "The file was changed while it was being sent")


def _not_recordable(error: OSError, answer: Outcome | None) -> Deferred:
    text = f"This machine could not read or file it: {error.strerror or type(error).__name__}"
    asked = answer.retry_after if isinstance(answer, Deferred) else None  # which is to be heeded all the same
    return replace(_deferred_locally(Fault.OURS, "not_recordable", text), retry_after=asked)
