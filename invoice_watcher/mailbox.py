"""All that wakes the loop, one after another: hints, signals, reports of workers, questions.

Guarantees: posting never blocks and never raises, from any thread, nor from a signal handler that interrupts `next`;
hints fold into one, so a storm of them costs nothing. Raises nothing.
"""

from __future__ import annotations

from enum import Enum
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Message = TypeVar("Message")


class Signal(Enum):
    """A message that has no more to it: something may have changed, or the process was asked for something."""

    HINT = "hint"
    PLACE_FREE = "place free"
    STOP = "stop"
    RELOAD = "reload"


class Mailbox(Generic[Message]):
    """The one place the loop waits at; over a SimpleQueue, for its `put` alone is reentrant (queue, Python docs)."""

    def __init__(self) -> None:
        """Start empty."""
        self._messages: SimpleQueue[Signal | Message] = SimpleQueue()
        self._folded: set[Signal] = set()  # each of these waits already
        self.holds_stop = False  # somewhere behind other messages, or it was read

    def hint(self) -> None:
        """Something may have happened in the drop folder."""
        self._fold(Signal.HINT)

    def place_freed(self) -> None:
        """The API has taken a document, so another may be sent; there is no need to wait until that one is filed."""
        self._fold(Signal.PLACE_FREE)

    def post(self, message: Signal | Message) -> None:
        """Add any other message."""
        if message is Signal.STOP:  # a worker that posts in the same instant must not undo it
            self.holds_stop = True
        self._messages.put(message)

    def next(self, timeout: float | None) -> Signal | Message | None:
        """Return the next message, or None after `timeout` seconds."""
        try:
            message = self._messages.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(message, Signal):
            self._folded.discard(message)
        return message

    def _fold(self, signal: Signal) -> None:
        if signal not in self._folded:
            self._folded.add(signal)
            self._messages.put(signal)
