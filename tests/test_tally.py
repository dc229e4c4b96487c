"""What was filed so far."""

from __future__ import annotations

import time

from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.tally import MOST_RECENT, Tally


def test_the_last_deliveries_are_kept() -> None:
    """However many are delivered, the last twenty are remembered with their time, and all are counted."""
    tally, began = Tally(), time.time()
    for number in range(MOST_RECENT + 5):
        tally.count(Invoice(f"{number}.pdf", OrderId(str(number)), Kind.PDF), f"{number}.2.pdf", delivered=True)
    for _ in range(2):
        tally.count(Invoice("x", None, None), "x", delivered=False)
    assert (tally.delivered, tally.rejected, tally.recent[-1].name) == (MOST_RECENT + 5, 2, f"{MOST_RECENT + 4}.2.pdf")
    assert [one.order_id for one in tally.recent] == [str(number) for number in range(5, MOST_RECENT + 5)]
    assert began <= tally.recent[0].at <= tally.recent[-1].at <= time.time()
