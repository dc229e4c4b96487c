"""How things stand: what the program came to so far, and the sentence that tells it to the service manager.

    3 waiting, oldest 12 s; paused since 09:12: The API does not accept the API code; 40 delivered, last at 09:10

Guarantees: the service manager hears of a change within a second or two of it, and of nothing else. Raises nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.breaker import Pause
    from invoice_watcher.service import Notifier

_TOLD_EVERY = 1.0  # seconds
# An age is told in the largest unit of which there are two; until then it changes with every smaller one.
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


@dataclass(slots=True)
class Tally:
    """What the program came to.

    Attributes:
        delivered_at: when the last invoice was delivered, seconds since the epoch.
    """

    delivered: int = 0
    rejected: int = 0
    waiting: int = 0
    stopped: bool = False
    delivered_at: float | None = None

    @property
    def exit_status(self) -> ExitStatus:
        """As `run --once` ends: a rejected invoice needs a person, so it outweighs what merely waits.

        What waits because somebody stopped the program is no sign of anything being away.
        """
        if self.rejected:
            return ExitStatus.REJECTED
        return ExitStatus.WAITING if self.waiting and not self.stopped else ExitStatus.OK

    def sentence(self, age: float | None, pause: Pause | None, paused_at: float, now: float) -> str:
        """Return it in words, and why nothing flows where that is so.

        Args:
            age: of the file that waits longest, seconds.
            pause: why nothing flows.
            paused_at: since when, seconds since the epoch.
            now: likewise.
        """
        parts = [f"{self.waiting or 'nothing'} waiting"]
        if self.waiting and age is not None:
            parts[0] += f", oldest {_span(age)[0]}"
        if pause:
            parts.append(f"paused since {_moment(paused_at, now)}: {pause.problem.message}")
        parts.append(f"{self.delivered} delivered")
        if self.delivered_at is not None:
            parts[-1] += f", last at {_moment(self.delivered_at, now)}"
        if self.rejected:
            parts.append(f"{self.rejected} rejected")
        return "; ".join(parts)


class Standing:
    """What the service manager was told last."""

    def __init__(self, notifier: Notifier) -> None:
        """Start with nothing told."""
        self._notifier = notifier
        self._told = ""
        self._told_at = 0.0
        self._paused_at: float | None = None
        self.due = float("inf")  # when `tell` may have something that it may not tell yet, monotonic seconds

    def tell(self, tally: Tally, pause: Pause | None, now: float, oldest_ns: Callable[[], int | None]) -> None:
        """Tell how things stand, when that has changed, and not too often.

        Args:
            tally: what the program came to.
            pause: why nothing flows.
            now: monotonic seconds.
            oldest_ns: asked, when it is told, for when the file that waits longest arrived, since the epoch.
        """
        if pause is None:
            self._paused_at = None
        elif self._paused_at is None:
            self._paused_at = time.time()
        if now < self._told_at + _TOLD_EVERY:
            self.due = self._told_at + _TOLD_EVERY
            return
        wall = time.time()
        arrived = oldest_ns() if tally.waiting else None
        age = None if arrived is None else max(0.0, wall - arrived / 1e9)
        self.due = float("inf") if age is None else now + _span(age)[1]
        sentence = tally.sentence(age, pause, self._paused_at or wall, wall)
        if sentence != self._told:
            self._notifier.status(sentence)
            self._told, self._told_at = sentence, now


def _span(seconds: float) -> tuple[str, float]:
    """Return a length of time in words, and the seconds after which these words are others."""
    length, unit = next((one for one in _UNITS if seconds >= 2 * one[0]), _UNITS[-1])
    count = int(seconds / length)
    return f"{count} {unit}", (count + 1) * length - seconds


def _moment(at: float, now: float) -> str:
    """Return a moment as people of this place write it; its day, where that is not today."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
