"""A secure connection, or why there is none: real certificates, sound and unsound."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.route import look_at_route
from invoice_watcher.checks.tls import Side, ends_soon, secure
from invoice_watcher.config import Api
from tests.support.certificates import certificate
from tests.support.findings import Line, drained, lines
from tests.support.rawserver import RawServer, answering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Certificate
    from tests.support.rawserver import Peer


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give a certificate for the server's own address."""
    return certificate(tmp_path_factory.mktemp("sound"), days=365)


def _told(url: str, bundle: Path | None, patience: float = 10.0) -> tuple[Line, bool]:
    """Return the last thing that is told on the way, and whether it is open."""
    told, is_open = drained(look_at_route(Api(base_url=url, ca_bundle=bundle, connect_timeout=patience)))
    return told[-1], is_open


def _told_of(made: Certificate, bundle: Path | None, host: str = "127.0.0.1") -> tuple[Line, bool]:
    with RawServer(answering(), tls=made.server) as server:
        return _told(server.url.replace("127.0.0.1", host), bundle)


def test_a_sound_certificate(sound: Certificate) -> None:
    """`check --online` tells until when a certificate is valid, and who signed it, which shows an opening proxy."""
    line, is_open = _told_of(sound, sound.path)
    assert (line.grade, line.subject, is_open) == ("ok", "TLS", True)
    assert "TLSv1.3" in line.text
    assert "by sound" in line.text
    assert f"valid until {datetime.now(UTC) + timedelta(days=365):%Y-%m}" in line.text


def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    """A certificate that ends soon gets a note with the day, while there is time to renew it."""
    old = certificate(tmp_path, days=5, age=300)
    line, is_open = _told_of(old, old.path)
    assert (line.grade, is_open) == ("note", True)
    assert f"valid only until {datetime.now(UTC) + timedelta(days=5):%Y-%m}" in line.text
    assert "renew" in line.text


@pytest.mark.parametrize(("life", "left", "soon"), [
    (365, 15, False), (365, 13, True), (90, 15, False), (90, 13, True), (6, 4, False), (6, 2, False), (6, 1, True),
])  # fmt: skip
def test_how_soon_is_soon(life: int, left: int, soon: bool) -> None:  # noqa: FBT001 - parametrized
    """Two weeks before its end a certificate ends soon; one that lives for days only, later."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    end = now + timedelta(days=left)
    assert ends_soon(end - timedelta(days=life), end, now) is soon


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    """An expired certificate is a fault: of its own, or of this machine's clock."""
    expired = certificate(tmp_path, days=-1)
    line, is_open = _told_of(expired, expired.path)
    assert (line.grade, is_open) == ("fault", False)
    assert "has expired" in line.text
    assert "clock" in line.text


def test_a_certificate_from_the_future(tmp_path: Path) -> None:
    """A certificate that is not valid yet is a fault: of its own, or of this machine's clock."""
    early = certificate(tmp_path, days=9, age=-3)
    line, is_open = _told_of(early, early.path)
    assert (line.grade, "not yet valid" in line.text, "clock" in line.text, is_open) == ("fault", True, True, False)


@pytest.mark.slow
@pytest.mark.parametrize(("host", "cure"), [("127.0.0.1", "name in api.base_url"), ("localhost", "the host in api.")])
def test_a_certificate_for_another_name(tmp_path: Path, host: str, cure: str) -> None:
    """A certificate for another name is told with the key that names the host."""
    other = certificate(tmp_path, name="DNS:api.example.com")
    line, is_open = _told_of(other, other.path, host)
    assert (line.grade, is_open) == ("fault", False)
    assert "mismatch" in line.text
    assert cure in line.text


def test_a_certificate_that_vouches_for_itself(sound: Certificate) -> None:
    """A self-signed certificate is not trusted: the site's own authority, or somebody who listens."""
    line, is_open = _told_of(sound, None)
    assert (line.grade, is_open) == ("fault", False)
    assert "self-signed" in line.text
    assert "api.ca_bundle" in line.text


def test_an_authority_that_is_not_known(sound: Certificate, tmp_path: Path) -> None:
    """A certificate that no authority in `api.ca_bundle` signed is told as that."""
    key, request, path = (tmp_path / name for name in ("key", "request", "certificate"))
    new = f"req -new -newkey rsa:2048 -nodes -keyout {key} -out {request} -subj /CN=server"
    authority = f"-CA {sound.path} -CAkey {sound.path.parent / 'key.pem'} -CAcreateserial"
    for arguments in (new, f"x509 -req -in {request} {authority} -days 9 -out {path}"):
        subprocess.run(["openssl", *arguments.split(" ")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    with RawServer(answering(), tls=context) as server:
        line, is_open = _told(server.url, None)
    assert (line.grade, is_open) == ("fault", False)
    assert "unable to get local issuer" in line.text
    assert "api.ca_bundle" in line.text


def test_a_port_without_tls() -> None:
    """Where a port speaks no TLS, scheme or port are told as wrong, and no certificate is blamed."""

    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.wait()

    with RawServer(play) as server:
        line, is_open = _told(server.url.replace("http", "https"), None)
    assert (line.grade, is_open) == ("fault", False)
    assert "does not speak TLS" in line.text


def test_a_machine_that_closes_the_connection() -> None:
    """A connection closed in its handshake, as a firewall does that dislikes the name, is told."""
    with RawServer(lambda peer: peer.hello()) as server:
        line, is_open = _told(server.url.replace("http", "https"), None)
    assert (line.grade, "broke off" in line.text, is_open) == ("fault", True, False)


def _silent(peer: Peer) -> None:
    peer.wait()


def _dripping(peer: Peer) -> None:
    peer.hello()
    socket.socket.sendall(peer._sock, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a long message begins
    peer.drip(b"\x00")


@pytest.mark.slow
@pytest.mark.parametrize("script", [_silent, _dripping])
def test_a_handshake_that_never_ends(script: object) -> None:
    """A handshake of silence, or of a byte now and then, is given up in time."""
    began = time.monotonic()
    with RawServer(script) as server:  # type: ignore[arg-type]  # one of the above
        line, is_open = _told(server.url.replace("http", "https"), None, 0.4)
    assert (line.grade, "within 0.4 s" in line.text, is_open) == ("fault", True, False)
    assert time.monotonic() - began < 4


def test_trusted_certificates_that_went_away(tmp_path: Path) -> None:
    """Where `api.ca_bundle` is gone by now, that is told, and nothing is tried without it."""
    with RawServer(answering()) as server:
        line, is_open = _told(server.url, tmp_path / "none.pem")
    assert (line.grade, "api.ca_bundle" in line.text, is_open) == ("fault", True, False)
    assert server.connections == 0


def test_no_descriptor_is_left_for_it() -> None:
    """Where this process may open no more files, `check --online` says so, and shows no traceback."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = ssl.create_default_context()
        free = os.dup(ours.fileno())  # the lowest that is
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            (line,) = lines(secure(ours, Side("api.example.com", "api.base_url"), context, 5.0))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert line.grade == "fault"
    assert "Too many open files" in line.text
