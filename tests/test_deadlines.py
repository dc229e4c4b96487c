"""An end to every exchange, and nothing else ended."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import CancelledError, Future
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.deadlines import Deadlines, Exchange
from tests.integration.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connection:
    """What an exchange runs over."""

    def __init__(self, sock: socket.socket | None) -> None:
        self.sock = sock
        self.exchange: Exchange | None = None


@contextmanager
def silent_server() -> Iterator[socket.socket]:
    """Give the client's end of a connection on which nothing ever comes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        yield ours


@contextmanager
def watch(length: float) -> Iterator[Deadlines]:
    """Watch over exchanges that may take `length` seconds."""
    with closing(Deadlines(length)) as deadlines:
        yield deadlines


def test_a_silent_server_is_given_up_at_the_deadline() -> None:
    """Whoever waits for an answer that never comes goes on at the deadline: not before, and not long after."""
    with watch(0.5) as deadlines, silent_server() as sock:
        began = time.monotonic()
        with deadlines.exchange(began + 0.5) as exchange:
            exchange.take(Connection(sock))
            assert sock.recv(1) == b""
        assert 0.5 <= time.monotonic() - began < 5
        assert exchange.ended_because == "DeadlineExceeded"


def test_many_exchanges_end_each_in_its_own_time() -> None:
    """One slow order does not shorten the time of another."""
    with watch(0.4) as deadlines, silent_server() as first, silent_server() as second:
        began = time.monotonic()
        with deadlines.exchange(began + 0.2) as early, deadlines.exchange(began + 0.4) as late:
            early.take(Connection(first))
            late.take(Connection(second))
            assert first.recv(1) == b""
            assert late.ended_because is None
            assert second.recv(1) == b""
        assert time.monotonic() - began >= 0.4


def test_an_exchange_that_ends_in_time_is_left_alone() -> None:
    """The connection of an upload that ended in time lives on for the next one: no deadline shuts it down."""
    with watch(0.2) as deadlines, silent_server() as sock:
        with deadlines.exchange(time.monotonic() + 0.1) as exchange:
            exchange.take(Connection(sock))
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert exchange.ended_because is None


@pytest.mark.parametrize("secure", [False, True])
def test_an_exchange_whose_connection_is_anothers_by_now_ends_alone(*, secure: bool) -> None:
    """One order's time runs out just after its answer came: the next order over the same connection goes through."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection, early, late = Connection(ours), Exchange(0.0), Exchange(0.0)
        early.take(connection)
        if secure:
            early.begin_handshake(ours)
        late.take(connection)
        early.end("DeadlineExceeded")
        theirs.sendall(b"answer")
        assert ours.recv(6) == b"answer"
        late.end("Stopped")
        assert ours.recv(1) == b""
        early.close()


def test_a_connection_that_comes_late_is_ended_too() -> None:
    """The deadline passed while the name was looked up: the connection made after it does not live on."""
    with watch(0.2) as deadlines, silent_server() as sock, deadlines.exchange(time.monotonic()) as exchange:
        until(lambda: exchange.ended_because, "the deadline")
        exchange.take(Connection(sock))
        assert sock.recv(1) == b""


def test_stopping_ends_what_is_under_way_and_what_begins() -> None:
    """The program stops at once, not after a two minutes' deadline."""
    with watch(120) as deadlines, silent_server() as sock:
        threading.Timer(0.1, deadlines.end_all).start()
        began = time.monotonic()
        with deadlines.exchange(began + 120) as exchange:
            exchange.take(Connection(sock))
            assert sock.recv(1) == b""
        assert time.monotonic() - began < 5
        assert exchange.ended_because == "Stopped"
        with deadlines.exchange(began + 120) as later:
            assert later.ended_because == "Stopped"


def test_the_first_reason_stays() -> None:
    """An upload that was over its time when the program stopped is said to have been over its time."""
    exchange = Exchange(0.0)
    exchange.end("DeadlineExceeded")
    exchange.end("Stopped")
    assert exchange.ended_because == "DeadlineExceeded"


@pytest.mark.parametrize("sock", [None, "closed"])
def test_ending_without_a_socket_does_no_harm(sock: str | None) -> None:
    """An upload can be ended before it has a connection, and after its connection was closed."""
    exchange = Exchange(0.0)
    closed = socket.socket()
    closed.close()
    exchange.take(Connection(closed if sock else None))
    exchange.end("Stopped")
    assert exchange.ended_because == "Stopped"


def test_watching_costs_nothing_while_nothing_is_under_way() -> None:
    """An idle daemon does not wake the machine to look for overdue uploads."""
    with watch(0.01) as deadlines:
        with deadlines.exchange(time.monotonic() + 10):
            pass
        until(lambda: not deadlines._busy.is_set(), "rest")
        before = time.process_time()
        time.sleep(0.2)
        assert time.process_time() - before < 0.05


def test_closing_ends_the_thread() -> None:
    """After a reload of the configuration nothing is left of the old watch over uploads."""
    deadlines = Deadlines(120)
    with deadlines.exchange(time.monotonic() + 120):
        pass
    deadlines.close()
    assert "deadlines" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
def test_closing_never_loses_its_wake_up() -> None:
    """Whatever the watch over uploads is just about, a reload ends it: two thousand end while they go to rest."""
    for number in range(2000):
        deadlines = Deadlines(1e-4)
        with deadlines.exchange(time.monotonic() + 10):
            pass
        time.sleep(1e-6 * (number % 200))  # to meet the watch at each of its steps
        closing_it = threading.Thread(target=deadlines.close, daemon=True)
        closing_it.start()
        closing_it.join(5)
        assert not closing_it.is_alive()


def test_what_is_waited_for_is_cancelled() -> None:
    """There is no socket to shut down while a name is looked up: the one who waits for it is woken all the same."""
    with watch(120) as deadlines, deadlines.exchange(time.monotonic() + 120) as exchange:
        first: Future[socket.socket] = Future()
        exchange.begin_connecting(first)
        threading.Timer(0.05, deadlines.end_all).start()
        with pytest.raises(CancelledError):
            first.result(5)
        second: Future[socket.socket] = Future()
        exchange.begin_connecting(second)
        assert second.cancelled()
