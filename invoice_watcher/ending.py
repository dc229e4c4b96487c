"""How one attempt ended, as a worker reports it to the loop. Values; raises nothing.

The `answer` of a report is what came of sending the document in this very attempt; None when it was not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from invoice_watcher.record import Record

if TYPE_CHECKING:
    from invoice_watcher.outcome import Deferred, Delivered, Outcome, Rejected
    from invoice_watcher.schedule import Task
    from invoice_watcher.settling import Unready


class Filed(Record, frozen=True):
    """It lies in its place under `name`, with its receipt."""

    outcome: Delivered | Rejected
    name: str
    sent: bool

    @property
    def answer(self) -> Outcome | None:
        """What it was filed for, if it was sent just now."""
        return self.outcome if self.sent else None


class Waiting(Record, frozen=True):
    """It lies in the work folder, or still in the drop folder when it could not even be claimed.

    `answer` differs from `outcome` when the API answered, and this machine, or a change of the file, kept it from
    being filed.
    """

    outcome: Deferred
    answer: Outcome | None = None


class Held(Record, frozen=True):
    """It was answered in a way that may be the configuration's fault; `task.decision` holds the answer."""

    outcome: Rejected

    @property
    def answer(self) -> Outcome:
        """What is held."""
        return self.outcome


class NotReady(Record, frozen=True):
    """It was left where it is; `GONE` when it is there no longer. With an `answer` when it only cannot be moved now."""

    unready: Unready
    answer: Outcome | None = None


class Fit(Record, frozen=True):
    """It was only looked at, may be sent, and was left where it is."""


Report: TypeAlias = Filed | Waiting | Held | NotReady | Fit


class Attempted(NamedTuple):
    """An attempt that ended: with a report, or with the exception that broke it off."""

    task: Task
    report: Report | BaseException
