"""Leases, hints, hard links, the clock: what the kernel grants, told as it is."""

from __future__ import annotations

import ctypes
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.kernel import clock, hard_links, limits, look_at_kernel
from invoice_watcher.config import Config, Settle
from tests.faults.users import DAEMON, INVOICES
from tests.support.children import in_child
from tests.support.findings import Line, lines, only

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become other users")


def _looked(config: Config) -> dict[str, Line]:
    return {line.subject: line for line in lines(look_at_kernel(config))}


def _of_daemon(config: Config, mode: int) -> dict[str, Line]:
    """Return what the service's user is told, without any capability."""
    drop = config.drop_dir
    os.chown(drop, DAEMON, INVOICES)
    drop.chmod(mode)
    for path in drop.parents[:-2]:
        path.chmod(path.stat().st_mode | 0o111)
    return in_child(lambda: _looked(config), uid=DAEMON, groups=[INVOICES])


@as_root
def test_leases_are_not_promised_for_the_files_of_others(tmp_path: Path) -> None:
    """Without CAP_LEASE, in a folder where clerks drop, `check` notes what cannot be told of their files."""
    told = _of_daemon(Config(drop_dir=tmp_path), 0o3770)["leases"]
    assert told.grade == "note"
    assert "not for the files of other users" in told.text
    assert "CAP_LEASE" in told.text
    assert "settle.quiet" in told.text


@as_root
def test_leases_are_enough_where_nobody_else_drops(tmp_path: Path) -> None:
    """In a drop folder of this user's own, leases need no capability, and nothing is noted."""
    told = _of_daemon(Config(drop_dir=tmp_path), 0o700)["leases"]
    assert (told.grade, "this user's own files" in told.text) == ("ok", True)


def test_a_folder_in_which_no_lease_is_to_be_had(tmp_path: Path) -> None:
    """Where nothing can be tried in the drop folder, `check` notes that leases are not to be had."""
    told = _looked(Config(drop_dir=tmp_path / "none", settle=Settle(mode="polling")))["leases"]
    assert (told.grade, "not to be had here" in told.text) == ("note", True)


def test_the_kernel_watches_the_folder(tmp_path: Path) -> None:
    """`check` tries a watch on the drop folder and gives it back; with `settle.mode: polling` it asks for none."""
    before = len(os.listdir("/proc/self/fd"))
    assert _looked(Config(drop_dir=tmp_path))["inotify"].grade == "ok"
    assert len(os.listdir("/proc/self/fd")) == before
    assert "inotify" not in _looked(Config(drop_dir=tmp_path, settle=Settle(mode="polling")))


@as_root
def test_a_user_that_has_no_watch_left(tmp_path: Path) -> None:
    """The limit of instances is used up, by whatever else this user runs: a note with the limit's name."""

    def exhausted() -> dict[str, Line]:
        held: list[int] = []
        while (descriptor := ctypes.CDLL(None).inotify_init()) >= 0:
            held.append(descriptor)
        return _looked(Config(drop_dir=tmp_path))

    for path in tmp_path.parents[:-2]:
        path.chmod(path.stat().st_mode | 0o111)
    tmp_path.chmod(0o777)
    told = in_child(exhausted, uid=61007)["inotify"]
    assert (told.grade, "fs.inotify.max_user_instances" in told.text) == ("note", True)


def _settings(folder: Path, **values: object) -> Path:
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def test_the_limits_are_told(tmp_path: Path) -> None:
    """`check` tells the user's limits of watches, so whoever runs much else sees how many there are."""
    usual = _settings(tmp_path, max_queued_events=16384, max_user_watches=65536, max_user_instances=128)
    line = only([limits(usual)])
    assert (line.grade, "128 instances and 65536 watches" in line.text) == ("ok", True)
    line = only([limits(_settings(tmp_path, max_queued_events=10))])
    assert (line.grade, "fs.inotify.max_queued_events" in line.text) == ("note", True)


@pytest.mark.parametrize("content", [None, "", "many"])
def test_what_the_kernel_does_not_tell_is_left_unsaid(tmp_path: Path, content: str | None) -> None:
    """A unit with ProcSubset=pid sees no settings, and that is no fault."""
    if content is not None:
        _settings(tmp_path, max_queued_events=content, max_user_watches=content, protected_hardlinks=content)
    line = only([limits(tmp_path)])
    assert (line.grade, "instances" in line.text) == ("ok", False)
    assert list(hard_links(tmp_path)) == []


@pytest.mark.parametrize(("value", "grades"), [(0, ["note"]), (1, [])])
def test_hard_links_to_the_files_of_others(tmp_path: Path, value: int, grades: list[str]) -> None:
    """Where the kernel allows them, that is told with the command that forbids them."""
    told = lines(hard_links(_settings(tmp_path, protected_hardlinks=value)))
    assert [line.grade for line in told] == grades
    assert all("sysctl fs.protected_hardlinks=1" in line.text for line in told)


@pytest.mark.parametrize(("year", "grades"), [(1970, ["fault"]), (2024, ["fault"]), (2026, []), (2099, [])])
def test_a_clock_that_was_never_set(year: int, grades: list[str]) -> None:
    """A clock that stands before the day this program was written is told as never set."""
    told = lines(clock(datetime(year, 1, 1, tzinfo=UTC)))
    assert [line.grade for line in told] == grades
    assert all("timedatectl" in line.text for line in told)
