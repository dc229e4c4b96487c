"""Stopped in the middle of everything: status 0, within the grace period, and nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from invoice_watcher import signals
from invoice_watcher.config import Secret, load
from invoice_watcher.daemon import Daemon, End
from invoice_watcher.mailbox import Mailbox, Signal
from invoice_watcher.once import Result
from invoice_watcher.service import Supervisor
from invoice_watcher.signals import GRACE
from tests.faults import liar
from tests.faults.injection import has_begun, injected, needs_strace
from tests.faults.invariants import assert_all_delivered
from tests.faults.liar import MIB, Front
from tests.integration.answers import OK, Answer
from tests.integration.place import documents, invoices, names, pdf, sidecar
from tests.integration.program import API_CODE, lines_with, until
from tests.support.rawserver import RawServer, black_hole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from invoice_watcher.daemon import Posted
    from tests.faults.liar import Call
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn
    from tests.support.rawserver import Peer

    # A server with which an attempt gets stuck: its address, and whether one is stuck now.
    Trap = tuple[str, Callable[[], object]]

AT_ONCE = GRACE / 2  # a stop that waited for the grace period takes longer
SMALL, LARGE = 100, 9 * MIB  # bytes: of what the sockets' buffers hold, and of what they do not

# The calls of a delivery before which it is held up, and which one of that name: it was read, about to claim it, be
# sure of that, send it, read the answer; about to write the receipt, name it, link it, commit, be sure, tidy up.
BEFORE = ("fchmod-1", "renameat2-1", "fsync-1", "sendto-1", "recvfrom-1")
AFTER = ("ftruncate-1", "renameat-1", "linkat-1", "renameat2-2", "fsync-3", "unlinkat-1")


@contextmanager
def _no_connection(_: StandIn) -> Iterator[Trap]:
    with black_hole() as url:
        port, before = urlsplit(url).port or 0, _syn_sent(urlsplit(url).port or 0)
        yield url, lambda: _syn_sent(port) > before


def _syn_sent(port: int) -> int:
    """Return how many connections to a port of the loopback are being made (proc_net_tcp: state 02)."""
    return Path("/proc/net/tcp").read_text().count(f"0100007F:{port:04X} 02 ")


@contextmanager
def _no_handshake(_: StandIn) -> Iterator[Trap]:
    hello = threading.Event()

    def play(peer: Peer) -> None:
        if peer.hello():
            hello.set()
        peer.wait()

    with RawServer(play) as server:
        yield server.url.replace("http:", "https:"), hello.is_set


def _lied_to(lie: Callable[[Call], object]) -> Callable[[StandIn], AbstractContextManager[Trap]]:
    @contextmanager
    def trap(api: StandIn) -> Iterator[Trap]:
        with Front(api) as front:
            front.lies["1"] = lie
            yield front.base_url, lambda: front.begun.get("1")

    return trap


# Each with the size of the document, and whether it may have arrived.
TRAPS = {
    "connecting": (_no_connection, SMALL, False),
    "in the TLS handshake": (_no_handshake, SMALL, False),
    "sending the body": (_lied_to(liar.reading_slowly), LARGE, False),
    "waiting for the answer": (_lied_to(liar.silent), SMALL, True),
    "waiting for more than 100 Continue": (_lied_to(liar.dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")), SMALL, True),
    "reading the head": (_lied_to(liar.dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")), SMALL, True),
    "reading the body": (
        _lied_to(liar.dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ")),
        SMALL,
        True,
    ),
}


@pytest.mark.parametrize("insist", [False, True], ids=["SIGTERM", "SIGTERM twice"])
@pytest.mark.parametrize("phase", TRAPS)
def test_stopped_while_the_server_holds_it_up(
    api: StandIn, place: Place, start: Start, phase: str, *, insist: bool
) -> None:
    """Whatever the server does: the stop waits for api.deadline at most, and for nothing when it is asked for twice."""
    trap, size, in_doubt = TRAPS[phase]
    dropped = {"1.pdf": pdf(phase, size)}
    with trap(api) as (base_url, is_stuck):
        place.configure(api__base_url=base_url, api__deadline="60s" if insist else "1s")
        daemon = start()
        place.put("1.pdf", dropped["1.pdf"])
        until(is_stuck, "an attempt that is stuck")
        if insist:
            daemon.send(signal.SIGTERM)
            daemon.says("ending; uploads under way")
        assert daemon.stop(timeout=AT_ONCE) == 0
    assert documents(place.work) == ["1.pdf"]
    assert place.note_of("1.pdf")["in_doubt"] is in_doubt
    place.configure(api__base_url=api.base_url)
    finished = place.once()
    assert finished.status == 0, finished.err
    assert_all_delivered(api, place, dropped)
    assert sidecar(place.done / "1.pdf")["in_doubt"] is in_doubt


@needs_strace
@pytest.mark.parametrize("held_up", BEFORE + AFTER)
def test_stopped_in_the_middle_of_a_delivery(
    api: StandIn, place: Place, start: Start, tmp_path: Path, held_up: str
) -> None:
    """While it is read, claimed, sent or filed away: that invoice is brought to its end, and no other is begun."""
    place.configure(api__workers=1)
    call, number = held_up.split("-")
    daemon, trace = start(), tmp_path / "trace"
    with injected(daemon.pid, call, "delay_enter=1s", number, trace):
        place.put("1.pdf", pdf("1"))
        until(lambda: has_begun(trace, call, int(number)), held_up)
        daemon.send(signal.SIGTERM)
        daemon.says("ending; uploads under way")
        place.put("2.pdf", pdf("2"))
        assert daemon.wait(GRACE) == 0
    assert names(place.drop) == ["2.pdf"]
    assert documents(place.done) == ["1.pdf"]
    assert place.once().status == 0
    assert_all_delivered(api, place, {"1.pdf": pdf("1"), "2.pdf": pdf("2")})
    assert [request.order_id for request in api.requests] == ["1", "2"]


def test_stopped_while_a_file_settles(api: StandIn, place: Place, start: Start) -> None:
    """A stop while a file is not yet quiet: at once, with the file where it was dropped, and nothing sent."""
    place.configure(settle__quiet="60s", settle__rescan="100ms")
    daemon = start()
    place.put("1.pdf", pdf("1"))
    (place.drop / "2.pdf").symlink_to("nowhere")
    daemon.says("2.pdf is no regular file")  # so it has looked at what lies there
    assert daemon.stop(timeout=AT_ONCE) == 0
    (place.drop / "2.pdf").unlink()
    assert (names(place.drop), api.requests) == (["1.pdf"], [])
    place.configure(settle__quiet=0)
    assert place.once().status == 0
    assert_all_delivered(api, place, {"1.pdf": pdf("1")})


def test_stopped_while_a_retry_is_waited_for(api: StandIn, place: Place, start: Start) -> None:
    """An hour's patience is not waited out; the next start sends at once, and counts on."""
    place.configure(retry__initial="1h", retry__max="1h")
    api.default = Answer(500, b"")
    daemon = start()
    place.put("1.pdf", pdf("1"))
    daemon.says("deferred 1.pdf")
    assert daemon.stop(timeout=AT_ONCE) == 0
    assert place.note_of("1.pdf")["attempts"] == 1
    api.default = OK
    assert place.once().status == 0
    assert_all_delivered(api, place, {"1.pdf": pdf("1")})
    assert sidecar(place.done / "1.pdf")["attempts"] == 2


