"""The network swallows packets, or knows no names: the invoices wait, and go out when it is well again."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.faults.network import Names, needs_namespace, needs_nft, network
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import lines_with, until
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.network import Network
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

WORKERS = 4
DROPPED = [f"{number:02}.pdf" for number in range(20)]
pytestmark = needs_namespace


@pytest.fixture
def net() -> Iterator[Network]:
    """Give a network that nothing else is in."""
    with network() as net:
        yield net


@pytest.fixture
def far(net: Network) -> Iterator[StandIn]:
    """Serve the API there."""
    with net.entered():
        api = StandIn()
    with api:
        yield api
    assert api.faults == []


def _assert_kept(place: Place, daemon: Program) -> None:
    """An outage is told, and does no more."""
    daemon.says("paused")
    until(lambda: len(lines_with("deferred", daemon.lines)) >= 8, "more attempts while it is away")
    assert len(documents(place.work)) <= 2 * WORKERS
    assert place.waiting() == DROPPED
    assert names(place.failed) == []


@needs_nft
def test_packets_are_dropped(place: Place, start: Start, net: Network, far: StandIn) -> None:
    """A firewall swallows every packet, over old connections and new ones: nothing fails, and all is delivered later.

    What may have been sent twice for that says so.
    """
    place.configure(
        api__base_url=far.base_url, api__connect_timeout="300ms", api__read_timeout="500ms", api__deadline="2s"
    )
    daemon = start(within=net.within)
    place.put("before.pdf", pdf())
    place.until_done("before.pdf")
    with net.dropping(urlsplit(far.base_url).port or 0):
        for name in DROPPED:
            place.put(name, pdf(name))
        _assert_kept(place, daemon)
        assert names(place.done) == ["before.pdf", "before.pdf.json"]
    place.until_done(*DROPPED)
    assert names(place.failed) == []
    for name in DROPPED:
        assert len(far.of(name[:-4])) == 1 or sidecar(place.done / name)["in_doubt"], name
    assert daemon.stop() == 0


@pytest.mark.parametrize("mute", [False, True])
def test_names_are_lost(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    place: Place,
    start: Start,
    net: Network,
    far: StandIn,
    tmp_path: Path,
    mute: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The resolver is not there, or says nothing: nothing was sent, so nothing fails and nothing is in doubt."""
    known = Names(tmp_path)
    place.configure(api__base_url=far.base_url.replace("127.0.0.1", "localhost"), api__deadline="500ms")
    with net.entered(), socket.socket(type=socket.SOCK_DGRAM) as resolver:
        if mute:
            resolver.bind(("127.0.0.1", 53))
        for name in DROPPED:
            place.put(name, pdf(name))
        daemon = start(within=(*net.within, *known.within))
        _assert_kept(place, daemon)
        assert names(place.done) == []
        known.tell("localhost")
        place.until_done(*DROPPED)
    assert names(place.failed) == []
    assert sorted(request.order_id for request in far.requests) == [name[:-4] for name in DROPPED]
    assert not any(sidecar(place.done / name)["in_doubt"] for name in DROPPED)
    assert daemon.stop() == 0
