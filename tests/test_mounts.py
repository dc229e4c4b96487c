"""What is mounted where, by the kernel's table and by the administrator's."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoice_watcher.mounts import (
    NETWORK_FILE_SYSTEMS,
    file_system_in,
    file_system_of,
    is_local,
    is_mount_point,
    mount_point_of,
    unmounted_point_in,
)
from tests.faults.mounts import mounted, needs_mounts

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
30 22 0:40 / /srv/inv rw,relatime shared:9 - cifs //server/share rw,vers=3.1.1
31 22 0:41 / /srv/my\040invoices rw shared:10 - nfs4 server:/export rw
32 22 0:42 / /srv/tab\011back\134slash rw - fuse.sshfs anna@server: rw
33 22 0:43 / /srv/over rw - ext4 /dev/vdb rw
34 33 0:44 / /srv/over rw - 9p share rw
35 30 0:45 / /srv/inv/local rw master:3 propagate_from:2 - xfs /dev/vdc rw
36 22 0:46 / /srv/a\040-\040b rw - tmpfs none rw
37 22 0:47 / /srv/portal rw - fuse.portal portal rw

broken line
""".strip().splitlines()


@pytest.mark.parametrize(("path", "kind"), [
    ("/srv", "ext4"),
    ("/", "ext4"),
    ("/srv/inv", "cifs"),
    ("/srv/inv/done", "cifs"),
    ("/srv/invoices", "ext4"),
    ("/srv/inv/local/done", "xfs"),
    ("/srv/my invoices", "nfs4"),
    ("/srv/tab\tback\\slash/x", "sshfs"),
    ("/srv/over", "9p"),
    ("/srv/over/x", "9p"),
    ("/srv/a - b/x", "tmpfs"),
    ("/srv/portal", "portal"),
])  # fmt: skip
def test_the_innermost_mount_says_which_file_system_it_is(path: str, kind: str) -> None:
    """A path belongs to the innermost mount, also where names hold blanks, or one begins with another."""
    assert file_system_in(MOUNTS, path) == kind


def test_without_a_table_nothing_is_claimed() -> None:
    """Where the kernel's table of mounts cannot be read, a file system counts as a local one."""
    assert file_system_in([], "/srv") == ""
    assert file_system_in(MOUNTS[1:2], "/srv") == ""


def test_this_machines_own_folders_give_hints(tmp_path: Path) -> None:
    """A folder of this machine's own disk counts as local, by the kernel's real table, also through a symbolic link."""
    (tmp_path / "link").symlink_to("/dev/shm")  # noqa: S108 - a tmpfs on every Linux
    assert file_system_of(tmp_path / "link") == "tmpfs"
    assert file_system_of(Path("/proc/self")) == "proc"
    assert is_local(tmp_path)
    assert {"cifs", "nfs", "nfs4", "smb3", "9p", "sshfs"} <= NETWORK_FILE_SYSTEMS


@pytest.mark.parametrize(("line", "point"), [
    ("/dev/sdb1 {drop} ext4 defaults 0 2", "{drop}"),
    ("  /dev/sdb1\t{parent}\text4 defaults 0 2", "{parent}"),
    ("/dev/sdb1 {blank} ext4 defaults 0 2", "{drop}/with blank"),
    ("/dev/sdb1 {drop}/ ext4 defaults 0 2", "{drop}"),
    ("/dev/sdb1 {drop}er ext4 defaults 0 2", None),
    ("#/dev/sdb1 {drop} ext4 defaults 0 2", None),
    (" # /dev/sdb1 {drop} ext4 defaults 0 2", None),
    ("/dev/sda1 / ext4 defaults 0 1", None),
    ("/dev/sda2 none swap sw 0 0", None),
    ("proc /proc proc defaults 0 0", None),
    ("garbage", None),
    ("", None),
])  # fmt: skip
def test_an_unmounted_mount_point_is_refused(tmp_path: Path, line: str, point: str | None) -> None:
    """Invoices dropped below a mount point would be hidden when the disk comes; fstab(5) knows of it."""
    names = {"drop": tmp_path, "parent": tmp_path.parent, "blank": f"{tmp_path}/with\\040blank"}
    within = tmp_path / "with blank" / "invoices"
    found = unmounted_point_in([line.format(**names)], within)
    assert found == (point.format(**names) if point else None)
    assert unmounted_point_in(["proc /proc proc defaults 0 0"], Path("/proc/self")) is None, "it is mounted"


@needs_mounts
def test_one_folder_of_a_disk_mounted_on_another(tmp_path: Path) -> None:
    """Somebody mounts /home/invoices on /srv/invoices, both on one disk: that is a mount like any other."""
    point, beside = tmp_path / "with blank", tmp_path / "beside"
    beside.mkdir()
    fstab = [f"{beside} {tmp_path}/with\\040blank none bind 0 0"]
    with mounted(point, "--bind", beside):
        assert is_mount_point(point)
        assert mount_point_of(point / "done") == point
        assert unmounted_point_in(fstab, point / "done") is None
    assert not is_mount_point(point)
    assert mount_point_of(point / "done") != point
    assert unmounted_point_in(fstab, point / "done") == str(point)
