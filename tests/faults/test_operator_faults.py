"""What an administrator has to mend: the log names the cause and the cure, and all goes on when it is mended.

Nothing is restarted, and nothing failed meanwhile. Where the server is not the one that was meant, it gets not one byte
of an invoice. `tests/integration/test_operator.py` tells the same of each status in turn.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.invariants import assert_all_delivered
from tests.faults.liar import PAGE, Front
from tests.integration.answers import OK, Answer, refused
from tests.integration.place import invoices, names, sidecar
from tests.integration.program import API_CODE, lines_with
from tests.support.certificates import certificate
from tests.support.rawserver import RawServer, answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn
    from tests.support.rawserver import Peer

DROPPED = invoices(range(6))

# What the server says, what the log has to say of the cause, and what of the cure.
ANSWERS = {
    "401": (Answer(401, b""), "does not accept the API code", "Check the API code"),
    "403": (Answer(403, b""), "denies access", "Check the API code"),
    "404": (Answer(404, PAGE, {"Content-Type": "text/html"}), "no invoice API", "Check api.base_url"),
    "405": (Answer(405, b""), "does not take invoices", "Check api.base_url"),
    "login page": (Answer(200, PAGE, {"Content-Type": "text/html"}), "web page", "asks for a login"),
    "redirect to a login": (Answer(302, PAGE, {"Location": "http://login.invalid/"}), "moved", "asks for a login"),
    "101": (refused(101, "Wrong API code"), "Wrong API code", "Check the API code"),
}

# What is wrong with the certificate: its name, its days, whether its authority is known, and the system's word for it.
CERTIFICATES = {
    "expired": ("IP:127.0.0.1", -1, True, "expired"),
    "of another authority": ("IP:127.0.0.1", 2, False, "self-signed"),
    "for another host": ("DNS:api.example.com", 2, True, "IP address mismatch"),
}


def _until_told(daemon: Program, place: Place, cause: str, cure: str) -> None:
    """Wait until the queue is paused; one line says why, and what to do; all invoices wait, some have been tried."""
    line = daemon.says("the queue is paused")
    assert " ERROR " in line
    assert cause in line
    assert cure in line
    daemon.says("OUTCOME=", times=6)
    assert place.waiting() == sorted(DROPPED)
    assert names(place.failed) == names(place.done) == []


def _assert_recovered(api: StandIn, place: Place, daemon: Program) -> None:
    """Everything is delivered by the same process; the pause was told once, and its end."""
    place.until_done(*DROPPED)
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(lines_with("the queue is paused", daemon.lines)) == 1
    assert len(lines_with("the queue flows", daemon.lines)) == 1


@pytest.mark.parametrize("fault", ANSWERS)
def test_a_fault_is_told_with_its_cure(api: StandIn, place: Place, daemon: Program, fault: str) -> None:
    """Wrong code, wrong address, a login page: whoever reads the log knows what to do, and the rest goes by itself."""
    api.default, cause, cure = ANSWERS[fault]
    place.put_all(DROPPED)
    _until_told(daemon, place, cause, cure)
    api.default = OK
    _assert_recovered(api, place, daemon)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("fault", CERTIFICATES)
def test_an_unsound_certificate_is_replaced(
    api: StandIn, place: Place, start: Start, tmp_path: Path, fault: str
) -> None:
    """Nothing but the hello goes to that server; when it loads a sound certificate, all goes on by itself."""
    name, days, is_known, cause = CERTIFICATES[fault]
    sound, unsound = (
        certificate(_new(tmp_path / "sound")),
        certificate(_new(tmp_path / "unsound"), name=name, days=days),
    )
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(sound.path.read_bytes() + (unsound.path.read_bytes() if is_known else b""))
    with Front(api, unsound.server) as front:
        place.configure(api__base_url=front.base_url, api__ca_bundle=str(bundle))
        daemon = start()
        place.put_all(DROPPED)
        _until_told(daemon, place, cause, "Check the server's certificate")
        assert api.requests == []
        assert front.heads == 0, "something was said within TLS"
        unsound.server.load_cert_chain(sound.path, sound.path.with_name("key.pem"))
        _assert_recovered(api, place, daemon)
    assert not any(sidecar(place.done / name)["in_doubt"] for name in DROPPED)


def test_a_server_that_speaks_no_tls(api: StandIn, place: Place, start: Start, tmp_path: Path) -> None:
    """Its answer in plain text is no answer, and no invoice goes out in plain text; once it speaks TLS, all go."""
    sound = certificate(tmp_path)
    with Front(api) as front:
        place.configure(api__base_url=front.base_url.replace("http:", "https:"), api__ca_bundle=str(sound.path))
        daemon = start()
        place.put_all(DROPPED)
        _until_told(daemon, place, "no secure connection", "Check the server's certificate")
        assert front.hellos
        assert not any(word in hello for hello in front.hellos for word in (b"PDF", b"POST", API_CODE.encode()))
        assert front.heads == 0
        front.secure(sound.server)
        _assert_recovered(api, place, daemon)


@pytest.mark.parametrize("status", [302, 403, 407])
def test_a_proxy_that_refuses(api: StandIn, place: Place, start: Start, tmp_path: Path, status: int) -> None:
    """A proxy asks for a password or shows a login: the log says so, and the cure that it names is one."""

    def refuse(peer: Peer) -> None:
        peer.head()
        peer.send(answer(status, PAGE, "Location: http://login.invalid/", "Connection: close"))

    sound = certificate(tmp_path)
    with Front(api, sound.server) as front, RawServer(refuse) as proxy:
        bundle = str(sound.path)
        place.configure(api__base_url=front.base_url, api__ca_bundle=bundle, api__proxy=proxy.url)
        daemon = start()
        place.put_all(DROPPED)
        _until_told(daemon, place, f"the proxy answered {status}", "Check api.base_url and api.proxy, then reload")
        place.configure(api__proxy=None)
        daemon.send(signal.SIGHUP)
        place.until_done(*DROPPED)
        assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
