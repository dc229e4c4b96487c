"""How things stand: what one run came to so far, and the sentence that tells it to the service manager.

Guarantees: the service manager hears of a change within a second or two of it, and of nothing else. Raises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from invoice_watcher.breaker import Pause
    from invoice_watcher.service import Notifier

_TOLD_EVERY = 1.0  # seconds


@dataclass(slots=True)
class Tally:
    """What one run came to."""

    delivered: int = 0
    rejected: int = 0
    waiting: int = 0
    stopped: bool = False

    @property
    def exit_status(self) -> ExitStatus:
        """As `run --once` ends: a rejected invoice needs a person, so it outweighs what merely waits.

        What waits because somebody stopped the program is no sign of anything being away.
        """
        if self.rejected:
            return ExitStatus.REJECTED
        return ExitStatus.WAITING if self.waiting and not self.stopped else ExitStatus.OK

    def sentence(self, pause: Pause | None) -> str:
        """Return it in words, and why nothing flows where that is so."""
        text = f"{self.waiting} waiting, {self.delivered} delivered, {self.rejected} rejected"
        return f"{text}; paused: {pause.problem.message}" if pause else text


class Standing:
    """What the service manager was told last."""

    def __init__(self, notifier: Notifier) -> None:
        """Start with nothing told."""
        self._notifier = notifier
        self._told = ""
        self._told_at = 0.0
        self.due = float("inf")  # when `tell` may have something that it may not tell yet, monotonic seconds

    def tell(self, tally: Tally, pause: Pause | None, now: float) -> None:
        """Tell how things stand, when that has changed, and not too often; `now` is in monotonic seconds."""
        if now < self._told_at + _TOLD_EVERY:
            self.due = self._told_at + _TOLD_EVERY
            return
        self.due = float("inf")
        sentence = tally.sentence(pause)
        if sentence != self._told:
            self._notifier.status(sentence)
            self._told, self._told_at = sentence, now
