"""The threads that deliver: each takes a task, makes one attempt, and posts what came of it.

Guarantees: a task that was given in is posted back exactly once, whatever happens; no thread is ever waited for
longer than the caller says. An exception of the work is a bug: it is posted, and raised by whoever reads it.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Given = TypeVar("Given")
Result = TypeVar("Result")


class Workers(Generic[Given, Result]):
    """A fixed number of threads."""

    def __init__(
        self,
        count: int,
        work: Callable[[Given], Result],
        post: Callable[[Given, Result | BaseException], None],
    ) -> None:
        """Start them.

        Args:
            count: how many.
            work: what each does with what it is given.
            post: called from the thread with what was given and what came of it; must not block or raise.
        """
        self._work = work
        self._post = post
        self._inbox: SimpleQueue[Given | None] = SimpleQueue()
        self._given_at: dict[int, float] = {}
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def give(self, one: Given) -> None:
        """Hand in one piece of work."""
        self._given_at[id(one)] = time.monotonic()
        self._inbox.put(one)

    @property
    def oldest(self) -> float | None:
        """When the piece of work that is longest under way was handed in, monotonic seconds; None without any."""
        return min(tuple(self._given_at.values()), default=None)

    def stop(self, patience: float) -> bool:
        """End the threads once their inbox is empty; False when not all have ended within `patience` seconds."""
        end = time.monotonic() + patience
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (one := self._inbox.get()) is not None:
            try:
                result: Result | BaseException = self._work(one)
            except BaseException as error:  # noqa: BLE001 - a task must never be lost; the daemon raises it again
                result = error
            del self._given_at[id(one)]  # before it can be handed in again
            self._post(one, result)
