"""What is mounted where: by the kernel's table (proc_pid_mountinfo(5)), and by the administrator's (fstab(5)).

The folder below a disk that is away is another one: what is put into it is hidden when the disk comes back. And where
other machines write too, the kernel has no hints to give. A table that is not there says nothing. Raises OSError where
it is there but cannot be read now, for want of descriptors or memory: what is mounted is unknown then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# File systems on which other machines write without this kernel hearing of it (inotify(7), "Limitations").
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "sshfs",
        "rclone",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)


def is_local(folder: Path) -> bool:
    """Tell whether this machine alone changes the folder: its kernel knows of each change, its clock sets the times."""
    return file_system_of(folder) not in NETWORK_FILE_SYSTEMS


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that holds the folder, as the kernel names it; empty if unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return file_system_in(table, os.path.realpath(folder))
    except OSError:
        return ""


def file_system_in(mountinfo: Iterable[str], path: str) -> str:
    """Return the type of the innermost mount above `path`, of the last one where several lie on one another.

    Args:
        mountinfo: lines as in proc_pid_mountinfo(5); fuse file systems are named by what they stand for.
        path: absolute and free of symbolic links.
    """
    best, found = -1, ""
    for line in mountinfo:
        mount, _, rest = line.partition(" - ")
        fields = mount.split()
        if len(fields) < 5 or not rest:  # noqa: PLR2004 - the mount point is the fifth field
            continue
        point = _unescape(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, found = len(point), rest.split()[0]
    return found.removeprefix("fuse.")


def mount_point_of(folder: Path) -> Path:
    """Return the innermost mount point at or above the folder."""
    real = folder.resolve()
    return next(path for path in (real, *real.parents) if is_mount_point(path))


def is_mount_point(path: Path) -> bool:
    """Tell whether something is mounted there, at an absolute path free of symbolic links.

    os.path.ismount does not see one folder of a disk that is mounted on another; the kernel's table shows that too
    (proc_pid_mountinfo(5): the mount point is the fifth field).
    """
    if os.path.ismount(path):
        return True
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return any(_unescape(point) == str(path) for line in table for point in line.split()[4:5])
    except FileNotFoundError:
        return False


def missing_disk(drop: Path) -> str | None:
    """Return a sentence when /etc/fstab wants something mounted at or above the folder, and it is not; else None."""
    try:
        with open("/etc/fstab", encoding="utf-8", errors="surrogateescape") as table:
            point = unmounted_point_in(table, drop.resolve())
    except (FileNotFoundError, PermissionError):
        return None
    return point and f"{point} is a mount point in /etc/fstab, but nothing is mounted there: mount it first"


def unmounted_point_in(fstab: Iterable[str], drop: Path) -> str | None:
    """Return the mount point at or above the folder where nothing is mounted: files there would be hidden later.

    Args:
        fstab: lines as in fstab(5), which writes blanks and tabs as octal escapes.
        drop: absolute and free of symbolic links.
    """
    lines = (line.split() for line in fstab if not line.lstrip().startswith("#"))
    points = [os.path.normpath(_unescape(fields[1])) for fields in lines if len(fields) > 1]
    above = {str(path): path for path in (drop, *drop.parents) if path.name}
    return next((point for point in points if point in above and not is_mount_point(above[point])), None)


def _unescape(text: str) -> str:
    r"""Undo the escapes of blanks, tabs, newlines and backslashes that both tables have: `\040` (getmntent(3))."""
    for code in ("040", "011", "012", "134"):
        text = text.replace("\\" + code, chr(int(code, 8)))
    return text
