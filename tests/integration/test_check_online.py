"""`check --online`: the way to the API and the API itself are looked at, no order is changed, and it ends in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.faults.network import Names, needs_namespace, network
from tests.integration.answers import Answer, refused
from tests.integration.program import API_CODE, run, until
from tests.support.certificates import certificate
from tests.support.rawserver import Peer, RawServer, answer, black_hole, saying

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Finished
    from tests.integration.stand_in import StandIn
    from tests.support.rawserver import Script

ORDER = "invoice-watcher-check"
NO_DOCUMENT = refused(107, "No document in request")


def _check(place: Place) -> Finished:
    return run("check", "--online", "-c", place.config)


def _subjects(finished: Finished) -> list[str]:
    """Return the subjects of what is told about the network, in order."""
    words = [line[6:].partition(": ")[0] for line in finished.out.splitlines()]
    return [word for word in words if word in {"name", "connection", "proxy", "TLS", "API answer", "clock"}]


def test_all_is_well(api: StandIn, place: Place) -> None:
    """An API that answers and knows the API code: `check --online` ends with 0, and no order was sent a document."""
    api.script(ORDER, NO_DOCUMENT)
    finished = _check(place)
    assert (finished.status, finished.err) == (0, "")
    assert _subjects(finished) == ["connection", "API answer", "clock"]
    (request,) = api.requests
    assert request.order_id == ORDER
    assert request.api_code == API_CODE
    assert {part.name for part in request.parts}.isdisjoint({"File", "FileUrl"})


def test_without_the_option_nobody_is_asked(api: StandIn, place: Place) -> None:
    """`check` alone opens no connection."""
    assert run("check", "-c", place.config).status == 0
    assert api.requests == []


@pytest.mark.parametrize("said", [refused(101, "Wrong API code"), Answer(401, b""), Answer(503, b"")])
def test_a_refusal_is_status_1(api: StandIn, place: Place, said: Answer) -> None:
    """An API that refuses: status 1, not 78, for the configuration can be used, and the daemon would start."""
    api.script(ORDER, said)
    finished = _check(place)
    assert finished.status == 1
    assert "fault API answer: " in finished.out


def _refusing(status: bytes) -> Script:
    """Return a proxy that has no way for anybody."""

    def play(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 " + status + b"\r\n\r\n")

    return play


def test_what_strangers_say_is_shown_as_text(api: StandIn, place: Place) -> None:
    """An API, or a proxy, that sends commands to the terminal and repeats the API code."""
    api.script(ORDER, refused(101, f"\x1b[2J\r\n\u202e{API_CODE} no"))
    finished = _check(place)
    assert finished.status == 1
    assert r"\x1b[2J\r\n\u202e*** no" in finished.out
    with RawServer(_refusing(b"403 \x1b[2J\xff")) as server:
        place.configure(api__base_url="https://api.example.com", api__proxy=server.url)
        finished = _check(place)
    assert finished.status == 1
    assert r"403 \x1b[2J" in finished.out


def test_for_programs_there_is_json(api: StandIn, place: Place) -> None:
    """A list of objects with four keys; also when the configuration is wrong, with status 78."""
    api.script(ORDER, refused(101, f"\x1b[2J {API_CODE}"))
    finished = run("check", "--online", "--json", "-c", place.config)
    found = json.loads(finished.out)
    assert (finished.status, finished.err) == (1, "")
    assert all(list(one) == ["grade", "subject", "text", "cure"] for one in found)
    (fault,) = (one for one in found if one["grade"] == "fault")
    assert fault["subject"] == "API answer"
    assert "api.environment" in fault["cure"]
    assert found[0]["cure"] is None
    place.write_config("drop_dir: 5\nnothing: 1\n")
    finished = run("check", "--json", "-c", place.config)
    assert (finished.status, finished.err) == (78, "")
    assert {(one["grade"], one["subject"]) for one in json.loads(finished.out)} == {("fault", "configuration")}


def test_wrong_folders_outweigh_a_wrong_api(api: StandIn, place: Place) -> None:
    """Wrong folders and a wrong API at once: both are told, and the status is 78."""
    api.script(ORDER, Answer(401, b""))
    place.drop.rmdir()
    finished = _check(place)
    assert finished.status == 78
    assert "fault folders: " in finished.out
    assert "fault API answer: " in finished.out


def test_without_an_api_code_the_way_is_looked_at_and_nothing_sent(api: StandIn, place: Place) -> None:
    """Without an API code the way to the API is looked at; the fault is told once, and no request is made."""
    place.configure(api__api_code=None)
    finished = _check(place)
    assert finished.status == 78
    assert finished.out.count("no API code found") == 1
    assert _subjects(finished) == ["connection"]
    assert api.requests == []


def test_after_the_first_fault_on_the_way_nothing_more_is_told(place: Place) -> None:
    """Where no connection can be made, that alone is told: one cause, one fault, and no request is tried."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        place.configure(api__base_url=f"http://127.0.0.1:{bound.getsockname()[1]}/web-api")
        finished = _check(place)
    assert finished.status == 1
    assert _subjects(finished) == ["connection"]
    assert "Connection refused" in finished.out


