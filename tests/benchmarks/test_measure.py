"""How the benchmark measures: documents, the sink, turns."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import ceilings, load, measure
from tests.benchmarks.filing import Filing
from tests.benchmarks.load import VoidError
from tests.benchmarks.part import Bench
from tests.benchmarks.peers import DAEMON, Peer, Place, running
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("size", [1_000, 30_000, 9_000_000])
def test_a_document_is_a_whole_pdf_of_exactly_its_size(size: int) -> None:
    """What is measured are documents that anybody would take, so its cross-reference table is where it says."""
    document = load.document("87654321", size)
    assert len(document) == size
    assert b"Invoice for order 87654321" in document
    place = int(document.split(b"startxref\n")[1].split()[0])
    assert document[place : place + 4] == b"xref"


def test_a_size_without_room_for_a_document_is_refused() -> None:
    """Nobody measures documents of another size than was asked for."""
    with pytest.raises(ValueError, match="no document of exactly 100 bytes"):
        load.document("87654321", 100)


def test_turns_are_interleaved_and_who_fails_has_no_figures(tmp_path: Path) -> None:
    """All contenders meet the same drift of the machine, and one that fails is named and holds up nobody else."""
    taken: list[str] = []

    def turn(name: str) -> Callable[[int], float]:
        def take(number: int) -> float:
            taken.append(f"{name}{number}")
            if taken[-1] == "b2":
                raise VoidError("it filed nothing")
            return float(number)

        return take

    said: list[str] = []
    bench = Bench(tmp_path, rounds=3, say=said.append)
    figures, void = measure.interleaved(bench, {name: turn(name) for name in "abc"})
    assert taken == ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "c3"]
    assert figures == {"a": [1.0, 2.0, 3.0], "c": [1.0, 2.0, 3.0]}
    assert void == ["b: it filed nothing"]
    assert "  b, round 2: VOID: it filed nothing" in said


def test_ratios_are_taken_within_each_round() -> None:
    """A machine that is half as fast in one round changes no ratio."""
    assert measure.ratio([100.0, 50.0, 120.0], [50.0, 25.0, 100.0], float) == 2.0


def test_a_peer_that_ends_by_itself_gives_no_figure(tmp_path: Path) -> None:
    """Who reads the benchmark is told what the peer said last."""
    peer = Peer("broken", "broken", lambda _: ["sh", "-c", "echo no such order; exit 3"])
    place = Place(tmp_path / "broken", "http://127.0.0.1:9")
    with Sink() as sink, running(peer, place) as started, pytest.raises(VoidError, match="status 3: no such order"):
        measure.await_ready(started, place, sink)


def test_measuring_begins_when_no_canary_is_on_its_way(tmp_path: Path) -> None:
    """With an API that takes its time, too, what is measured begins with all workers free."""
    with Sink(2.0) as sink:
        place = Place(tmp_path / "place", sink.base_url)
        with running(DAEMON, place) as started:
            measure.await_ready(started, place, sink)
            filed = load.filed(place.done)
            assert list((place.drop / ".processing").glob("*.pdf")) == [], "a note may still be about to go"
            gave = measure.burst(started, place, sink, load.orders(0, 4))
    assert filed > 1
    assert 1.0 < gave.rate <= 2.0


def test_a_peer_that_is_not_installed_is_named() -> None:
    """Who reads the benchmark is told which program to install."""
    with pytest.raises(VoidError, match="no-such-program not installed"):
        Peer("x", "x", lambda _: [], ("sh", "no-such-program")).require()


def test_the_sink_answers_after_its_latency_and_notes_what_came() -> None:
    """An answer of the sink means that all of the body has come, however long it is."""
    size = 9_000_000
    with Sink(0.05) as sink, socket.create_connection(("127.0.0.1", sink.port)) as sender:
        sender.sendall(b"POST /web-api/order/12345678/invoice HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 1_000_000):
            sender.sendall(bytes(1_000_000))
        sent = time.monotonic_ns()
        assert sender.recv(4096).startswith(b"HTTP/1.1 200 ")
        answered = time.monotonic_ns()
        (arrival,) = sink.arrivals()
    assert arrival[0::2] == ("12345678", size)
    assert arrival.at < arrival.whole
    assert answered - arrival.whole >= 50e6
    assert answered > sent


def test_a_bare_loop_uploads_each_document_once_and_leaves_it(tmp_path: Path) -> None:
    """The ceiling is what uploading alone takes; its rate is never above what the API's latency allows."""
    stock = ceilings.stocked(tmp_path / "stock", load.orders(0, 20))
    with Sink(0.02) as sink:
        rate = ceilings.bare(stock, sink, 4)
    assert 0 < rate <= 200
    assert load.filed(stock.folder) == 20


def test_what_is_moved_into_a_folder_is_noted_when_it_comes(tmp_path: Path) -> None:
    """The latency to the done folder is known to a fraction of a millisecond, not to a tick of the kernel's clock."""
    done = tmp_path / "done"
    done.mkdir()
    load.burst(tmp_path, ["12345678"])
    with Filing(done) as filing:
        before = time.monotonic_ns()
        load.moved(done, ["12345678"], tmp_path)
        while not filing.at:
            time.sleep(0)
    assert before < filing.at["12345678.pdf"] < time.monotonic_ns()
