"""The drop folder's disk comes and goes while the daemon runs: said aloud, nothing made below, and on by itself."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.faults.invariants import assert_all_delivered
from tests.faults.mounts import covering, make_image, mounted, needs_mounts, on_image, tmpfs
from tests.integration.answers import Answer
from tests.integration.place import documents, pdf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

FOLDERS = ("done", "failed", ".processing")


class Disk(Protocol):
    """A file system that keeps its files while it is mounted nowhere."""

    def __call__(self, folder: Path) -> AbstractContextManager[Path]:
        """Mount it on a folder for the length of a block; it is unmounted even while it is used (`umount --lazy`)."""


@pytest.fixture(params=["tmpfs", "ext4", "bind"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Give an empty disk: in memory, where it is kept alive elsewhere; in an image; or a folder that lies beside."""
    if request.param == "ext4":
        image = make_image(tmp_path / "image", 8 * 1024 * 1024)
        yield lambda folder: on_image(image, folder)
    elif request.param == "bind":
        (tmp_path / "beside").mkdir()
        yield lambda folder: mounted(folder, "--bind", tmp_path / "beside")
    else:
        with tmpfs(tmp_path / "memory", "size=4M") as memory:
            yield lambda folder: mounted(folder, "--bind", memory)


def _write(folder: Path, name: str, content: bytes) -> dict[str, bytes]:
    """Lay a whole file into a folder, at once."""
    (folder / "new.tmp").write_bytes(content)
    (folder / "new.tmp").rename(folder / name)
    return {name: content}


@needs_mounts
def test_unmounted_and_mounted_again(api: StandIn, place: Place, start: Start, disk: Disk) -> None:
    """The disk is gone: said within one rescan, the bare mount point stays empty. It is back: everything is delivered.

    That is what was under way, what came while the disk was elsewhere, and what comes later; each once.
    """
    place.configure(settle__rescan="200ms")
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    with disk(place.drop):
        daemon = start()
        dropped = _write(place.drop, "1.pdf", pdf("1"))
        api.wait_for(1)
    daemon.says("ending; uploads under way")
    hold.set()
    daemon.says("waiting for the folders")
    assert os.listdir(place.drop) == []
    with disk(place.root / "elsewhere") as elsewhere:
        dropped |= _write(elsewhere, "2.pdf", pdf("2"))
    with disk(place.drop):
        daemon.says("ready: watching", times=2)
        dropped |= _write(place.drop, "3.pdf", pdf("3"))
        place.until_done(*dropped)
        assert daemon.stop() == 0
        assert_all_delivered(api, place, dropped)
    assert len(api.requests) == 3
    assert os.listdir(place.drop) == []


@needs_mounts
def test_folders_on_the_bare_mount_point(api: StandIn, place: Place, start: Start, disk: Disk) -> None:
    """Folders that a start without the disk once made below it are not taken for the real ones when it goes.

    What would be filed there is hidden as soon as the disk is back.
    """
    place.configure(settle__rescan="200ms")
    for name in FOLDERS:
        (place.drop / name).mkdir()
    with disk(place.drop):
        daemon = start()
        dropped = _write(place.drop, "1.pdf", pdf("1"))
        place.until_done("1.pdf")
    daemon.says(f"waiting for the folders: nothing is mounted on {place.drop}")
    _write(place.drop, "2.pdf", pdf("2"))
    with disk(place.drop):
        daemon.says("ready: watching", times=2)
        dropped |= _write(place.drop, "3.pdf", pdf("3"))
        place.until_done(*dropped)
        assert daemon.stop() == 0
        assert_all_delivered(api, place, dropped)
    assert sorted(os.listdir(place.drop)) == sorted([*FOLDERS, "2.pdf"])
    assert [os.listdir(place.drop / name) for name in FOLDERS] == [[], [], []]


@needs_mounts
def test_a_disk_that_comes_up_late(api: StandIn, place: Place, start: Start, disk: Disk) -> None:
    """Started on the bare mount point, of which nobody told it: when the disk covers it, the disk is what counts."""
    with disk(place.drop):
        for name in FOLDERS:
            (place.drop / name).mkdir()
        _write(place.drop, "1.pdf", pdf("1"))
    place.configure(settle__rescan="200ms")
    daemon = start()
    with disk(place.drop):
        place.until_done("1.pdf")
        assert daemon.stop() == 0
    assert [documents(place.drop / name) for name in FOLDERS] == [[], [], []]


