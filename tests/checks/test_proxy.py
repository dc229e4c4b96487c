"""The proxy is asked for a way as an upload asks it, and what it has against that is told with the cure."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from invoice_watcher.checks.proxy import tunnel
from tests.support.findings import Line, drained
from tests.support.rawserver import RawServer

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.support.rawserver import Peer, Script

TARGET = "api.example.com:443"
PLAIN = "http://127.0.0.1:3128"
LOGIN = "http://anna:s%40crosanct@127.0.0.1:3128"


def _told(script: Script, proxy: str = PLAIN, patience: float = 5.0) -> tuple[Line, bool]:
    with RawServer(script) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        (line,), is_open = drained(tunnel(sock, urlsplit(proxy), TARGET, patience))
    assert "crosanct" not in line.text
    return line, is_open


def _saying(raw: bytes) -> Script:
    def play(peer: Peer) -> None:
        peer.head()
        peer.send(raw)

    return play


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200\r\nVia: x\r\n\r\n"])
def test_a_way_is_a_way(raw: bytes) -> None:
    """A proxy that answers CONNECT with any 2xx has opened the way."""
    line, is_open = _told(_saying(raw))
    assert (line.grade, line.subject, is_open) == ("ok", "proxy", True)


def test_it_is_asked_as_an_upload_asks() -> None:
    """A proxy is asked by CONNECT with host and port, and the login as an upload sends it."""
    heads: list[tuple[str, EmailMessage]] = []

    def play(peer: Peer) -> None:
        if head := peer.head():
            heads.append(head)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")

    _told(play)
    _told(play, LOGIN)
    assert [head[0] for head in heads] == [f"CONNECT {TARGET} HTTP/1.1"] * 2
    assert heads[0][1]["Host"] == TARGET
    assert heads[0][1]["Proxy-Authorization"] is None
    assert heads[1][1]["Proxy-Authorization"] == "Basic YW5uYTpzQGNyb3NhbmN0"


def test_what_follows_the_answer_is_left_for_the_next_step() -> None:
    """Bytes of the API's machine that come with the proxy's answer are left for what speaks to it."""
    with (
        RawServer(_saying(b"HTTP/1.1 200 OK\r\n\r\nrest")) as server,
        socket.create_connection(("127.0.0.1", server.port)) as sock,
    ):
        drained(tunnel(sock, urlsplit(PLAIN), TARGET, 5.0))
        assert sock.recv(4) == b"rest"


REFUSALS = [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", PLAIN, "write user and password into api.proxy"),
    (b"HTTP/1.1 407 No\r\n\r\n", LOGIN, "correct user and password in api.proxy"),
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", PLAIN, f"allow CONNECT to {TARGET}"),
    (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", PLAIN, "cannot reach the API now"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", PLAIN, "is no HTTP"),
    (b"HTTP/1.1 2xx OK\r\n\r\n", PLAIN, "is no HTTP"),
    (b"", PLAIN, "does not answer"),
    (b"x" * 100_000, PLAIN, "is no HTTP"),
]


@pytest.mark.parametrize(("raw", "proxy", "cure"), REFUSALS)
def test_a_refusal_is_told_with_its_cure(raw: bytes, proxy: str, cure: str) -> None:
    """A login that is missing or wrong, a way that is forbidden, a proxy that is none: each has its cure."""
    line, is_open = _told(_saying(raw), proxy)
    assert (line.grade, is_open) == ("fault", False)
    assert cure in line.text


def test_what_a_proxy_says_is_bounded() -> None:
    """What a proxy says is cut: a status line of a kilobyte does not fill the screen."""
    line, _ = _told(_saying(b"HTTP/1.1 403 " + b"x" * 1000 + b"\r\n\r\n"))
    assert len(line.text) < 300


@pytest.mark.slow
@pytest.mark.parametrize("drip", [b"x", b"HTTP/1.1 200 OK\r\n"])
def test_a_proxy_that_never_comes_to_an_end(drip: bytes) -> None:
    """A proxy that sends a byte now and then for ever is given up."""

    def play(peer: Peer) -> None:
        peer.head()
        peer.drip(drip)

    began = time.monotonic()
    line, is_open = _told(play, patience=0.3)
    assert (line.grade, is_open) == ("fault", False)
    assert time.monotonic() - began < 3


def test_a_proxy_that_breaks_off() -> None:
    """A proxy that resets the connection is told in a sentence."""
    line, is_open = _told(lambda peer: peer.reset())
    assert (line.grade, is_open) == ("fault", False)
