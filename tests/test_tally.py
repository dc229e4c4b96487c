"""What the program came to, and the exit status that says it."""

from __future__ import annotations

import pytest

from invoice_watcher.errors import ExitStatus
from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.tally import MOST_RECENT, Tally


@pytest.mark.parametrize(
    ("rejected", "waiting", "stopped", "status"),
    [
        (0, 0, False, ExitStatus.OK),
        (1, 0, False, ExitStatus.FAILED),
        (1, 5, False, ExitStatus.FAILED),
        (0, 5, False, ExitStatus.WAITING),
        (0, 5, True, ExitStatus.OK),
    ],
)
def test_the_exit_status(*, rejected: int, waiting: int, stopped: bool, status: ExitStatus) -> None:
    """A rejected invoice needs a person, so it outweighs what waits; what waits because it was stopped is no fault."""
    tally = Tally(delivered=3, rejected=rejected, waiting=waiting, stopped=stopped)
    assert tally.exit_status == status


def test_the_last_deliveries_are_kept() -> None:
    """However many are delivered, the last twenty are remembered, and all are counted."""
    tally = Tally()
    for number in range(MOST_RECENT + 5):
        tally.count(Invoice(f"{number}.pdf", OrderId(str(number)), Kind.PDF), f"{number}.2.pdf", delivered=True)
    tally.count(Invoice("x", None, None), "x", delivered=False)
    assert (tally.delivered, tally.rejected, tally.recent[-1].name) == (MOST_RECENT + 5, 1, f"{MOST_RECENT + 4}.2.pdf")
    assert [one.order_id for one in tally.recent] == [str(number) for number in range(5, MOST_RECENT + 5)]
