"""A real smbd with the packaged share, in namespaces of its own: its network, accounts and /srv are nobody else's.

`Samba` is the server; `Share` is a place shown through it as /srv/invoices, and the clerks who use it. Guarantees: no
file of the machine is changed, no port of it used, and every process and mount is gone when the server is closed.
Raises AssertionError with what smbd or smbclient said.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.network import needs_namespace
from tests.faults.users import ATTACKER, CLERK, DAEMON, INVOICES, needs_users
from tests.integration.program import ROOT, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.integration.place import Place

PACKAGED = ROOT / "packaging" / "samba"
DEFINITION = PACKAGED / "invoice-watcher.conf"
DROP_IN = PACKAGED / "smbd.service.d" / "invoice-watcher.conf"
SHARED = "/srv/invoices"

# Two clerks, and somebody who has an account and is none.
ANNA, BOB, CARL = "anna", "bob", "carl"
_UIDS = {"invoice-watcher": DAEMON, ANNA: CLERK.uid, BOB: ATTACKER.uid, CARL: 61004}
_PATIENCE = 60

# What an administrator may have in [global] for other shares (recycle) must not reach into this one. Of small writes
# smbclient sends some before it has read all; otherwise a slow copy would be 16 MiB at once.
_CONFIGURATION = """
[global]
    server role = standalone server
    passdb backend = tdbsam:{root}/passwords
    private dir = {root}
    lock directory = {root}
    state directory = {root}
    cache directory = {root}
    pid directory = {root}
    ncalrpc dir = {root}/rpc
    log file = {root}/log
    interfaces = lo
    bind interfaces only = yes
    disable netbios = yes
    disable spoolss = yes
    load printers = no
    smb2 max write = 65536
    vfs objects = recycle
    recycle:repository = deleted
    include = {definition}
"""

_START = f"""
set -e
cd "$1"
cat /etc/passwd passwd.more > passwd
cat /etc/group group.more > group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
mount -t tmpfs -o mode=755 none /srv
mkdir {SHARED}
ip link set lo up
for clerk in {ANNA} {BOB} {CARL}; do printf 'word\\nword\\n' | smbpasswd -c smb.conf -s -a $clerk; done
exec smbd --foreground --no-process-group --configfile="$1/smb.conf"
"""

_HERE = all(shutil.which(name) for name in ("smbd", "smbclient", "smbpasswd", "smbcacls", "testparm", "nsenter"))
_needs_samba = pytest.mark.skipif(not _HERE, reason="samba and smbclient are not installed")
NEEDED = [_needs_samba, needs_users, needs_namespace]


class Samba:
    """The server, until `close`."""

    def __init__(self, root: Path) -> None:
        """Start it, with all that it keeps in `root`; an empty folder is shared at first."""
        self.configuration = root / "smb.conf"
        self.configuration.write_text(_CONFIGURATION.format(root=root, definition=DEFINITION), encoding="utf-8")
        accounts = "".join(f"{name}:x:{uid}:{uid}::/:/usr/sbin/nologin\n" for name, uid in _UIDS.items())
        groups = "".join(f"{name}:x:{uid}:\n" for name, uid in _UIDS.items())
        (root / "passwd.more").write_text(accounts, encoding="utf-8")
        (root / "group.more").write_text(f"{groups}invoices:x:{INVOICES}:{ANNA},{BOB}\n", encoding="utf-8")
        (root / "rpc").mkdir()
        root.chmod(0o755)  # Samba warns of anything else
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _START]
        self._output = (root / "output").open("w+b")
        self._holder = subprocess.Popen([*unshare, "sh", root], stdout=self._output, stderr=subprocess.STDOUT)
        try:
            until(self._is_ready, "smbd serves")
        except AssertionError:
            self.close()
            raise

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command where the server runs, to its end."""
        done = [*self._within(), *map(str, command)]
        return subprocess.run(done, capture_output=True, text=True, check=False, timeout=_PATIENCE, env=_environment())

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command there, for whoever has to do something meanwhile."""
        command = (*self._within(), *command)
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()
        )

    def mount(self, *arguments: str | Path) -> None:
        """Mount something that only the server sees."""
        done = self.run("mount", *arguments)
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        """End it, with every process and every mount of its."""
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()
        self._output.close()

    def _is_ready(self) -> bool:
        assert self._holder.poll() is None, Path(self._output.name).read_text(encoding="utf-8")
        return bool(self._children()) and self.run(*client(ANNA, "ls")).returncode == 0

    def _within(self) -> Sequence[str]:
        return ("nsenter", f"--target={self._children()[0]}", "--mount", "--net", "--pid")

    def _children(self) -> list[str]:
        holder = self._holder.pid
        return Path(f"/proc/{holder}/task/{holder}/children").read_text(encoding="utf-8").split()


class Share:
    """A place as the clerks see it."""

    def __init__(self, samba: Samba, place: Place) -> None:
        self.samba = samba
        self.place = place

    def does(self, clerk: str, command: str) -> str:
        """Let a clerk do something (smbclient(1)); returns what is shown, AssertionError when it is refused."""
        shown = self._tried(clerk, command)
        assert "NT_STATUS_" not in shown, f"{command}: {shown}"
        return shown

    def refuses(self, clerk: str, command: str) -> bool:
        """Whether a clerk may not do something."""
        return "NT_STATUS_" in self._tried(clerk, command)

    def puts(self, clerk: str, name: str, content: bytes) -> None:
        """Let a clerk copy a document to the share, in one go."""
        source = self.place.root / f"of-{clerk}"
        source.write_bytes(content)
        self.does(clerk, f'put "{source}" "{name}"')

    def sees(self, clerk: str, folder: str = "") -> set[str]:
        """Return the names that a clerk sees in a folder."""
        pattern = f"{folder}/*" if folder else "*"
        lines = self.does(clerk, f'ls "{pattern}"').splitlines()
        return {line[2:].rsplit(maxsplit=7)[0] for line in lines if line.startswith("  ")} - {".", ".."}

    def _tried(self, clerk: str, command: str) -> str:
        """Return all that smbclient says; its exit status is no sign, for it forgives some commands what they meet."""
        done = self.samba.run(*client(clerk, command))
        return done.stdout + done.stderr

    def make_done_read_only(self) -> None:
        """Do what the packaged drop-in for smbd.service lets systemd do (systemd.exec(5), ReadOnlyPaths=)."""
        (line,) = (
            line for line in DROP_IN.read_text(encoding="utf-8").splitlines() if line.startswith("ReadOnlyPaths")
        )
        path = line.removeprefix("ReadOnlyPaths=-")
        self.samba.mount("--bind", path, path)
        self.samba.mount("-o", "remount,bind,ro", path)


@contextmanager
def shared(samba: Samba, place: Place) -> Iterator[Share]:
    """Show a place through the server for the length of a block, where the package has it."""
    samba.mount("--bind", place.drop, SHARED)
    try:
        yield Share(samba, place)
    finally:
        samba.run("umount", "--recursive", "--lazy", SHARED)


def client(clerk: str, command: str) -> list[str]:
    """Return what lets a clerk give one command to the share."""
    return ["smbclient", "//127.0.0.1/invoices", "-s", "/dev/null", "-U", f"{clerk}%word", "-c", command]


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}
