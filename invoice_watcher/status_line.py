"""The sentence in which the service manager shows how things stand.

    3 waiting, oldest 12 s; paused since 09:12: The API does not accept the API code; 40 delivered, last at 09:10

Times are those of this machine's zone, as its people write them. Pure but for the zone; raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.moments import moment, seconds, span

if TYPE_CHECKING:
    from invoice_watcher.standing import Standing


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