def test_stopped_at_any_moment_of_a_start(api: StandIn, place: Place, start: Start) -> None:
    """While Python itself starts it may die of the signal; then it ends in good order, and nothing is lost or blamed.

    In the work folder lie documents as a crash leaves them, so each start has something to recover.
    """
    assert place.once().status == 0  # which makes the folders
    dropped: dict[str, bytes] = {}
    for step in range(10):
        for name, folder in ((f"crashed-{step}.pdf", place.work), (f"new-{step}.pdf", place.drop)):
            dropped[name] = pdf(name)
            (place.root / name).write_bytes(dropped[name])
            (place.root / name).rename(folder / name)
        program = start("run", "-c", place.config)
        if step:
            until(lambda: _keeps_signals(program), "signals that are kept")  # noqa: B023
            threading.Event().wait(0.02 * (step - 1))
        assert program.stop(timeout=GRACE) in ((0,) if step else (0, -signal.SIGTERM)), program.err
    assert place.once().status == 0
    assert_all_delivered(api, place, dropped)
    assert len(api.requests) == len(dropped)


def _keeps_signals(program: Program) -> bool:
    """Tell whether SIGTERM is caught there (proc_pid_status: SigCgt)."""
    caught = Path(f"/proc/{program.pid}/status").read_text().split("SigCgt:")[1].split()[0]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_stopped_at_any_moment_of_a_reload(api: StandIn, place: Place, start: Start) -> None:
    """SIGTERM while the old run ends or the next begins: status 0, and what was under way is filed."""
    dropped: dict[str, bytes] = {}
    for step in range(4):
        daemon = start()
        dropped |= place.put_all(invoices(f"{step}-{number}" for number in range(5)))
        daemon.send(signal.SIGHUP)
        threading.Event().wait(0.01 * step)
        assert daemon.stop(timeout=GRACE) == 0
    assert place.once().status == 0
    assert_all_delivered(api, place, dropped)
    assert len(api.requests) == len(dropped)


def test_fifty_reloads_during_deliveries(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP again and again, as fast as can be: each invoice is delivered once, by the same process."""
    api.default = Answer(delay=0.02)
    dropped: dict[str, bytes] = {}
    for step in range(50):
        daemon.send(signal.SIGHUP)
        dropped |= place.put_all(invoices([step]))
    place.until_done(*dropped)
    assert lines_with("read anew", daemon.lines)
    assert daemon.stop(timeout=GRACE) == 0
    assert_all_delivered(api, place, dropped)
    assert len(api.requests) == len(dropped)


def test_what_is_filed_in_the_last_moment_is_counted(
    api: StandIn, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk hangs beyond all patience at a reload, and then goes on: the run that ends counts what was filed."""
    mailbox: Mailbox[Posted] = Mailbox()
    is_well, fsync, join = threading.Event(), os.fsync, threading.Thread.join

    def hanging(fd: int) -> None:
        if api.requests and not is_well.is_set():
            mailbox.post(Signal.RELOAD)
            assert is_well.wait(60)
        fsync(fd)

    def joined(thread: threading.Thread, timeout: float | None = None) -> None:
        is_well.set()
        join(thread, timeout)

    monkeypatch.setattr(os, "fsync", hanging)
    monkeypatch.setattr(threading.Thread, "join", joined)
    monkeypatch.setattr(signals, "GRACE", 0.0)
    monkeypatch.setattr("invoice_watcher.daemon._AFTER_GRACE", 0.0)
    place.put("1.pdf", pdf())
    daemon = Daemon(load(place.config), Secret(API_CODE), mailbox, Supervisor())
    assert daemon.run(once=True, reload=lambda: True) is End.RELOAD
    assert daemon.result == Result(delivered=1, rejected=0, waiting=0, stopped=False)
    assert mailbox.next(0) is None
