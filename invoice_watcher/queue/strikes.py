"""Does a failure count against its document? Only where others were answered meanwhile; else the API may be away.

`answers` is how many the API has given in this run, about any document. Guarantees: changes nothing but what a task
remembers of them. Pure; raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.outcome import Fault
from invoice_watcher.record import replace

if TYPE_CHECKING:
    from invoice_watcher.outcome import Deferred
    from invoice_watcher.schedule import Task

FEWEST = 2  # one cannot tell a bad document from an API that went away just now


def forget(task: Task) -> None:
    """A new run begins, whose answers are counted anew."""
    task.counted_at, task.refused_at = 0, None


def others_answered(task: Task, answers: int) -> bool:
    """Tell whether others were answered since its last strike; before it has any, since this run began.

    So the first failure of an outage may count, which alone condemns nothing (`FEWEST`), and a document that always
    fails while others go through is given up after just as many attempts as `retry.max_attempts` says.
    """
    return answers > task.counted_at


def weighed(task: Task, outcome: Deferred, answers: int, *, paused: bool) -> Deferred:
    """Return what a failure counts as: a refusal is the world's fault, where it is of this document alone.

    That is so when others were answered since it was first refused: a firewall that dislikes one document must not
    make all others wait for probe after probe.
    """
    if outcome.fault is not Fault.OPERATOR:
        return outcome
    if task.refused_at is None:
        task.refused_at = answers
    is_alone = answers > task.refused_at and not paused
    return replace(outcome, fault=Fault.WORLD) if is_alone else outcome
