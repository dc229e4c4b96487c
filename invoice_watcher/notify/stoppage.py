"""One thing that keeps everything from flowing, a pause or folders that are away: from when until when, and who knows.

Pure: moments (monotonic seconds) are arguments. Raises nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from invoice_watcher.record import MutableRecord

REMINDER = 86400.0  # seconds


class News(Enum):
    """What there is to tell of a stoppage."""

    BEGUN = "begun"
    LASTS = "lasts"
    OVER = "over"


class Cause(NamedTuple):
    """Why nothing flows.

    Attributes:
        why: one sentence.
        cure: what the administrator should do; empty where that is said by `why`.
        since: seconds since the epoch.
        passes: it may go away by itself, so there is no hurry to tell of it.
    """

    why: str
    cure: str
    since: float
    passes: bool


class Stoppage(MutableRecord):
    """A stoppage that goes on, or that is over and was not told of yet.

    Attributes:
        cause: the latest.
        since: seconds since the epoch.
        begun: when it was noticed.
        brief: seconds; what is over sooner is not worth a word.
        ended: when it was over; None while it lasts.
        until: the same in seconds since the epoch.
        told_at: when its beginning, or a reminder of it, was told last; None when it is to be told, perhaps anew.
        is_known: somebody was told that it has begun.
        in_flight: a message that tells of it is under way.
    """

    cause: Cause
    since: float
    begun: float
    brief: float
    ended: float | None = None
    until: float = 0.0
    told_at: float | None = None
    is_known: bool = False
    in_flight: bool = False

    def goes_on(self, cause: Cause) -> None:
        """It is still so, or so again before anybody was told that it was over.

        A fault that has to be mended, after one that might have passed, is told anew.
        """
        if self.cause.passes and not cause.passes:
            self.told_at = None
        self.cause, self.ended = cause, None

    def is_told(self, news: News, cause: Cause, now: float) -> bool:
        """Somebody knows what there was to tell when the cause was this; returns whether nothing of it is left."""
        if news is News.OVER and self.ended is not None:
            return True
        if news is News.OVER:  # it has begun again meanwhile
            self.since, self.begun = self.cause.since, now
        is_news = news is News.OVER or (cause.passes and not self.cause.passes)
        self.told_at, self.is_known = None if is_news else now, news is not News.OVER
        return False

    def ends(self, now: float, until: float) -> None:
        """It is over."""
        if self.ended is None:
            self.ended, self.until = now, until

    @property
    def is_nothing(self) -> bool:
        """It was over soon, and nobody knew."""
        is_unknown = not self.is_known and not self.in_flight
        return is_unknown and self.ended is not None and self.ended - self.begun < self.brief

    def news(self, now: float) -> News | None:
        """Return what there is to tell; that it is over only once it stays so."""
        if self.ended is not None:
            return News.OVER if now >= self.ended + self.brief and not self.is_nothing else None
        if self.told_at is not None:
            return News.LASTS if now >= self.told_at + REMINDER else None
        return News.BEGUN if not self.cause.passes or now >= self.begun + self.brief else None
