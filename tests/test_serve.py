"""The daemon in this process, as the commands run it; the program as a process is in `integration/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.audience import Audience
from invoice_watcher.config import Secret, load
from invoice_watcher.mailbox import Mailbox, Signal
from invoice_watcher.serve import Settings, deliver_once
from tests.integration.conftest import api, place
from tests.integration.place import names, pdf
from tests.integration.program import API_CODE

if TYPE_CHECKING:
    from invoice_watcher.daemon import Posted
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

__all__ = ["api", "place"]


def test_stopped_before_the_first_delivery(api: StandIn, place: Place) -> None:
    """A stop that came while the folders were opened and recovered: nothing is begun any more."""
    place.put("1.pdf", pdf("1"))
    mailbox: Mailbox[Posted] = Mailbox()
    mailbox.post(Signal.STOP)
    settings = Settings(load(place.config), Secret(API_CODE))
    assert deliver_once(settings, mailbox, Audience()).stopped
    assert api.requests == []
    assert names(place.drop) == ["1.pdf"]