@needs_mounts
def test_mounted_over(api: StandIn, place: Place, start: Start) -> None:
    """Something empty is mounted over the drop folder: nothing is made in it; when it goes, all is as before.

    What a program wrote that had the folder open is delivered too.
    """
    place.configure(settle__rescan="200ms")
    daemon = start()
    below = os.open(place.drop, os.O_RDONLY)
    dropped = {"1.pdf": pdf("1")}
    with tmpfs(place.drop, "size=1M"):
        daemon.says("waiting for the folders", times=2)  # it is another one; and then, the done folder is missing
        assert os.listdir(place.drop) == []
        (place.root / "1.pdf").write_bytes(dropped["1.pdf"])
        os.rename(place.root / "1.pdf", "1.pdf", dst_dir_fd=below)
    os.close(below)
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert_all_delivered(api, place, dropped)


@needs_mounts
@pytest.mark.parametrize("name", FOLDERS)
def test_one_of_the_folders_is_mounted_over(api: StandIn, place: Place, start: Start, name: str) -> None:
    """Nothing could be moved there, so nothing is sent; when the mount goes, the daemon goes on."""
    place.configure(settle__rescan="200ms")
    daemon = start()
    with tmpfs(place.drop / name, "size=1M"):
        assert str(place.drop / name) in daemon.says("waiting for the folders")
        dropped = _write(place.drop, "1.pdf", pdf("1"))
        assert "must lie on one file system" in daemon.says("waiting for the folders", times=2)
        assert os.listdir(place.drop / name) == []
        assert api.requests == []
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert_all_delivered(api, place, dropped)


@pytest.mark.parametrize("name", FOLDERS)
def test_one_of_the_folders_is_removed(api: StandIn, place: Place, start: Start, name: str) -> None:
    """It is named, and not made anew, for whoever removed it may bring it back; once it is there, all goes on."""
    place.configure(settle__rescan="200ms")
    daemon = start()
    shutil.rmtree(place.drop / name)
    assert str(place.drop / name) in daemon.says("waiting for the folders")
    dropped = _write(place.drop, "1.pdf", pdf("1"))
    assert f"{place.drop / name} does not exist" in daemon.says("waiting for the folders", times=2)
    assert not (place.drop / name).exists()
    assert api.requests == []
    (place.drop / name).mkdir()
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert_all_delivered(api, place, dropped)


@needs_mounts
@pytest.mark.skipif(not os.path.exists("/etc/fstab"), reason="there is no /etc/fstab to be covered")
@pytest.mark.parametrize("command", [["run"], ["run", "--once"], ["check"]], ids=" ".join)
@pytest.mark.parametrize("populated", [False, True], ids=["bare", "populated"])
def test_a_start_without_the_disk(
    api: StandIn, place: Place, start: Start, command: list[str], *, populated: bool
) -> None:
    """/etc/fstab says that a disk belongs there, and none is mounted: status 78, the remedy, nothing made or sent."""
    for name in FOLDERS if populated else ():
        (place.drop / name).mkdir()
    place.put("1.pdf", pdf())
    before = sorted(os.listdir(place.drop))
    table = place.root / "fstab"
    table.write_text(f"/dev/sdb1 {place.drop} ext4 defaults 0 2\n", encoding="utf-8")
    program = start(*command, "-c", place.config, within=covering({"/etc/fstab": table}))
    assert program.wait() == 78
    assert "is a mount point in /etc/fstab, but nothing is mounted there" in program.err + program.out
    assert sorted(os.listdir(place.drop)) == before
    assert api.requests == []


@needs_mounts
@pytest.mark.skipif(not os.path.exists("/etc/fstab"), reason="there is no /etc/fstab to be covered")
def test_a_start_with_the_disk(place: Place, start: Start, disk: Disk) -> None:
    """/etc/fstab says that something belongs there, and it is mounted: the invoices are delivered."""
    table = place.root / "fstab"
    table.write_text(f"/dev/sdb1 {place.drop} ext4 defaults 0 2\n", encoding="utf-8")
    with disk(place.drop):
        _write(place.drop, "1.pdf", pdf())
        assert start("run", "--once", "-c", place.config, within=covering({"/etc/fstab": table})).wait() == 0
        assert documents(place.done) == ["1.pdf"]
