"""Who waits, and why: makes the record of how things stand out of what the loop knows.

To be asked by the loop's own thread. Guarantees: the effort is bounded, however many files wait. Raises nothing.
"""

from __future__ import annotations

import heapq
import os
import time
from itertools import chain, islice
from typing import TYPE_CHECKING

from invoice_watcher.escaping import encodable
from invoice_watcher.hints import cure_for
from invoice_watcher.receipt import error_of, timestamp
from invoice_watcher.spool import UNREAD
from invoice_watcher.standing import MOST_NAMED, Paused, Sent, Standing, State, Waiter

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    from invoice_watcher.breaker import Pause
    from invoice_watcher.lookout import Lookout, Unfinished
    from invoice_watcher.queue import Queue
    from invoice_watcher.schedule import Task
    from invoice_watcher.tally import Tally

_TEXTS: dict[State, str] = {
    "ready": "is ready, and its turn comes",
    "paused": "waits until the queue flows again",
    "sending": "is being sent",
    "deferred": "is sent again by itself",
    "suspect": "was being sent when the program died, and is sent again, alone",
    "held": "was answered, and it is being found out whose fault that answer is",
    "unfiled": "was answered, and is filed as soon as this machine can",
    "unread": UNREAD.reason,
}


class Census:
    """Counts one daemon's files."""

    def __init__(self, drop: Path, queue: Queue, lookout: Lookout, tally: Tally) -> None:
        """Look at these, whenever asked."""
        self._drop, self._queue, self._lookout, self._tally = drop, queue, lookout, tally
        self._paused_at: float | None = None

    @property
    def waiting(self) -> int:
        """How many files wait, those under way included."""
        return self._queue.waiting + self._lookout.more

    def changing(self) -> Hashable:
        """Return what makes the record another one, but for the time; cheap, to be asked in each turn of the loop."""
        pause = self._queue.pause
        why = pause and (pause.problem.reason, pause.probing is None, pause.probe_at)
        since = self._paused_since(pause)
        under_way = self._queue.schedule.under_way
        left_alone = len(self._lookout.left_alone)
        return self.waiting, under_way, self._tally.delivered, self._tally.rejected, why, since, left_alone

    def standing(self, *, is_over: bool = False) -> Standing:
        """Make the record."""
        now, tally = time.time(), self._tally
        oldest_ns = self._oldest_ns()
        return Standing(
            pid=os.getpid(),
            drop_dir=encodable(str(self._drop)),
            started_at=timestamp(tally.started_at),
            as_of=timestamp(now),
            is_over=is_over,
            pause=self._paused(self._queue.pause),
            waiting=self.waiting,
            oldest=None if oldest_ns is None or not self.waiting else timestamp(oldest_ns / 1e9),
            delivered=tally.delivered,
            rejected=tally.rejected,
            recent=tuple(
                Sent(timestamp(at), order_id, encodable(name)) for at, order_id, name in reversed(tally.recent)
            ),
            files=tuple(self._files()),
            left_alone=tuple(sorted(map(encodable, self._lookout.left_alone))),
        )

    def waiter(self, name: str) -> Waiter | None:
        """Return how one file of the drop folder (or once dropped under this name) stands; None for one unheard of.

        Args:
            name: as the record has it, see `encodable`.
        """
        for task in self._tasks():
            if encodable(task.invoice.name) == name:
                return self._of_task(task)
        return next((_of_unfinished(one) for one in self._lookout.unfinished if encodable(one.name) == name), None)

    def _tasks(self) -> Iterator[Task]:
        return chain(self._queue.schedule.tasks(), self._queue.aside)

    def _files(self) -> Iterator[Waiter]:
        tasks = heapq.nsmallest(MOST_NAMED, self._tasks(), key=lambda task: task.arrived_ns)
        yield from map(self._of_task, tasks)
        yield from map(_of_unfinished, islice(self._lookout.unfinished, MOST_NAMED - len(tasks)))

    def _of_task(self, task: Task) -> Waiter:
        ahead = self._queue.schedule.ahead_of(task)
        state = "behind" if ahead else self._state(task)
        return Waiter(
            name=encodable(task.invoice.name),
            order_id=task.invoice.order,
            folder="work" if task.claimed else "drop",
            size=task.signature.size if task.signature else None,
            since=timestamp(task.arrived_ns / 1e9),
            state=state,
            text=f"waits behind {encodable(ahead.invoice.name)}, of the same order" if ahead else _TEXTS[state],
            behind=encodable(ahead.invoice.name) if ahead else None,
            attempts=task.attempts,
            next_try=_wall(task.due) if state == "deferred" else None,
            problem=error_of(task.last.problem) if task.last else None,
        )

    def _state(self, task: Task) -> State:
        if task.unread:
            return "unread"
        if self._queue.schedule.is_being_sent(task):
            return "sending"
        if task.decision is not None:
            return "held" if task in self._queue.aside else "unfiled"
        if task in self._queue.aside:
            return "suspect"
        if self._queue.pause is not None:
            return "paused"
        return "deferred" if task.claimed else "ready"

    def _paused(self, pause: Pause | None) -> Paused | None:
        since = self._paused_since(pause)
        if pause is None or since is None:
            return None
        problem = error_of(pause.problem)
        return Paused(
            reason=problem.reason,
            message=problem.message,
            hint=problem.hint,
            cure=cure_for(problem.reason),
            fault=pause.fault,
            since=timestamp(since),
            next_try=None if pause.probing else _wall(pause.probe_at),
        )

    def _paused_since(self, pause: Pause | None) -> float | None:
        """Return when the pause was seen first, by the wall's clock, which the queue does not know."""
        if pause is None:
            self._paused_at = None
        elif self._paused_at is None:
            self._paused_at = time.time()
        return self._paused_at

    def _oldest_ns(self) -> int | None:
        aside = (task.arrived_ns for task in self._queue.aside)
        found = (self._queue.schedule.oldest_ns, self._lookout.oldest_ns, *aside)
        return min((moment for moment in found if moment is not None), default=None)


def away(drop: Path, tally: Tally, trouble: str, *, is_over: bool = False) -> Standing:
    """Make the record of a program that waits for its folders."""
    return Standing(
        pid=os.getpid(),
        drop_dir=encodable(str(drop)),
        started_at=timestamp(tally.started_at),
        as_of=timestamp(time.time()),
        is_over=is_over,
        trouble=encodable(trouble),
        delivered=tally.delivered,
        rejected=tally.rejected,
    )


def _of_unfinished(found: Unfinished) -> Waiter:
    return Waiter(
        name=encodable(found.name),
        order_id=None,
        folder="drop",
        size=found.size,
        since=timestamp(found.changed_ns / 1e9),
        state="settling",
        text=encodable(found.text),
        next_try=_wall(found.again_at),
    )


def _wall(due: float | None) -> str | None:
    """Return a monotonic moment as the wall shows it; None for none."""
    return None if due is None else timestamp(time.time() + due - time.monotonic())
