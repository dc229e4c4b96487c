"""One invoice on its way, and what was decided of it. Values; raises nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.record import MutableRecord, Record

if TYPE_CHECKING:
    from invoice_watcher.invoice import Invoice
    from invoice_watcher.outcome import Deferred, Delivered, Rejected
    from invoice_watcher.settling import Signature


class Decision(Record, frozen=True):
    """What was decided of a document that could not be filed away yet: filed later, not sent again.

    Attributes:
        outcome: what the API said, or that the document is given up.
        sha256: of the bytes that were sent (another content is another document); None for whatever it holds.
    """

    outcome: Delivered | Rejected
    sha256: str | None


class Task(MutableRecord, eq=False):
    """One invoice on its way; the same one only if it is the same object, for a file may be dropped anew.

    One at a time changes it: the worker that has it, else the loop. Meanwhile the loop reads what it tells people of it
    (single values, any of which may be the last or the next), and `place_free`.

    Attributes:
        invoice: what it is.
        arrived_ns: when it was dropped, nanoseconds since the epoch.
        signature: how the scan saw it, or how it lay in the work folder last; None before either.
        unchanged_for: seconds since it last changed, when the scan saw it.
        owner: the user id of who dropped it; each owner has turns (see `turns`). -1 for what an earlier run claimed.

    Written by the worker that has it, or by the start that found it in the work folder:
        work_name: its name in the work folder; empty until it is claimed.
        seen_at: since when it looks as `signature` says there, monotonic seconds.
        attempts: how often it was sent, or was tried to be.
        crashes: how often the program died while it was sending this document.
        in_doubt: an earlier attempt may have reached the API unanswered.
        unread: an earlier run left it, and it or its note cannot be read: it is left as it is until the next start.
        last: what the last attempt came to.
        took: how long the upload of this attempt took, seconds; None when it came to none.
        place_free: the API has taken it, and what is left is to file it: another may be sent beside it.

    Written by the queue:
        due: when it may be sent again, monotonic seconds; 0 for at once.
        failures: attempts in a row that failed, for the back-off.
        strikes: failures that counted against the document, because others were answered since the one before.
        counted_at: how many answers the API had given in this run when the last strike was counted.
        refused_at: how many it had given when this document first met the operator's fault.
        look_only: it may not be sent now; whether it is fit to be sent can be seen all the same.

    Written by the worker for what the API said, by the queue for what it gave up:
        decision: see `Decision`.
    """

    invoice: Invoice
    arrived_ns: int
    signature: Signature | None = None
    unchanged_for: float = 0.0
    owner: int = -1

    work_name: str = ""
    seen_at: float = 0.0
    attempts: int = 0
    crashes: int = 0
    in_doubt: bool = False
    unread: bool = False
    last: Deferred | None = None
    took: float | None = None
    place_free: bool = False

    due: float = 0.0
    failures: int = 0
    strikes: int = 0
    counted_at: int = 0
    refused_at: int | None = None
    look_only: bool = False

    decision: Decision | None = None

    @property
    def claimed(self) -> bool:
        """Whether it lies in the work folder."""
        return bool(self.work_name)

    @property
    def age_key(self) -> tuple[bool, int, str]:
        """Claimed ones first, then by age, then by name: the order in which a lane is served."""
        return (not self.claimed, self.arrived_ns, self.invoice.name)
