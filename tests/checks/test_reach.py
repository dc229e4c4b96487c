"""A machine is reached, or it is told what stands between."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.reach import Place, connect, cut_after
from tests.support.findings import Line, drained
from tests.support.rawserver import RawServer, answering, black_hole

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = "api.base_url"


def _told(host: str, port: int, patience: float = 5.0) -> tuple[Sequence[Line], bool]:
    """Return what is told, and whether a connection came of it, which is closed."""
    told, sock = drained(connect(Place(host, port, KEY), patience, 10.0))
    if sock is not None:
        sock.close()
    return told, sock is not None


def test_an_address_needs_no_name_service() -> None:
    """Where the API is given by address nothing is said of a name."""
    with RawServer(answering()) as server:
        (line,), connected = _told("127.0.0.1", server.port)
    assert (line.grade, line.subject, connected) == ("ok", "connection", True)


def test_a_name_and_its_addresses_are_told() -> None:
    """Whoever reads it sees whether the name means the right machine; an address without an answer is a note."""
    with RawServer(answering()) as server:
        told, connected = _told("localhost", server.port)
    assert connected
    assert (told[0].grade, told[0].subject, "127.0.0.1" in told[0].text) == ("ok", "name", True)
    assert [line.grade for line in told[1:]] in (["ok"], ["ok", "note"])  # a machine with IPv6 tries ::1 first
    assert all("::1" in line.text for line in told[2:])


def test_a_name_that_is_not_known() -> None:
    """An unknown host is told with the key that holds it, and nothing else is tried."""
    (line,), connected = _told("name.invalid", 443)
    assert (line.grade, line.subject, connected) == ("fault", "name", False)
    assert "name.invalid" in line.text
    assert "api.base_url" in line.text or "name servers" in line.text  # where no name server is to be had


def test_a_port_where_nobody_listens() -> None:
    """A port at which nobody listens is told at once, with the key that holds it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (line,), connected = _told("127.0.0.1", bound.getsockname()[1])
    assert (line.grade, line.subject, connected) == ("fault", "connection", False)
    assert "refused" in line.text
    assert KEY in line.text


def test_a_machine_that_says_nothing() -> None:
    """A machine that drops packets is given up in the time given, and a firewall is suspected."""
    with black_hole() as url:
        began = time.monotonic()
        (line,), connected = _told("127.0.0.1", int(url.rpartition(":")[2]), 0.3)
        assert time.monotonic() - began < 3
    assert (line.grade, connected) == ("fault", False)
    assert "no answer within 0.3 s" in line.text
    assert "firewall" in line.text


@pytest.mark.parametrize("host", ["x" * 64 + ".example.com", "a..b"])
def test_what_can_be_no_name(host: str) -> None:
    """A host that Python's name service refuses is told in a sentence, without a traceback."""
    (line,), connected = _told(host, 443)
    assert (line.grade, line.subject, connected) == ("fault", "name", False)


def test_a_connection_is_cut_when_time_is_over() -> None:
    """A trial connection over which a byte comes now and then is cut when its time is over."""
    with RawServer(lambda peer: peer.drip(b" ")) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        # What the other side sends after the cut is answered with a reset (RFC 9293, 3.10.7.1), which comes back.
        with sock, cut_after(sock, 0.3) as cut, suppress(ConnectionResetError):
            while sock.recv(1):
                pass
        assert cut.made


def test_a_connection_that_is_done_in_time_lives_on() -> None:
    """A trial connection that is done in time is not cut afterwards."""
    with RawServer(lambda peer: peer.drip(b" ")) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        with sock:
            with cut_after(sock, 0.2) as cut:
                assert sock.recv(1)
            received = sum(len(sock.recv(1)) for _ in range(8))  # a piece comes every 50 ms
        assert (cut.made, received) == (False, 8)
