"""A question for the loop, which alone knows how things stand; and the one after another in which the loop gets them.

Guarantees: however many ask, the loop has one question at a time, and then a rest that grows with what its answer took.
`Loop.ask` raises TimeoutError when no answer comes in time.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from invoice_watcher.control.wire import LOOP_PATIENCE, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.standing import Standing, Waiter

_SPACING = 0.05  # seconds between two questions to the loop
_REST = 4  # times as long as an answer took, until the next question to the loop;
_LONGEST_REST = 1.0  # but not more seconds, for who asks is a person


class Question:
    """A question, which only the loop can answer."""

    def __init__(self, name: str | None) -> None:
        """Ask how things stand, and about the file of this name, unless it is None."""
        self.name = name
        self._answered = threading.Event()
        self._answer: Answer | None = None

    def answer(self, standing: Standing, waiter: Waiter | None) -> None:
        """Answer it, once."""
        self._answer = Answer(standing, waiter)
        self._answered.set()

    def wait(self, until: float) -> Answer:
        """Return the answer; TimeoutError when there is none by then, monotonic seconds."""
        if not self._answered.wait(_seconds(until)) or self._answer is None:
            raise TimeoutError
        return self._answer


class Loop:
    """The loop, as those who ask reach it: one at a time."""

    def __init__(self, post: Callable[[Question], None]) -> None:
        """Ask nothing yet.

        Args:
            post: hands a question to the loop; must not block or raise.
        """
        self._post = post
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._asked: Question | None = None  # the last one
        self._not_before = float("-inf")  # the next one

    def ask(self, name: str | None) -> Answer:
        """Return what the loop says, about the file of this name too unless it is None; TimeoutError when it does not.

        A question that it has not answered stays with it, and no other is asked before that one's answer.
        """
        end = time.monotonic() + LOOP_PATIENCE
        if not self._turn.acquire(timeout=LOOP_PATIENCE):
            raise TimeoutError
        try:
            if self._asked is not None:
                self._asked.wait(end)
            self._closed.wait(_seconds(self._not_before))
            return self._ask(name, end)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let nobody wait for a rest to end."""
        self._closed.set()

    def _ask(self, name: str | None, end: float) -> Answer:
        self._asked, asked_at = Question(name), time.monotonic()
        self._post(self._asked)
        try:
            return self._asked.wait(end)
        finally:
            now = time.monotonic()
            self._not_before = now + min(max(_REST * (now - asked_at), _SPACING), _LONGEST_REST)


def _seconds(until: float) -> float:
    return max(0.0, until - time.monotonic())
