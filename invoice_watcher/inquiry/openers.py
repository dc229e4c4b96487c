"""Which programs have a file open for writing, and which one has a folder locked, as the kernel tells in /proc.

Nothing is disturbed by looking: nothing is opened, locked or waited for. Only root may look into other users' programs;
what may not be seen is counted as such. Guarantees: a file system that does not answer is asked nothing, unless a
program has a file of that very name open. Raises nothing: what cannot be read says nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.accounts import user_name
from invoice_watcher.spool.folders import LOCK_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START = 19  # which field of /proc/PID/stat behind the name is the start time (proc_pid_stat(5): the 22nd of all)
_LONGEST_TITLE = 200


class Opener(NamedTuple):
    """A running program.

    Attributes:
        pid: its process; 0 for one that belongs to another container.
        name: of the program; of a Samba server's, with its client: "smbd: client [192.0.2.7]". As it gives it itself,
            so not escaped.
        user: whose program it is; empty when that cannot be known.
        since: when it was started, seconds since the epoch; None when that cannot be known.
    """

    pid: int
    name: str
    user: str
    since: float | None


class Writers(NamedTuple):
    """Who has a file open for writing.

    Attributes:
        found: those who have.
        hidden: there are other programs, into which this user may not look.
    """

    found: tuple[Opener, ...]
    hidden: bool


def writers_of(path: Path) -> Writers:
    """Return who has the file open for writing."""
    try:
        wanted = os.stat(path, follow_symlinks=False)
    except OSError:
        return Writers((), hidden=False)
    found, hidden = [], False
    for pid in _pids():
        try:
            numbers = [number for number in _open_as(pid, path.name) if _is(f"/proc/{pid}/fd/{number}", wanted)]
        except PermissionError:
            hidden = os.geteuid() != 0  # what is kept even from root is no program that writes files
        except OSError:  # it has ended
            continue
        else:
            if any(_may_write(pid, number) for number in numbers):
                found.append(_opener(pid))
    return Writers(tuple(found), hidden)


def holder_of(drop: Path) -> Opener | None:
    """Return the program that has a drop folder locked for itself; None when there is none."""
    targets = []
    for path in (drop, drop / LOCK_FILE):
        with suppress(OSError):
            targets.append((path, os.stat(path)))
    for pid, device, inode in _locks():
        for path, found in targets:
            if found.st_ino != inode:
                continue
            # Btrfs and overlayfs number their devices otherwise there: then the program's own files tell.
            if device == (os.major(found.st_dev), os.minor(found.st_dev)) or _has_open(pid, path, found):
                return _opener(pid)
    return None


def _locks() -> Iterator[tuple[int, tuple[int, int], int]]:
    """Yield the locks for one alone that are held: process, device, inode (proc_locks(5))."""
    try:
        with open("/proc/locks", encoding="ascii") as table:
            lines = [line.split() for line in table]
    except OSError:
        return
    for fields in lines:
        with suppress(ValueError, IndexError):
            if fields[1] in {"FLOCK", "POSIX"} and fields[3] == "WRITE":
                major, minor, inode = fields[5].split(":")
                yield max(int(fields[4]), 0), (int(major, 16), int(minor, 16)), int(inode)


def _has_open(pid: int, path: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        return any(_is(f"/proc/{pid}/fd/{number}", wanted) for number in _open_as(pid, path.name))
    return False


def _pids() -> list[int]:
    with suppress(OSError):
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return []


def _open_as(pid: int, name: str) -> list[str]:
    """Return the descriptors of what a program has open under a name, in whatever folder; their text asks no disk."""
    numbers = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            if os.path.basename(os.readlink(f"/proc/{pid}/fd/{number}")) == name:
                numbers.append(number)
    return numbers


def _is(path: str, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        found = os.stat(path)
        return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)
    return False


def _may_write(pid: int, number: str) -> bool:
    """Tell whether a descriptor was opened for writing (proc_pid_fdinfo(5): the flags are octal)."""
    told = _text(f"/proc/{pid}/fdinfo/{number}").partition("flags:")[2].split()
    flags = int(told[0], 8) if told else 0
    return flags & os.O_ACCMODE in {os.O_WRONLY, os.O_RDWR}


def _opener(pid: int) -> Opener:
    name = _text(f"/proc/{pid}/comm").rstrip("\n")
    if name.startswith("smbd"):  # which tells there for whom it works
        name = _text(f"/proc/{pid}/cmdline").partition("\0")[0][:_LONGEST_TITLE] or name
    user = ""
    with suppress(OSError):
        user = user_name(os.stat(f"/proc/{pid}").st_uid)
    return Opener(pid, name or "a program", user, _started(pid))


def _started(pid: int) -> float | None:
    with suppress(ValueError, IndexError):
        ticks = int(_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[_START])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    return None


def _text(path: str) -> str:
    """Return what the kernel tells; empty when it does not."""
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read(4096)
    return ""
