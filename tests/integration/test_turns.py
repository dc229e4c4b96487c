"""Whose turn it is, as clerks see it: what one drops is not held up by all that others have piled up."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

from tests.integration.answers import Answer
from tests.integration.place import invoices, pdf
from tests.integration.program import run, until
from tests.support.children import NOBODY, needs_root

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

BACKLOG = [str(order) for order in range(100, 140)]


def waits(place: Place, count: int) -> bool:
    """Tell whether the running program knows of so many files."""
    return bool(json.loads(run("status", "--json", "-c", place.config).out)["waiting"] == count)


def orders(api: StandIn) -> list[str]:
    """Return the orders in which invoices reached the API."""
    return [request.order_id for request in api.requests]


def test_a_new_file_passes_a_backlog(api: StandIn, place: Place, start: Start) -> None:
    """Forty lie there when the service starts; one that is dropped now is among the next few, and the rest in order."""
    place.configure(api__workers=1)
    hold = threading.Event()
    api.script("100", Answer(hold=hold))
    for name, content in invoices(BACKLOG).items():
        place.put(name, content)
    start()
    api.wait_until(lambda: api.under_way == 1)
    place.put("900.pdf", pdf("900"))
    until(lambda: waits(place, 41), "the program has seen it")
    hold.set()
    api.wait_for(41)
    assert orders(api).index("900") <= 4
    assert [order for order in orders(api) if order != "900"] == BACKLOG


@needs_root
def test_owners_take_turns(api: StandIn, place: Place, start: Start) -> None:
    """One clerk has exported forty invoices, and another three after that: hers do not wait for all of his."""
    place.configure(api__workers=1)
    for name, content in invoices(BACKLOG).items():
        place.put(name, content)
    for order in ("901", "902", "903"):
        os.chown(place.put(f"{order}.pdf", pdf(order)), NOBODY, NOBODY)
    start()
    api.wait_for(43)
    assert [orders(api).index(order) for order in ("901", "902", "903")] == [1, 3, 5]
