"""The power goes in the middle of a delivery: what had reached the disk by then is what the next start finds.

The folders lie on an image. The program is stopped after each of its calls that change a file, and the image is copied
as it is on disk at that moment, with what the API had accepted until then. Each copy is then mounted in the place of
the first, and the program has to bring it to its end.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.injection import FILE_CALLS, injected, needs_strace, standing_still
from tests.faults.invariants import assert_all_delivered, assert_sound
from tests.faults.mounts import copy_image, make_image, mount_image, needs_images, on_image, shut_down, sync, unmount
from tests.integration.answers import OK, Answer, refused
from tests.integration.place import Place, documents, invoices, names, pdf, sidecar, with_months
from tests.integration.program import PATIENCE, lines_with, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.faults.warm import Warm
    from tests.integration.conftest import Start
    from tests.integration.program import Program
    from tests.integration.stand_in import Request, StandIn

pytestmark = needs_images

_STEP = 0.002
_EVERY_CALL = (",".join(("mkdirat", *FILE_CALLS)), "signal=STOP", "1+")


class Moment(NamedTuple):
    """One moment at which the power may go.

    Attributes:
        image: what the disk holds.
        answered: the requests that the API had answered.
        told: what the log said by then.
    """

    image: Path
    answered: list[Request]
    told: list[str]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Make a disk."""
    return make_image(tmp_path / "disk.img")


@pytest.fixture
def place(tmp_path: Path, image: Path, api: StandIn) -> Iterator[Place]:
    """Make a place with nothing but this disk; whatever is mounted there in the end is unmounted."""
    with on_image(image, tmp_path / "disk") as disk:
        place = Place(disk, api.base_url)
        place.configure(api__workers=1)
        sync(disk)
        yield place


def test_the_method_can_fail(image: Path, tmp_path: Path) -> None:
    """What was not synced is gone from the copy, and a renamed file is empty: so a missing fsync would be seen."""
    with on_image(image, tmp_path / "disk") as disk:
        _write(disk / "synced", durable=True)
        _write(disk / "halfway", durable=False)
        (disk / "halfway").rename(disk / "renamed")
        _sync_folder(disk)
        _write(disk / "unsynced", durable=False)
        copy = copy_image(image, tmp_path / "copy.img")
    with on_image(copy, tmp_path / "disk") as disk:
        assert names(disk) == ["renamed", "synced"]
        assert [(disk / name).read_bytes() for name in names(disk)] == [b"", b"content"]


@needs_strace
@pytest.mark.parametrize("layout", ["flat", "month"])
def test_the_power_goes_at_any_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn,
    place: Place,
    start: Start,
    image: Path,
    warm: Warm,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    layout: str,
) -> None:
    """One delivered, one answered 503 first, one refused: whenever the power goes, nothing is lost or sent twice.

    But for what was in doubt, and the receipt says so; and what the log called done is done on the disk.
    """
    api.script("2", Answer(503, b""), OK)
    api.script("3", refused(103, "closed"))
    dropped = invoices("123")
    place.configure(done_layout=layout)
    sync(place.root)
    daemon = start()
    stops = 0
    moments: dict[Path, Moment] = {}
    for content in _disk_after_each_call(daemon, place, image, tmp_path / "trace", dropped):
        stops += 1
        answered = [request for request in api.requests if request.answered]
        copy = tmp_path / f"{sha256(content).hexdigest()}-{len(answered)}.img"
        copy.write_bytes(content)
        moments[copy] = Moment(copy, answered, daemon.lines)
    assert daemon.stop() == 0
    unmount(place.root)
    record_property(f"calls after which the power went, and different disks ({layout})", f"{stops}, {len(moments)}")
    assert stops > 3 * 15
    assert len(moments) > 3 * 3
    for moment in moments.values():
        _assert_all_ends_well(api, place, moment, dropped, warm)


