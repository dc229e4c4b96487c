"""The steps of the way, in their order, for each kind of proxy and address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.route import look_at_route
from invoice_watcher.config import Api
from tests.support.certificates import certificate
from tests.support.findings import drained
from tests.support.rawserver import RawServer, answering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Certificate
    from tests.support.rawserver import Peer


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give a certificate for the server's own address."""
    return certificate(tmp_path_factory.mktemp("sound"))


def _steps(base_url: str, proxy: str | None = None, bundle: Path | None = None) -> tuple[list[tuple[str, str]], bool]:
    """Return what each step came to, and whether the way is open."""
    api = Api(base_url=base_url, proxy=proxy, ca_bundle=bundle, connect_timeout=5.0, deadline=5.0)
    told, is_open = drained(look_at_route(api))
    return [(line.subject, line.grade) for line in told], is_open


class Opening:
    """A proxy that says yes to everybody, and remembers for what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, peer: Peer) -> None:
        """Play one connection."""
        if head := peer.head():
            self.asked.append(head[0])
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")


def test_an_address_of_this_machine_needs_a_connection_and_no_more() -> None:
    """http:// is for this machine only, so there is no certificate to be looked at."""
    with RawServer(answering()) as server:
        assert _steps(f"{server.url}/web-api") == ([("connection", "ok")], True)
    assert server.requests == []


def test_a_plain_request_asks_the_proxy_for_no_way() -> None:
    """An http:// request goes to the proxy as it is, without CONNECT."""
    with RawServer(answering()) as server:
        assert _steps("http://127.0.0.1:9/web-api", server.url) == ([("connection", "ok")], True)


@pytest.mark.parametrize(("url", "asked"), [
    ("https://api.example.com/web-api", "CONNECT api.example.com:443 HTTP/1.1"),
    ("https://api.example.com:8443", "CONNECT api.example.com:8443 HTTP/1.1"),
    ("https://[2001:db8::1]/web-api", "CONNECT [2001:db8::1]:443 HTTP/1.1"),
])  # fmt: skip
def test_a_secure_proxy(sound: Certificate, url: str, asked: str) -> None:
    """An https:// proxy has its certificate looked at, and is asked for a way then."""
    proxy = Opening()
    with RawServer(proxy, tls=sound.server) as server:
        steps, is_open = _steps(url, server.url, sound.path)
    assert steps == [("connection", "ok"), ("TLS", "ok"), ("proxy", "ok")]
    assert (is_open, proxy.asked) == (True, [asked])


def test_a_secure_proxy_that_nobody_trusts(sound: Certificate) -> None:
    """A proxy whose certificate is not trusted learns neither the way nor the login."""
    proxy = Opening()
    with RawServer(proxy, tls=sound.server) as server:
        steps, is_open = _steps("https://api.example.com", server.url.replace("//", "//anna:s3cret@"))
    assert steps == [("connection", "ok"), ("TLS", "fault")]
    assert (is_open, proxy.asked) == (False, [])


def test_the_api_behind_a_proxy_has_to_prove_who_it_is(sound: Certificate) -> None:
    """Behind a proxy, a machine without a certificate for the API's name is a fault."""

    def play(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        sound.server.wrap_socket(peer._sock, server_side=True).close()

    with RawServer(play) as server:
        steps, is_open = _steps("https://api.example.com", server.url, sound.path)
    assert (steps, is_open) == ([("connection", "ok"), ("proxy", "ok"), ("TLS", "fault")], False)
