"""Where the control socket of a drop folder lies: the one who listens and those who ask meet here.

The place is systemd's runtime directory, the system's own, or this user's; the name is made of the drop folder's path.
Guarantees: no place in which somebody else could put a socket for us, but for those that the system's administrator
gave us; no path that is too long for a socket. Raises OSError where a folder cannot be made.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SYSTEM = Path("/run/invoice-watcher")
_EVERYBODYS = Path("/tmp")  # noqa: S108 - what is in there is used only when it is nobody else's
_SUFFIX = ".sock"
_LONGEST_PATH = 107  # bytes; unix(7)


def places(drop: Path) -> Iterator[Path]:
    """Yield where a program may listen, and where it is asked, the best place first."""
    return _named(drop, _folders())


def places_of_instances(drop: Path) -> Iterator[Path]:
    """Yield where an instance may have its socket: `invoice-watcher@NAME.service` has a folder of its own."""
    with suppress(OSError):
        found = (name for name in sorted(os.listdir(_SYSTEM)) if not name.endswith(_SUFFIX))
        yield from _named(drop, (_SYSTEM / name for name in found))


def make_folder(folder: Path) -> None:
    """Make the folder where it is missing; PermissionError for one in /tmp that somebody else was quicker to make."""
    if not folder.exists():
        folder.mkdir(mode=0o700)
        if folder == _SYSTEM:  # several services, each of a user of its own, have theirs here
            folder.chmod(0o755)
    if folder.parent == _EVERYBODYS and not _is_own(folder):
        raise PermissionError


def _named(drop: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the socket of a drop folder in each of these; those left out whose path is too long for one."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(drop))).hexdigest()[:16] + _SUFFIX
    return (folder / name for folder in folders if len(os.fsencode(folder / name)) <= _LONGEST_PATH)


def _folders() -> Iterator[Path]:
    """Yield where the socket may lie: systemd's runtime directory, the system's own, and that of this user."""
    if given := os.environ.get("RUNTIME_DIRECTORY"):  # systemd.exec(5); several are separated by colons
        yield Path(given.partition(":")[0])
    yield _SYSTEM
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and _is_own(Path(session)):  # `su` leaves that of whoever called it
        yield Path(session) / "invoice-watcher"
    private = _EVERYBODYS / f"invoice-watcher-{os.geteuid()}"
    if not os.path.lexists(private) or _is_own(private):
        yield private


def _is_own(folder: Path) -> bool:
    """Tell whether nobody but this user (or root) can put a socket there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in {os.geteuid(), 0} and not found.st_mode & 0o022
