"""The program, and whoever attacks it, as users who are not root, on folders laid out as an installation has them.

`as_user` gives the command within which `start` runs the program as another user; `in_child` and `meanwhile` of
`tests/support/children.py` are such users themselves. Users and groups are bare numbers, so no account is needed.
Another user can run nothing that lies below a folder like `/root`: there, in a mount namespace of its own, the program
gets a way to Python and to this checkout that shows nothing else. Guarantees: what is mounted ends with the program.
Raises OSError.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.place import Place, pdf
from tests.integration.program import API_CODE, ROOT
from tests.support.children import in_child, meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from tests.integration.conftest import Start
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn
    from tests.support.children import Result

INVOICES = 61010  # the group of those who may drop
DAEMON = 61001
LEASE = ("lease",)  # the one capability that the unit grants


class Person(NamedTuple):
    """Somebody with an account on the machine, in the group of those who may drop."""

    uid: int

    def does(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns in a process of this person's."""
        return in_child(work, uid=self.uid, groups=[INVOICES])

    def drops(self, place: Place, name: str, content: bytes, mode: int = 0o640) -> Path:
        """Drop a file as this person, whole when it gets its name, with these permissions."""
        return self.does(lambda: write(place.drop / name, content, mode))

    def keeps(self, work: Callable[[], object]) -> AbstractContextManager[None]:
        """Let this person do `work`, and keep open what was opened until the block ends."""
        return meanwhile(work, uid=self.uid, groups=[INVOICES])


def write(path: Path, content: bytes, mode: int = 0o640) -> Path:
    """Write a file under another name, and give it its own when it is whole."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.chmod(mode)
    return part.rename(path)


def secret_of(place: Place) -> Path:
    """Lay a document beside the drop folder that the service alone may read."""
    path = place.root / "secret"
    path.write_bytes(pdf("secret"))
    os.chown(path, DAEMON, DAEMON)
    path.chmod(0o600)
    return path


# Root may write anywhere; a program started so without this right can be shut out of a folder.
SHUT_OUT = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv")
    else []
)
CLERK = Person(61002)
ATTACKER = Person(61003)


def as_user(uid: int, gid: int, groups: Iterable[int] = (), caps: Iterable[str] = ()) -> list[str]:
    """Return a command that executes the rest of its arguments as another user: `start(within=as_user(...))`.

    Args:
        uid: the user.
        gid: the user's group.
        groups: further groups.
        caps: the capabilities that are left, as a service manager grants them: "lease". No others can be had.
    """
    more = ",".join(map(str, groups))
    kept = ",".join(["-all", *(f"+{name}" for name in caps)])
    become = ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={more}" if more else "--clear-groups"]
    become += ["--no-new-privs", f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]
    return [*_with_a_way_to(_needed()), *become]


def as_daemon() -> list[str]:
    """Return the command that executes the rest of its arguments as the service's user, as the unit does."""
    return as_user(DAEMON, INVOICES, caps=LEASE)


def _may_change_users() -> bool:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return False
    tried = [*as_daemon(), sys.executable, "-c", "import pathlib"]
    return subprocess.run(tried, capture_output=True, check=False, cwd=ROOT).returncode == 0


def _needed() -> list[str]:
    """Return the folders, absolute, without which neither Python nor the program starts."""
    folders = {sys.prefix, sys.base_prefix, os.path.dirname(sys.executable), str(ROOT)}
    return sorted({path for folder in folders for path in (folder, os.path.realpath(folder))})


def _with_a_way_to(needed: Sequence[str]) -> list[str]:
    """Return a command within which everybody may reach those folders; nothing where everybody may anyway."""
    shut = [(folder, hidden) for folder in needed if (hidden := _hidden_at(folder))]
    if not shut:
        return []
    # Each is held open while an empty folder is laid over what hides it, and appears there again.
    held = [f'exec {number}< "{folder}"' for number, (folder, _) in enumerate(shut, 3)]
    covered = [f'mount -t tmpfs -o mode=755 none "{hidden}"' for hidden in sorted({hidden for _, hidden in shut})]
    shown = [
        f'mkdir -p "{folder}"; mount --no-canonicalize --bind /proc/self/fd/{number} "{folder}"; exec {number}<&-'
        for number, (folder, _) in enumerate(shut, 3)
    ]
    script = "\n".join(["set -e", *held, *covered, *shown, 'cd "$PWD"; exec "$0" "$@"'])
    return ["unshare", "--mount", "sh", "-c", script]


def _hidden_at(folder: str) -> str | None:
    """Return the topmost folder on the way there that others may not search."""
    way = [*reversed(Path(folder).parents), Path(folder)]
    return next((str(one) for one in way if not one.stat().st_mode & stat.S_IXOTH), None)


needs_users = pytest.mark.skipif(not _may_change_users(), reason="only root may become other users (setpriv, unshare)")


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nobody change, move or remove a file for the length of a block; skips where the file system cannot."""
    if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


@contextmanager
def installed(base_url: str) -> Iterator[Place]:
    """Give a place that every user can reach, laid out as README.md says; in the end no receipt has the secret.

    The drop folder is setgid and sticky and the service's: clerks add files, and may neither move nor remove those of
    others, nor the folders in it.
    """
    with tempfile.TemporaryDirectory(prefix="invoice-watcher-") as root:
        Path(root).chmod(0o755)
        place = Place(Path(root), base_url)
        os.chown(place.config, DAEMON, -1)
        for folder, mode in ((place.drop, 0o3770), (place.done, 0o2750), (place.failed, 0o2770), (place.work, 0o700)):
            folder.mkdir(exist_ok=True)
            os.chown(folder, DAEMON, INVOICES)
            folder.chmod(mode)
        yield place
        for path in place.drop.rglob("*.json"):
            if stat.S_ISREG(path.lstat().st_mode):
                assert API_CODE not in path.read_text(encoding="utf-8").lower(), path


@pytest.fixture
def place(api: StandIn) -> Iterator[Place]:
    """Give the folders of an installation, with a scan often enough to wait for; in the place of the usual ones."""
    with installed(api.base_url) as place:
        place.configure(settle__rescan="300ms")
        yield place


@pytest.fixture
def daemon(place: Place, start: Start) -> Program:
    """Run the program there as the service's user."""
    return start(within=as_daemon())


def assert_clerks_go_through(place: Place, *orders: str) -> None:
    """What a clerk drops now is delivered, whatever else lies there."""
    for order in orders:
        CLERK.drops(place, f"{order}.pdf", pdf(order))
    place.until_done(*(f"{order}.pdf" for order in orders))
