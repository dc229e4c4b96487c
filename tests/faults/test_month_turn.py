"""The turn of a month, on a program's own clock: `done_layout: month` goes by UTC and by the receipt."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.faults.clock import clock
from tests.integration.place import names, pdf, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from tests.faults.clock import Clock
    from tests.integration.conftest import Start
    from tests.integration.place import Place

__all__ = ["clock"]

# An hour before December by UTC it has been December for long where the program runs.
NOVEMBER, LATE, DECEMBER = (
    datetime(2031, 11, 15, 12, tzinfo=UTC),
    datetime(2031, 11, 30, 23, tzinfo=UTC),
    datetime(2031, 12, 1, 0, 1, tzinfo=UTC),
)


def test_the_same_name_before_and_after_the_turn(place: Place, clock: Clock, start: Start) -> None:
    """12345.pdf twice in November and once in December: two numbers in the one folder, a fresh start in the other."""
    place.configure(done_layout="month", settle__quiet=0)
    november, december = place.done / "2031-11", place.done / "2031-12"
    clock.set(int(NOVEMBER.timestamp() - time.time()))
    start(**clock.env, TZ="Pacific/Auckland")
    for moment, folder, filed in (
        (NOVEMBER, november, "12345.pdf"),
        (LATE, november, "12345.2.pdf"),
        (DECEMBER, december, "12345.pdf"),
    ):
        clock.set(int(moment.timestamp() - time.time()))
        place.put("12345.pdf", pdf(str(moment)))
        until(lambda: place.is_filed(folder, filed), f"{folder.name}/{filed}")  # noqa: B023
        assert (folder / filed).read_bytes() == pdf(str(moment))
        assert sidecar(folder / filed)["finished_at"].startswith(folder.name)
    assert names(november) == ["12345.2.pdf", "12345.2.pdf.json", "12345.pdf", "12345.pdf.json"]
    assert names(december) == ["12345.pdf", "12345.pdf.json"]
    assert names(place.done) == []
