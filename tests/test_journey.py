"""What those who listen are told of an attempt: what was uploaded, how long it took, and where the file lies now."""

from __future__ import annotations

import pytest

from invoice_watcher.audience import Attempt
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Report, Waiting
from invoice_watcher.journey import attempt_of, completed_attempt
from invoice_watcher.outcome import Fault
from invoice_watcher.receipt import error_of
from invoice_watcher.record import replace
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import Unready
from invoice_watcher.spool import Completed
from tests.support.box import receipt
from tests.support.world import DELIVERED, failure, rejected, task_of


def sent(took: float | None = 0.5) -> Task:
    """Give a task whose upload took so long; None for one that came to no upload."""
    task = task_of("12345", 1)
    task.took = took
    return task


def told(task: Task, report: Report) -> Attempt:
    """Return what is told, which must be something."""
    attempt = attempt_of(task, report)
    assert attempt is not None
    return attempt


def test_a_delivery() -> None:
    """A delivered invoice is told with its name and the time that its upload took."""
    attempt = told(sent(), Filed(DELIVERED, "12345.2.pdf", sent=True))
    assert attempt == Attempt("12345.1.pdf", "delivered", 0.5, "delivered", None)


def test_a_rejection_by_the_api() -> None:
    """A rejection that the API made is an attempt, and has its problem."""
    outcome = rejected(103)
    attempt = told(sent(), Filed(outcome, "12345.1.pdf", sent=True))
    assert (attempt.result, attempt.filed, attempt.problem) == ("rejected", "rejected", outcome.problem)


def test_what_was_rejected_before_it_was_sent() -> None:
    """What no upload was made of counts as a rejected invoice, and not as an attempt."""
    attempt = told(sent(None), Filed(rejected(108), "12345.1.pdf", sent=False))
    assert (attempt.result, attempt.seconds, attempt.filed) == (None, None, "rejected")


def test_what_an_earlier_run_decided() -> None:
    """Whoever files it tells of it, though nothing was sent: the run that asked the API died before it could."""
    problem = rejected(103).problem
    refused = replace(receipt("failed"), error=error_of(problem))
    told = [completed_attempt(Completed("12345.pdf", one)) for one in (receipt("done"), refused)]
    assert told == [
        Attempt("12345.pdf", None, None, "delivered", None),
        Attempt("12345.pdf", None, None, "rejected", problem),
    ]


def test_a_deferral() -> None:
    """An upload that came to nothing is an attempt, and nothing lies anywhere new."""
    attempt = told(sent(), Waiting(failure(), failure()))
    assert (attempt.result, attempt.filed) == ("deferred", None)


def test_what_could_not_even_be_sent() -> None:
    """A full disk makes no attempt, but it is told why the file waits."""
    outcome = failure(Fault.OURS)
    attempt = told(sent(None), Waiting(outcome))
    assert (attempt.result, attempt.filed, attempt.problem) == (None, None, outcome.problem)


def test_an_answer_that_could_not_be_filed_counts_once() -> None:
    """What the API took is a delivered attempt, though the disk was full; filing it later is no other attempt."""
    task = sent()
    task.decision = Decision(DELIVERED, "00")
    for report in (Waiting(failure(Fault.OURS), DELIVERED), NotReady(Unready("may not be moved"), DELIVERED)):
        attempt = told(task, report)
        assert (attempt.result, attempt.seconds, attempt.filed) == ("delivered", 0.5, None)
    task.took = None
    later = told(task, Filed(DELIVERED, "12345.1.pdf", sent=False))
    assert (later.result, later.filed) == (None, "delivered")


def test_a_refusal_that_could_not_be_filed_is_told_with_the_apis_code() -> None:
    """Each code is counted when the API gives it, whenever its document reaches the failed folder."""
    refusal = rejected(103)
    assert told(sent(), Waiting(failure(Fault.OURS), refusal)).problem == refusal.problem


def test_a_held_answer() -> None:
    """A 101 that may be the configuration's fault was an answer; where the document goes is not decided yet."""
    attempt = told(sent(), Held(rejected(101)))
    assert (attempt.result, attempt.filed) == ("rejected", None)


@pytest.mark.parametrize("report", [NotReady(Unready("is still open")), Fit()])
def test_a_look_is_no_attempt(report: Report) -> None:
    """A file that was only looked at is nobody's news."""
    assert attempt_of(sent(None), report) is None
