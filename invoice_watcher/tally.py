"""What was filed so far: counts, and the last few deliveries.

One tally lives as long as the process, over all reloads. Raises nothing.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.record import MutableRecord, field

if TYPE_CHECKING:
    from invoice_watcher.invoice import Invoice

MOST_RECENT = 20


class Recent(NamedTuple):
    """One delivery: when, in seconds since the epoch."""

    at: float
    order_id: str | None
    name: str


class Tally(MutableRecord):
    """What was filed so far.

    Attributes:
        recent: the last deliveries, the newest last.
        started_at: seconds since the epoch.
    """

    delivered: int = 0
    rejected: int = 0
    recent: deque[Recent] = field(default_factory=lambda: deque(maxlen=MOST_RECENT))
    started_at: float = field(default_factory=time.time)

    def count(self, invoice: Invoice, name: str, *, delivered: bool) -> None:
        """Count a document that lies in its place under `name`."""
        self.rejected += not delivered
        self.delivered += delivered
        if delivered:
            self.recent.append(Recent(time.time(), invoice.order, name))
