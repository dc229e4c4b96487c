"""Moments and lengths of time, as people of this place tell them; and the moments that records hold.

Pure but for this machine's time zone; raises nothing.
"""

from __future__ import annotations

import time

from invoice_watcher.receipt import nanoseconds

# A length is told in the largest unit of which there are two.
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def span(length: float) -> str:
    """Return a length of time, seconds, in words."""
    length = max(length, 0.0)
    unit, name = next((one for one in _UNITS if length >= 2 * one[0]), _UNITS[-1])
    return f"{int(length / unit)} {name}"


def moment(at: float, now: float) -> str:
    """Return a moment, seconds since the epoch, as people of this place write it; its day, where that is not today."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def seconds(text: str) -> float:
    """Return a record's time as seconds since the epoch; the epoch for what is none."""
    return nanoseconds(text, 0) / 1e9
