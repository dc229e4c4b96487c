"""How long to wait: the exponential back-off, and the `Retry-After` header.

Guarantees: every result is finite, not negative, and bounded by its ceiling, whatever comes in. Pure: time and
chance are arguments. Raises nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from invoice_watcher.record import Record

LONGEST_RETRY_AFTER = 3600.0


class RetryRules(Record, frozen=True):
    """The configured patience: an exponential back-off with jitter, for documents and probes alike.

    Another one is a subclass with bounds of its own; `daemon` says which one holds.

    Attributes:
        initial: seconds, the shortest wait.
        longest: seconds, the longest wait; it wins where both cannot be had.
        max_attempts: how many failures that count put a document aside.
    """

    initial: float
    longest: float
    max_attempts: int

    def bounds(self, failures: int) -> tuple[float, float]:
        """Return the seconds to wait at least, and at most, after the `failures`-th failure in a row.

        The upper bound doubles, from `initial` before any failure, up to `longest`.
        """
        shortest = min(self.initial, self.longest)
        return shortest, max(shortest, min(self.longest, self.initial * 2.0 ** min(failures, 40)))

    def wait(self, failures: int, chance: float) -> float:
        """Return the seconds to wait: `chance` (0 to 1) picks a point between the bounds.

        So what failed together does not come back together.
        """
        shortest, longest = self.bounds(failures)
        return shortest + chance * (longest - shortest)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110 section 10.2.3).

    Both forms are read, whole seconds in ASCII digits and HTTP-date, and clamped to an hour; anything else is
    ignored (None), so that no server can park the queue for ever.

    Args:
        header: its text; None where there is none.
        now: the time by the clock that a date is compared with: best the server's own.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    date = http_date(text)
    return None if date is None else min(max((date - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def http_date(text: str | None) -> datetime | None:
    """Return the moment that an HTTP-date names (RFC 9110 section 5.6.7); None for anything else."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC)
