"""The disk: what kind it is, and whether there is room for tomorrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.storage import look_at_storage
from invoice_watcher.config import Api, Config, Settle
from tests.faults.mounts import needs_mounts, tmpfs
from tests.support.findings import Line, lines
from tests.support.fuse import mounted_by_somebody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config.sections import Mode


def _looked(drop: Path, **settings: object) -> dict[str, Line]:
    config = Config(drop_dir=drop, **settings)  # type: ignore[arg-type]  # as given
    return {line.subject: line for line in lines(look_at_storage(config))}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 64 MiB and 20,000 files."""
    with tmpfs(tmp_path / "disk", "size=64M,nr_inodes=20000") as disk:
        yield disk


@needs_mounts
def test_the_kind_of_the_file_system_is_told(small: Path) -> None:
    """And how new files are found there."""
    assert "tmpfs, new files are noticed at once" in _looked(small)["file system"].text
    told = _looked(small, settle=Settle(mode="polling"))["file system"]
    assert (told.grade, "by a scan every 5 s" in told.text) == ("ok", True)


@pytest.mark.parametrize(("mode", "told"), [
    ("auto", "new files are found by a scan every 5 s"),
    ("polling", "new files are found by a scan every 5 s"),
    ("native", "what other machines drop is found by a scan every 30 s (settle.mode)"),
])  # fmt: skip
def test_a_network_file_system_is_told_with_how_often_it_is_scanned(tmp_path: Path, mode: Mode, told: str) -> None:
    """As the service will do it, by what `settle.mode` says."""
    with mounted_by_somebody(tmp_path / "share", "fuse.sshfs"):
        line = _looked(tmp_path / "share", settle=Settle(mode=mode))["file system"]
    assert line.grade == "note"
    assert f"sshfs is a network one; {told}; have the service run where the disk is" in line.text


@needs_mounts
@pytest.mark.parametrize(("filled", "grade"), [(0, "ok"), (40, "note"), (64, "fault")])
def test_a_disk_that_fills_up_is_told_in_time(small: Path, filled: int, grade: str) -> None:
    """A note while the largest invoices could just not be copied any more, a fault when nothing goes in."""
    with (small / "ballast").open("wb") as ballast:
        ballast.write(bytes(filled * 1024 * 1024))
    room = _looked(small, api=Api(workers=4))["room"]
    assert (room.grade, "make room" in room.text) == (grade, grade != "ok")


@needs_mounts
def test_a_large_disk_may_be_fuller_than_a_small_one(small: Path) -> None:
    """Five in a hundred are the bound here; with small documents that is all that counts."""
    for filled, grade in ((55, "ok"), (62, "note")):
        with (small / "ballast").open("wb") as ballast:
            ballast.write(bytes(filled * 1024 * 1024))
        assert _looked(small, max_size=1000)["room"].grade == grade


@needs_mounts
@pytest.mark.parametrize(("files", "grade"), [(5000, "ok"), (800, "note")])
def test_a_disk_that_can_hold_no_more_files(tmp_path: Path, files: int, grade: str) -> None:
    """There may be room for bytes and none for names: each invoice needs two."""
    with tmpfs(tmp_path / "disk", f"size=64M,nr_inodes={files}") as disk:
        room = _looked(disk)["room"]
    assert (room.grade, "more files" in room.text) == (grade, True)
