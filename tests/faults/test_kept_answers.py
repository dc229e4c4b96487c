"""An answer that cannot be filed at once is kept for as long as the program runs, through whatever it waits for."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.users import SHUT_OUT
from tests.integration.answers import OK, Answer
from tests.integration.place import pdf, sidecar

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

can_be_shut_out = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere (no setpriv)"
)


@can_be_shut_out
def test_an_answer_outlives_a_folder_that_was_shut(api: StandIn, place: Place, start: Start) -> None:
    """The work folder is shut while the API takes an invoice: it is filed once that is open, and not sent again."""
    daemon = start(within=SHUT_OUT)
    _answered_while_shut(api, place, daemon)
    place.put("67890.pdf", pdf("another"))
    daemon.says("waiting for the folders")
    place.work.chmod(0o700)
    place.until_done("12345.pdf", "67890.pdf")
    assert len(api.of("12345")) == 1
    assert (sidecar(place.done / "12345.pdf")["attempts"], sidecar(place.done / "12345.pdf")["in_doubt"]) == (1, False)


@can_be_shut_out
def test_an_answer_outlives_a_reload(api: StandIn, place: Place, start: Start) -> None:
    """The work folder is shut while the API takes an invoice, and then comes SIGHUP: it is not sent again either."""
    daemon = start(within=SHUT_OUT)
    _answered_while_shut(api, place, daemon)
    daemon.send(signal.SIGHUP)
    daemon.says("the new configuration is not used")
    place.work.chmod(0o700)
    place.until_done("12345.pdf")
    assert len(api.of("12345")) == 1


@can_be_shut_out
def test_a_kept_answer_is_used_up(api: StandIn, place: Place, start: Start) -> None:
    """When the answer is filed, it is over: the same invoice dropped again is sent again, through reloads too."""
    daemon = start(within=SHUT_OUT)
    _answered_while_shut(api, place, daemon)
    place.put("67890.pdf", pdf("another"))
    daemon.says("waiting for the folders")
    place.work.chmod(0o700)
    place.until_done("12345.pdf", "67890.pdf")
    api.script("12345", Answer(503, headers={"Retry-After": "1"}), OK)
    place.put("12345.pdf", pdf())
    daemon.says("deferred 12345.pdf", times=2)
    daemon.send(signal.SIGHUP)
    place.until_done("12345.2.pdf")
    assert len(api.of("12345")) == 3


def _answered_while_shut(api: StandIn, place: Place, daemon: Program) -> None:
    """The API takes an invoice, which can then be neither filed nor noted."""
    taken = threading.Event()
    api.script("12345", Answer(hold=taken))
    place.put("12345.pdf", pdf())
    api.wait_for(1)
    place.work.chmod(0o555)
    taken.set()
    daemon.says("deferred 12345.pdf")