def _as_proxy_and_api(tls: ssl.SSLContext, heads: list[str]) -> RawServer:
    """Return a proxy that is the API behind itself."""

    def play(peer: Peer) -> None:
        if head := peer.head():
            heads.append(head[0].partition(" HTTP/")[0])
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls.wrap_socket(peer._sock, server_side=True) as secured:
            behind = Peer(secured, server)
            if behind.request():
                behind.send(answer(400, NO_DOCUMENT.body))

    server = RawServer(play)
    return server


def test_through_a_proxy_to_a_secure_api(place: Place, tmp_path: Path) -> None:
    """The API's name is the proxy's to look up; its certificate is ours to look at."""
    (tmp_path / "made").mkdir()
    made = certificate(tmp_path / "made", name="DNS:api.example.com")
    heads: list[str] = []
    with _as_proxy_and_api(made.server, heads) as server:
        place.configure(
            api__base_url="https://api.example.com/web-api", api__proxy=server.url, api__ca_bundle=str(made.path)
        )
        finished = _check(place)
    assert finished.status == 0, finished.out
    assert _subjects(finished) == ["connection", "proxy", "TLS", "API answer"]
    assert heads == ["CONNECT api.example.com:443"] * 2
    (request,) = server.requests
    assert request.line.startswith("POST /web-api/order/invoice-watcher-check/invoice ")
    assert "127.0.0.1" not in request.line


def test_an_expired_certificate_gets_nothing(place: Place, tmp_path: Path) -> None:
    """A server whose certificate has expired gets nothing: status 1, and the API code was not sent."""
    (tmp_path / "made").mkdir()
    made = certificate(tmp_path / "made", days=-1)
    with RawServer(saying(b""), tls=made.server) as server:
        place.configure(api__base_url=server.url, api__ca_bundle=str(made.path))
        finished = _check(place)
    assert finished.status == 1
    assert _subjects(finished) == ["connection", "TLS"]
    assert "has expired" in finished.out
    assert server.requests == []


def test_a_password_of_the_proxy_is_never_shown(place: Place) -> None:
    """A proxy's password is never shown, nor its encoded form; the cure names the key."""
    with RawServer(_refusing(b"407 No")) as server:
        place.configure(
            api__base_url="https://api.example.com", api__proxy=server.url.replace("//", "//anna:s3crosanct@")
        )
        finished = _check(place)
    assert finished.status == 1
    assert "correct user and password in api.proxy" in finished.out
    assert "s3crosanct" not in finished.out + finished.err


def _is_connecting(pid: int) -> bool:
    """Whether a process waits for a connection to be made: a socket of its own is in SYN_SENT, 02 (proc_net(5))."""
    own = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            own.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return any(row[3] == "02" and f"socket:[{row[9]}]" in own for row in rows)


def test_ctrl_c_ends_it_at_once(place: Place, start: Start) -> None:
    """A connection that is waited for holds nobody up; no traceback, and the status that the shell expects."""
    with black_hole() as url:
        place.configure(api__base_url=url, api__connect_timeout="60s")
        program = start("check", "--online", "-c", place.config)
        until(lambda: _is_connecting(program.process.pid))
        began = time.monotonic()
        assert program.stop(signal.SIGINT) == 130
        assert time.monotonic() - began < 5


@needs_namespace
@pytest.mark.parametrize("mute", [False, True])
def test_no_name_server(place: Place, start: Start, tmp_path: Path, mute: bool) -> None:  # noqa: FBT001 - a parameter
    """It is not there, or says nothing: told in time, with where to look, and Ctrl-C is not needed."""
    known = Names(tmp_path)
    place.configure(api__base_url="https://api.example.com", api__connect_timeout="500ms")
    with network() as net, net.entered(), socket.socket(type=socket.SOCK_DGRAM) as resolver:
        if mute:
            resolver.bind(("127.0.0.1", 53))
        program = start("check", "--online", "-c", place.config, within=(*net.within, *known.within))
        assert program.wait(timeout=20) == 1
    assert "fault name: api.example.com cannot be looked up" in program.out
    assert "/etc/resolv.conf" in program.out
