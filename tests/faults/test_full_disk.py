"""The disk is full, of bytes or of files, or the owner's quota is used up: nothing is sent that could not be recorded.

The files stay, the log says so once, and the program goes on by itself when there is room again.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import injected, needs_strace, standing_still
from tests.faults.invariants import assert_all_delivered
from tests.faults.mounts import needs_mounts, tmpfs
from tests.integration.answers import Answer
from tests.integration.place import Place, documents, invoices, names, sidecar
from tests.integration.program import lines_with, run, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

pytestmark = needs_mounts

DROPPED = invoices(range(1, 7))
_OTHERS = {name: content for name, content in DROPPED.items() if name != "1.pdf"}


@pytest.fixture
def place(tmp_path: Path, api: StandIn) -> Iterator[Place]:
    """Make a place on a small disk of its own; root may use every block of it."""
    with tmpfs(tmp_path / "disk", "size=1M,nr_inodes=100") as disk:
        yield Place(disk, api.base_url)


def _fill_with_bytes(folder: Path) -> None:
    """Write a file until no byte more fits."""
    with (folder / "filler").open("wb", buffering=0) as file:
        _until_full(lambda _: file.write(bytes(1024)))


def _fill_with_files(folder: Path) -> None:
    """Make empty files until there can be no more."""
    _until_full(lambda number: (folder / f"filler-{number}").touch())


def _until_full(write: Callable[[int], object]) -> None:
    with pytest.raises(OSError, match="No space left"):
        deque(map(write, count()), maxlen=0)


def _empty(folder: Path) -> None:
    for filler in folder.glob("filler*"):
        filler.unlink()


_WAYS = pytest.mark.parametrize("fill", [_fill_with_bytes, _fill_with_files], ids=["bytes", "files"])


@_WAYS
def test_a_full_disk(api: StandIn, place: Place, start: Start, fill: Callable[[Path], None]) -> None:
    """Full before the first is sent: nothing goes out, the log says so once, and all go when there is room again."""
    daemon = start()
    with standing_still(daemon.process):
        place.put_all(DROPPED)
        fill(place.root)
    _assert_paused(daemon, api, place, sent=0)
    _empty(place.root)
    _assert_goes_on(daemon, api, place)


def test_what_waits_for_room_on_the_disk_is_explained(place: Place, start: Start) -> None:
    """Asked about its file, a person reads a sentence that says that it waits for this machine, and why."""
    daemon = start()
    with standing_still(daemon.process):
        place.put("1.pdf", DROPPED["1.pdf"])
        _fill_with_bytes(place.root)
    daemon.says("deferred 1.pdf")
    reason = "It has to wait: This machine could not read or file it: No space left on device"
    until(lambda: reason in run("explain", "-c", place.config, str(place.drop / "1.pdf")).out, reason)


@_WAYS
def test_a_disk_that_gets_full_meanwhile(
    api: StandIn, place: Place, start: Start, fill: Callable[[Path], None]
) -> None:
    """Full while one is under way: its answer is not lost, none other is sent, and nothing is sent twice."""
    place.configure(api__workers=1)
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    daemon = start()
    place.put("1.pdf", DROPPED["1.pdf"])
    api.wait_for(1)
    place.put_all(_OTHERS)
    fill(place.root)
    hold.set()
    _assert_paused(daemon, api, place, sent=1)
    _empty(place.root)
    _assert_goes_on(daemon, api, place)


@_WAYS
def test_a_start_on_a_full_disk(api: StandIn, place: Place, start: Start, fill: Callable[[Path], None]) -> None:
    """Nothing is sent, the exit status asks to be started again later (75), and that delivers all."""
    for folder in (place.done, place.failed, place.work):
        folder.mkdir()
    place.put_all(DROPPED)
    fill(place.root)
    finished = place.once()
    assert finished.status == 75, finished.err
    assert "No space left on device" in finished.err
    assert api.requests == []
    assert place.waiting() == sorted(DROPPED)
    _empty(place.root)
    assert place.once().status == 0
    assert_all_delivered(api, place, DROPPED)


@needs_strace
def test_a_quota_that_is_used_up_for_long(api: StandIn, place: Place, start: Start, tmp_path: Path) -> None:
    """A quota is used up for a while: nothing is lost, and all is delivered afterwards, as on a full disk."""
    daemon = start()
    with injected(daemon.pid, "pwrite64", "error=EDQUOT", "1+", tmp_path / "trace"):
        place.put_all(DROPPED)
        _assert_paused(daemon, api, place, sent=0)
    _assert_goes_on(daemon, api, place)


def _assert_paused(daemon: Program, api: StandIn, place: Place, *, sent: int) -> None:
    """Said once however often it is tried again, and none but those that were under way has been sent."""
    daemon.says("the queue is paused: This machine could not")
    daemon.says("deferred", times=4)
    assert len(lines_with("the queue is paused", daemon.lines)) == 1
    assert len(api.requests) == sent
    assert sorted(place.waiting() + documents(place.done)) == sorted(DROPPED)
    assert names(place.failed) == []


def _assert_goes_on(daemon: Program, api: StandIn, place: Place) -> None:
    """All are delivered, each was sent once, and none is in doubt."""
    place.until_done(*DROPPED)
    daemon.says("this machine is well again: the queue flows")
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(api.requests) == len(DROPPED)
    assert not any(sidecar(place.done / name)["in_doubt"] for name in DROPPED)
