"""Which of the four folders is at fault, and what mends it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.folders import look_at_folders
from invoice_watcher.config import Config
from invoice_watcher.spool import Folders
from tests.faults.mounts import mounted, needs_mounts, remount, tmpfs
from tests.faults.users import DAEMON, INVOICES, immutable
from tests.support.children import in_child
from tests.support.findings import Line, lines, only

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("done", "failed", ".processing")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become other users")


@pytest.fixture
def config() -> Iterator[Config]:
    """Give four folders that are in order, which other users reach: pytest shuts its own at each start."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o711)
        config = Config(drop_dir=Path(root) / "drop")
        for path in (config.drop_dir, config.done_dir, config.failed_dir, config.work_dir):
            path.mkdir()
        yield config


def test_all_is_well(config: Config) -> None:
    """Folders that are fit get one line; nothing is left behind by the trial, nor is anything locked."""
    for _ in range(2):
        assert only(look_at_folders(config)).grade == "ok"
    assert sorted(os.listdir(config.drop_dir)) == sorted(NAMES)
    assert [os.listdir(config.drop_dir / name) for name in NAMES] == [[], [], []]


def test_what_is_missing_will_be_made(config: Config) -> None:
    """Missing folders are told as going to be made; a missing drop folder is a fault."""
    for name in NAMES:
        (config.drop_dir / name).rmdir()
    assert {line.grade for line in lines(look_at_folders(config))} == {"ok"}
    assert os.listdir(config.drop_dir) == []
    config.drop_dir.rmdir()
    line = only(look_at_folders(config))
    assert line.grade == "fault"
    assert f"{config.drop_dir} does not exist; create it" in line.text


def test_what_cannot_be_made_is_told_with_the_folder_above(tmp_path: Path, config: Config) -> None:
    """A folder that cannot be made, because the one above is missing too, is told with that."""
    line = only(look_at_folders(Config(drop_dir=config.drop_dir, done_dir=tmp_path / "away" / "done")))
    assert (line.grade, f"{tmp_path / 'away'} does not exist" in line.text) == ("fault", True)


@pytest.mark.parametrize("name", NAMES)
def test_each_that_is_wrong_is_named(config: Config, name: str) -> None:
    """A file or a link in the place of a folder is named; the others are not blamed."""
    folder = config.drop_dir / name
    folder.rmdir()
    folder.write_text("")
    assert only(look_at_folders(config)).text.startswith(f"folders: {folder} is not a folder; ")
    folder.unlink()
    folder.symlink_to(config.drop_dir)
    assert only(look_at_folders(config)).text.startswith(f"folders: {folder} is a symbolic link; ")


def test_a_running_instance_is_no_fault(config: Config) -> None:
    """While an instance holds the folders they are not tried by moving a file; it goes on holding them."""
    folders = Folders(config.drop_dir, config.done_dir, config.failed_dir, config.work_dir)
    try:
        for _ in range(2):
            line = only(look_at_folders(config))
            assert (line.grade, "another invoice-watcher works on" in line.text) == ("note", True)
    finally:
        folders.close()


def _seen_by(uid: int, config: Config) -> list[Line]:
    """Return what `check` tells another user."""
    return in_child(lambda: lines(look_at_folders(config)), uid=uid, groups=[INVOICES])


@as_root
@pytest.mark.parametrize("name", ["", *NAMES])
def test_a_folder_that_this_user_may_not_use(config: Config, name: str) -> None:
    """A folder that this user may not use is named with its owner and the command that mends it."""
    for path in (config.drop_dir, *(config.drop_dir / other for other in NAMES)):
        os.chown(path, DAEMON, INVOICES)
    shut = config.drop_dir / name
    os.chown(shut, 0, 0)
    (line,) = _seen_by(DAEMON, config)
    assert line.grade == "fault"
    assert f"{shut} may not be read, written and searched by this user; run check as root" in line.text
    assert f"chown {DAEMON} {shut}" in line.text


@as_root
def test_own_permissions_are_mended_by_chmod(config: Config) -> None:
    """A folder of this user's own that lacks a right is told with chmod as its cure."""
    for path in (config.drop_dir, *(config.drop_dir / other for other in NAMES)):
        os.chown(path, DAEMON, INVOICES)
    config.done_dir.chmod(0o500)
    (line,) = _seen_by(DAEMON, config)
    assert f"run: chmod u+rwx {config.done_dir}" in line.text


@as_root
def test_a_sticky_folder_of_somebody_else(config: Config) -> None:
    """A sticky folder of somebody else, from which no file could be moved, is told before the first invoice."""
    for path in (config.done_dir, config.failed_dir, config.work_dir):
        os.chown(path, DAEMON, INVOICES)
    config.drop_dir.chmod(0o1777)
    (line,) = _seen_by(DAEMON, config)
    assert (line.grade, f"{config.drop_dir} is sticky and belongs to root" in line.text) == ("fault", True)
    os.chown(config.drop_dir, DAEMON, INVOICES)
    config.drop_dir.chmod(0o3770)
    (line,) = _seen_by(DAEMON, config)
    assert line.grade == "ok"


@as_root
def test_root_is_told_that_root_is_not_the_service(config: Config) -> None:
    """All is well for root, always; the note names the command that would tell more."""
    os.chown(config.drop_dir, DAEMON, INVOICES)
    assert [line.grade for line in lines(look_at_folders(config))] == ["ok", "note"]
    line = lines(look_at_folders(config))[-1]
    assert f"runuser -u {DAEMON} -g {INVOICES} -- invoice-watcher check" in line.text


@pytest.fixture
def disk(config: Config) -> Iterator[Path]:
    """Give the done folder a file system of its own."""
    with tmpfs(config.done_dir, "size=1M"):
        yield config.done_dir


@needs_mounts
def test_folders_on_two_file_systems(config: Config, disk: Path) -> None:
    """A rename between them is not possible: both are named, with what to do."""
    line = only(look_at_folders(config))
    assert line.grade == "fault"
    assert str(disk) in line.text
    assert "must lie on one file system" in line.text
    assert "mount that once" in line.text


@needs_mounts
def test_two_mounts_of_one_file_system(config: Config) -> None:
    """Folders on two mounts of one file system are a fault: a rename between them is not possible."""
    with mounted(config.failed_dir, "--bind", config.failed_dir):
        assert "mount that once" in only(look_at_folders(config)).text


@needs_mounts
def test_a_read_only_file_system(config: Config, disk: Path) -> None:
    """A folder on a read-only file system is told as that, and not as a missing right."""
    remount(disk, "ro")
    line = only(look_at_folders(config))
    assert (line.grade, f"{disk} lies on what is read-only" in line.text) == ("fault", True)


@as_root
def test_an_immutable_folder(config: Config) -> None:
    """An immutable folder (chattr +i) is found by trying, though all rights are there."""
    with immutable(config.done_dir):
        line = only(look_at_folders(config))
    assert (line.grade, str(config.done_dir) in line.text, "lsattr" in line.text) == ("fault", True, True)
