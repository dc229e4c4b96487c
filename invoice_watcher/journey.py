"""What the log says of an invoice's journey: one event, one line, with the fields by which it is found again.

`ORDER_ID`, `FILE_NAME`, `OUTCOME`, `API_ERROR_CODE`, `HTTP_STATUS` and `ATTEMPT` are the names people and dashboards
rely on. Text from outside is escaped where it enters a message. Raises nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from invoice_watcher.audience import Attempt
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Report, Waiting
from invoice_watcher.escaping import escape
from invoice_watcher.hints import cure_for
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Rejected
from invoice_watcher.receipt import problem_of
from invoice_watcher.settling import GONE

if TYPE_CHECKING:
    from invoice_watcher.breaker import Pause
    from invoice_watcher.schedule import Task
    from invoice_watcher.settling import Unready
    from invoice_watcher.spool import Completed

_WORDS: dict[type, Literal["delivered", "rejected", "deferred"]] = {
    Delivered: "delivered", Rejected: "rejected", Deferred: "deferred",
}  # fmt: skip

_log = logging.getLogger(__name__)


def log_report(task: Task, report: Report) -> None:
    """Tell what came of one attempt."""
    match report:
        case NotReady(unready):
            _log_unready(task, unready)
        case Held(outcome):
            _log_outcome(logging.INFO, task, outcome, "held")
        case Filed(outcome) | Waiting(outcome):
            level = logging.INFO if isinstance(outcome, Delivered) else logging.WARNING
            _log_outcome(level, task, outcome, _WORDS[type(outcome)])


def _log_unready(task: Task, unready: Unready) -> None:
    lost = unready is GONE and task.claimed
    level = logging.ERROR if lost else logging.DEBUG
    where = " from the work folder; this program did not remove it" if lost else ""
    _log.log(level, "%s %s%s", escape(task.invoice.name), unready.reason, where, extra={"fields": _fields(task)})


def _log_outcome(level: int, task: Task, outcome: Outcome, word: str) -> None:
    if not _log.isEnabledFor(level):
        return
    why = "" if isinstance(outcome, Delivered) else f": {escape(outcome.problem.message)}"
    in_doubt = isinstance(outcome, Deferred) and outcome.in_doubt
    again = " (it may have arrived; its answer is unknown)" if in_doubt else ""
    extra = {"fields": _fields(task, outcome, word)}
    _log.log(level, "%s %s%s%s", word, escape(task.invoice.name), why, again, extra=extra)


def log_completed(found: Completed) -> None:
    """Tell of a decision that an earlier run had recorded, and that has been carried out now."""
    error = found.receipt.error
    fields = {
        "ORDER_ID": found.receipt.order_id,
        "FILE_NAME": found.name,
        "OUTCOME": _filed(found),
        "API_ERROR_CODE": error.code if error else None,
        "HTTP_STATUS": found.receipt.http_status,
    }
    why = f": {escape(error.message)}" if error else ""
    text = "%s %s%s (this was decided before the last stop, and is filed now)"
    level = logging.WARNING if error else logging.INFO
    _log.log(level, text, _filed(found), escape(found.name), why, extra={"fields": fields})


def completed_attempt(found: Completed) -> Attempt:
    """Return the same as the audience hears it: nothing was sent in this run."""
    error = found.receipt.error
    return Attempt(found.name, None, None, _filed(found), problem_of(error) if error else None)


def _filed(found: Completed) -> Literal["delivered", "rejected"]:
    return "delivered" if found.receipt.state == "done" else "rejected"


def log_suspect(task: Task) -> None:
    """Tell of a document that was under way when an earlier run died."""
    text = "the program died while it was sending %s (%d in a row), so what the API said to it is unknown"
    _log.warning(text, escape(task.invoice.name), task.crashes, extra={"fields": _fields(task)})


def log_pause(before: Pause | None, after: Pause | None) -> None:
    """Tell when the queue begins to pause, changes the reason, or flows again."""
    if after is None:
        if before is not None:
            what = "this machine is well again" if before.fault is Fault.OURS else "the API answers again"
            _log.warning("%s: the queue flows", what)
    elif before is None or before.problem.reason != after.problem.reason:
        level = logging.WARNING if after.fault is Fault.WORLD else logging.ERROR
        cure = cure_for(after.problem.reason)
        _log.log(level, "the queue is paused: %s. %s", escape(after.problem.message), cure)


def attempt_of(task: Task, report: Report, waiting: int = 0) -> Attempt | None:
    """Return what came of one attempt, as the audience hears it; None when the file was only looked at."""
    if isinstance(report, Fit):
        return None
    told = report.answer if isinstance(report, NotReady) else report.answer or report.outcome
    if told is None:
        return None
    return Attempt(
        name=task.invoice.name,
        result=_WORDS[type(report.answer)] if report.answer else None,
        seconds=task.took,
        filed=_WORDS[type(report.outcome)] if isinstance(report, Filed) else None,
        problem=getattr(told, "problem", None),
        waiting=waiting,
    )


def _fields(task: Task, outcome: Outcome | None = None, word: str | None = None) -> dict[str, object]:
    problem = getattr(outcome, "problem", None)
    return {
        "ORDER_ID": task.invoice.order,
        "FILE_NAME": task.invoice.name,
        "OUTCOME": word,
        "API_ERROR_CODE": problem.code if problem else None,
        "HTTP_STATUS": outcome.http_status if outcome else None,
        "ATTEMPT": task.attempts or None,
    }
