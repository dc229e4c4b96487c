"""The sentence in which the service manager shows how things stand.

    3 waiting, oldest 12 s; paused since 09:12: The API does not accept the API code; 40 delivered, last at 09:10

Times are those of this machine's zone, as its people write them. Pure but for the zone; raises nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from invoice_watcher.receipt import nanoseconds

if TYPE_CHECKING:
    from invoice_watcher.standing import Standing

# An age is told in the largest unit of which there are two.
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def sentence(standing: Standing) -> str:
    """Return how things stand, and why nothing flows where that is so; not escaped."""
    if standing.trouble:
        return f"waiting for the folders: {standing.trouble}"
    now = seconds(standing.as_of)
    parts = [f"{standing.waiting or 'nothing'} waiting"]
    if standing.waiting and standing.oldest:
        parts[0] += f", oldest {span(now - seconds(standing.oldest))}"
    if standing.pause:
        parts.append(f"paused since {moment(seconds(standing.pause.since), now)}: {standing.pause.message}")
    parts.append(f"{standing.delivered} delivered")
    if standing.recent:
        parts[-1] += f", last at {moment(seconds(standing.recent[0].at), now)}"
    if standing.rejected:
        parts.append(f"{standing.rejected} rejected")
    return "; ".join(parts)


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
