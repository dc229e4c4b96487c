"""An answer that cannot be filed at once is kept for as long as the program runs, through whatever it waits for."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.soak.scene import SHUT_OUT
from tests.integration.answers import Answer
from tests.integration.place import pdf, sidecar

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere (no setpriv)")
def test_an_answer_outlives_a_folder_that_was_shut(api: StandIn, place: Place, start: Start) -> None:
    """The work folder is shut while the API takes an invoice: it is filed once that is open, and not sent again."""
    taken = threading.Event()
    api.script("12345", Answer(hold=taken))
    daemon = start(within=SHUT_OUT)
    place.put("12345.pdf", pdf())
    api.wait_for(1)
    place.work.chmod(0o555)
    taken.set()
    daemon.says("deferred 12345.pdf")
    place.put("67890.pdf", pdf("another"))
    daemon.says("waiting for the folders")
    place.work.chmod(0o700)
    place.until_done("12345.pdf", "67890.pdf")
    assert len(api.of("12345")) == 1
    assert (sidecar(place.done / "12345.pdf")["attempts"], sidecar(place.done / "12345.pdf")["in_doubt"]) == (1, False)