def _disk_after_each_call(
    daemon: Program, place: Place, image: Path, trace: Path, dropped: Mapping[str, bytes]
) -> Iterator[bytes]:
    """Give the disk as it is after each call of a delivery, while the program stands still."""
    with standing_still(daemon.process):
        place.put_all(dropped)
        sync(place.root)
        with injected(daemon.pid, *_EVERY_CALL, trace):
            while _stands_still(daemon, lambda: names(place.drop) == names(place.work) == []):
                yield image.read_bytes()
                daemon.send(signal.SIGCONT)


def _stands_still(daemon: Program, is_over: Callable[[], bool]) -> bool:
    """Wait until a call has stopped the program; False when there is nothing more to come."""
    end = time.monotonic() + PATIENCE
    step = threading.Event()
    while os.waitid(os.P_PID, daemon.pid, os.WSTOPPED | os.WNOHANG) is None:
        if is_over():
            return False
        assert time.monotonic() < end, daemon.err
        step.wait(_STEP)
    return True


def _assert_all_ends_well(api: StandIn, place: Place, moment: Moment, dropped: Mapping[str, bytes], warm: Warm) -> None:
    with on_image(moment.image, place.root):
        filed = {*place.delivered(), *documents(place.failed)}
        for folder in (*with_months(place.done), place.failed, place.work):
            for name in names(folder):
                if name.endswith(".json"):
                    assert json.loads((folder / name).read_bytes())["file"], f"half a sidecar: {folder / name}"
        for name in dropped:
            told = lines_with(f"delivered {name}", moment.told) + lines_with(f"rejected {name}", moment.told)
            assert not told or name in filed, f"{name} was called done, and is not"
        api.requests[:] = moment.answered
        finished = warm.run("run", "--once", "-c", place.config)
        assert finished.status in {0, 1}, finished.err
        assert sorted(place.delivered()) == ["1.pdf", "2.pdf"], finished.err
        assert documents(place.failed) == ["3.pdf"], finished.err
        sent_again = api.requests[len(moment.answered) :]
        assert not filed & {f"{request.order_id}.pdf" for request in sent_again}, "sent, though it was filed"
        assert_sound(api, place, dropped)
        assert len(api.of("3")) == 1 or sidecar(place.failed / "3.pdf")["in_doubt"], "refused twice"


@needs_strace
def test_the_power_goes_after_a_claim_that_never_reached_the_disk(
    api: StandIn, place: Place, start: Start, image: Path, tmp_path: Path
) -> None:
    """The disk refused one fsync, and is well again: what is sent then is on the disk as sent, or as in doubt."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    daemon = start()
    with injected(daemon.pid, "fsync", "error=EIO", 1, tmp_path / "trace"):
        with standing_still(daemon.process):
            place.put("1.pdf", pdf())
            sync(place.root)
        api.wait_for(1)
    daemon.says("Input/output error")
    copy = copy_image(image, tmp_path / "copy.img")
    hold.set()
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    unmount(place.root)
    mount_image(copy, place.root)
    assert place.once().status == 0
    assert len(api.requests) == 2
    assert_all_delivered(api, place, {"1.pdf": pdf()})


def test_the_power_goes_in_the_middle_of_a_burst(
    api: StandIn, place: Place, start: Start, image: Path, tmp_path: Path
) -> None:
    """50 files, four at a time, and the disk is gone with all that it had not written: each is delivered in the end."""
    place.configure(api__workers=4)
    dropped = invoices(range(50))
    daemon = start()
    with standing_still(daemon.process):
        place.put_all(dropped)
        sync(place.root)
    api.wait_for(20)
    shut_down(place.root)
    daemon.stop(signal.SIGKILL)
    until(lambda: not api.under_way, "what was under way ends")
    unmount(place.root)
    mount_image(copy_image(image, tmp_path / "copy.img"), place.root)
    finished = place.once()
    assert finished.status == 0, finished.err
    assert_all_delivered(api, place, dropped)


def _write(path: Path, *, durable: bool) -> None:
    with path.open("wb") as file:
        file.write(b"content")
        file.flush()
        if durable:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
