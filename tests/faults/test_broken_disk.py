"""The disk breaks, or is made read-only: what could not be written counts as not written, and nothing more is sent.

What the API answered meanwhile is kept. The log says what is wrong, and the program goes on by itself, without a
restart, when the disk is well again or another is mounted in its place.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import injected, needs_strace, standing_still
from tests.faults.invariants import assert_all_delivered
from tests.faults.mounts import (
    copy_image,
    make_image,
    mount_image,
    needs_images,
    on_image,
    remount,
    shut_down,
    sync,
    unmount,
)
from tests.integration.answers import Answer
from tests.integration.place import Place, documents, invoices, names, pdf, sidecar
from tests.integration.program import lines_with, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.stand_in import StandIn

pytestmark = needs_images

DROPPED = invoices(range(1, 7))
_OTHERS = {name: content for name, content in DROPPED.items() if name != "1.pdf"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Make a disk."""
    return make_image(tmp_path / "disk.img")


@pytest.fixture
def disk(tmp_path: Path, image: Path) -> Iterator[Path]:
    """Mount it; whatever is mounted there in the end is unmounted."""
    with on_image(image, tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def place(disk: Path, api: StandIn) -> Place:
    """Make a place on that disk, which is looked at every second."""
    place = Place(disk, api.base_url)
    place.configure(api__workers=1, settle__rescan="1s")
    sync(disk)
    return place


@needs_strace
def test_no_fsync_works_for_long(api: StandIn, place: Place, start: Start, tmp_path: Path) -> None:
    """EIO for every fsync: nothing is sent, said once; all are sent, each once, when it works again."""
    daemon = start()
    with injected(daemon.pid, "fsync", "error=EIO", "1+", tmp_path / "trace"):
        place.put_all(DROPPED)
        daemon.says("the queue is paused: This machine could not read or file it: Input/output error")
        daemon.says("deferred", times=4)
        assert len(lines_with("the queue is paused", daemon.lines)) == 1
        assert api.requests == []
        assert place.waiting() == sorted(DROPPED)
    place.until_done(*DROPPED)
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(api.requests) == len(DROPPED)


@needs_strace
def test_no_fsync_works_after_the_answer(api: StandIn, place: Place, start: Start, tmp_path: Path) -> None:
    """The answer could not be written down: it is kept, and nothing is sent, this one or another, until it could."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    daemon = start()
    place.put("1.pdf", DROPPED["1.pdf"])
    api.wait_for(1)
    with injected(daemon.pid, "fsync", "error=EIO", "1+", tmp_path / "trace"):
        place.put_all(_OTHERS)
        hold.set()
        daemon.says("the queue is paused")
        daemon.says("deferred", times=4)
        assert len(api.requests) == 1
        assert documents(place.done) == []
    place.until_done(*DROPPED)
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(api.requests) == len(DROPPED)
    assert not sidecar(place.done / "1.pdf")["in_doubt"]


@needs_strace
def test_a_file_of_a_name_whose_filing_the_disk_did_not_confirm(
    api: StandIn, place: Place, start: Start, tmp_path: Path
) -> None:
    """Filed, but the folder's fsync failed: another file of this name, and a crash while it is sent, is in doubt."""
    first, second = pdf("first"), pdf("second")
    daemon = start()
    with injected(daemon.pid, "fsync", "error=EIO", 3, tmp_path / "trace"):
        place.put("1.pdf", first)
        daemon.says("delivered 1.pdf")
    hold = threading.Event()
    api.script("1", Answer(hold=hold), Answer())
    place.put("1.pdf", second)
    api.wait_for(2)
    daemon.stop(signal.SIGKILL)
    hold.set()
    until(lambda: not api.under_way, "what was under way ends")
    assert place.once().status == 0
    assert len(api.requests) == 3
    assert sidecar(place.done / "1.2.pdf")["in_doubt"]
    assert_all_delivered(api, place, {"1.pdf": first, "1.2.pdf": second})


def test_read_only_for_a_while(api: StandIn, place: Place, start: Start, disk: Path) -> None:
    """Made read-only with files waiting: nothing is sent, said so, and all go when it may be written again."""
    daemon = start()
    with standing_still(daemon.process):
        place.put_all(DROPPED)
        remount(disk, "ro")
    assert "read-only" in daemon.says("ERROR")
    daemon.says("waiting for the folders")
    assert api.requests == []
    assert names(place.drop) == sorted(DROPPED)
    once = place.once()
    assert once.status == 75, once.err
    remount(disk, "rw")
    place.until_done(*DROPPED)
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(api.requests) == len(DROPPED)


def _abort(disk: Path) -> None:
    """As the kernel does itself after an error, with `errors=remount-ro`."""
    remount(disk, "abort")


@pytest.mark.parametrize(
    ("break_it", "trouble"), [(shut_down, "Input/output error"), (_abort, "Read-only file system")]
)
def test_a_disk_that_the_kernel_gave_up(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn,
    place: Place,
    start: Start,
    disk: Path,
    image: Path,
    tmp_path: Path,
    break_it: Callable[[Path], None],
    trouble: str,
) -> None:
    """Gone while one is under way: said so, none other is sent, and all go when it is mounted anew, without a restart.

    What the API answered for the one that was under way could not be written down; it is remembered.
    """
    hold = threading.Event()
    api.script("1", Answer(hold=hold), Answer())
    daemon = start()
    place.put("1.pdf", DROPPED["1.pdf"])
    api.wait_for(1)
    place.put_all(_OTHERS)
    sync(disk)
    break_it(disk)
    hold.set()
    assert trouble in daemon.says("the queue is paused")
    unmount(disk, "--lazy")
    daemon.says("waiting for the folders")
    assert len(api.requests) == 1
    mount_image(copy_image(image, tmp_path / "mended.img"), disk)
    place.until_done(*DROPPED)
    assert daemon.stop() == 0
    assert_all_delivered(api, place, DROPPED)
    assert len(api.requests) == len(DROPPED)
