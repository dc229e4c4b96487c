"""A Debian machine that really boots systemd, in a container with a root, processes and a network of its own.

`Machine` lies over a tree that it leaves as it is: what is written goes to a layer of its own. It may be booted and
shut down again and again; its network stays, so a server of the test on its loopback outlives a reboot. There need be
no systemd on this side: nspawn tells by a datagram who the container's first process is, and that it has booted, and
commands get in by nsenter(1).

Guarantees: when the block ends, nothing of the machine is left, neither processes nor mounts nor control groups; when
the test run is killed, a guard ends the machine, its mounts end with the run's mount namespace, and only files in
the temporary folder and empty control groups remain. Raises AssertionError when it does not boot, or a command fails
that must not.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.faults.mounts import mounted
from tests.faults.network import network
from tests.integration.program import Finished, until
from tests.system.base import remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed import StrPath

PATIENCE = 120.0
_POWER_OFF = signal.SIGRTMIN + 4  # systemd(1), "Signals"
_ENVIRONMENT = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
_LEADER = "X_NSPAWN_LEADER_PID="


class Machine:
    """One machine; what it is made of goes when the block is left."""

    def __init__(self, *lower: Path, layer: Path | None = None) -> None:
        """Lay a machine over these trees, the uppermost first; it is not booted yet.

        Args:
            lower: what it starts from, and leaves as it is.
            layer: where to keep what is written, so that another machine can start from it; else that is thrown away.
        """
        self.name = f"invoice-watcher-{uuid.uuid4().hex[:8]}"
        self._lower, self._layer = lower, layer
        self._stack = ExitStack()
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            stack.callback(remove, folder)
            self.log, self._notify = folder / "log", folder / "ready"
            upper, work = self._layer or folder / "layer", folder / "work"
            for made in (upper, work):
                made.mkdir()
            layers = f"lowerdir={':'.join(map(str, self._lower))},upperdir={upper},workdir={work}"
            self.root = stack.enter_context(mounted(folder / "root", "-t", "overlay", "-o", layers, "none"))
            self.network = stack.enter_context(network())
            stack.callback(_clear_away, self.name)
            self._groups = stack.enter_context(_control_groups(self.name))
            stack.callback(self.cut_power)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def boot(self) -> None:
        """Boot, and return when the default target is reached, which is when its services have started or failed."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, self.log.open("ab") as log:
            self._notify.unlink(missing_ok=True)
            told.bind(str(self._notify))
            told.settimeout(PATIENCE)
            self._nspawn = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NOTIFY_SOCKET": str(self._notify), "UNIFIED_CGROUP_HIERARCHY": "1"},
            )
            self._leader = 0
            while "READY=1" not in (lines := self._hear(told)):
                for line in lines:
                    if line.startswith(_LEADER):
                        self._leader = int(line.removeprefix(_LEADER))
                        self._guard = _end_with_us(self._leader)

    def _hear(self, told: socket.socket) -> list[str]:
        try:
            lines = told.recv(4096).decode().splitlines()
        except TimeoutError:
            lines = ["STOPPING=1"]
        assert "STOPPING=1" not in lines, f"it does not boot:\n{self.log.read_text(errors='replace')[-4000:]}"
        return lines

    def _command(self) -> Sequence[StrPath]:
        """The container, in control groups of its own."""
        enter = "for group; do echo $$ > $group/cgroup.procs || exit 1; done"
        nspawn = (
            f"exec systemd-nspawn --quiet --boot --register=no --keep-unit --notify-ready=yes "
            f"--console=read-only --machine={self.name} --directory={self.root} "
            f"--network-namespace-path={self.network.path}"
        )
        return ("sh", "-c", f"{enter}; {nspawn}", "sh", *self._groups)

    def shut_down(self) -> None:
        """Shut down in good order, as `systemctl poweroff` does."""
        assert self._nspawn is not None
        self._dismiss_guard()
        os.kill(self._leader, _POWER_OFF)
        self._nspawn.wait(PATIENCE)

    def reboot(self) -> None:
        """Shut down in good order, and boot again; the network, and who serves in it, remain."""
        self.shut_down()
        self.boot()

    def cut_power(self) -> None:
        """Kill everything in it at once; nothing happens where it is down."""
        self._dismiss_guard()
        if self._nspawn is not None and self._nspawn.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._leader or self._nspawn.pid, signal.SIGKILL)
            self._nspawn.wait(PATIENCE)

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            with self._guard as guard:
                guard.kill()
            self._guard = None

    def path(self, inside: str) -> Path:
        """Return the way from here to a path inside, as it is mounted there now; it ends with a shutdown."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def within(self, *command: str, user: str = "root") -> list[str]:
        """Return the command that runs another one inside, as this user."""
        places = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        become = () if user == "root" else ("runuser", "-u", user, "--")
        return ["nsenter", f"--target={self._leader}", *places, *_ENVIRONMENT, *become, *command]

    def attempt(self, *command: str, user: str = "root", given: str = "", timeout: float = PATIENCE) -> Finished:
        """Run a command inside, with this on its stdin, and return what it came to."""
        done = subprocess.run(
            self.within(*command, user=user),
            input=given.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def run(self, *command: str, user: str = "root", given: str = "", timeout: float = PATIENCE) -> str:
        """Run a command inside that must succeed, and return its stdout."""
        done = self.attempt(*command, user=user, given=given, timeout=timeout)
        assert done.status == 0, f"{command} ended with {done.status}:\n{done.out}\n{done.err}"
        return done.out

    def shell(self, script: str, user: str = "root") -> str:
        """Run shell commands inside, all of which must succeed, and return what they print."""
        return self.run("sh", "-ec", script, user=user)

    def write(self, inside: str, text: str) -> None:
        """Write a file inside, and the folder for it."""
        place = self.path(inside)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def copy_in(self, source: StrPath, inside: str) -> str:
        """Copy a file or a folder from here to a path inside; returns that."""
        place = self.path(inside)
        if os.path.isdir(source):
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place)
        return inside


def _end_with_us(leader: int) -> subprocess.Popen[bytes]:
    """Start a guard that kills a container's first process, and all others by that, when this process has ended."""
    command = ("sh", "-c", 'cat >/dev/null; kill -KILL "$0"', str(leader))
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _clear_away(name: str) -> None:
    """Remove the folders by which nspawn reaches a container, which it leaves where /run is on a disk."""
    for folder in Path("/run/systemd/nspawn").glob(f"*/{name}"):
        remove(folder)


@contextmanager
def _control_groups(name: str) -> Iterator[list[str]]:
    """Make a control group of this name where systemd looks for one, so that no two machines share theirs."""
    kinds = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    roots = [Path(field[1]) for field in kinds if field[2] == "cgroup2" or "name=systemd" in field[3].split(",")]
    groups = [root / name for root in roots]
    for group in groups:
        group.mkdir()
    try:
        yield [str(group) for group in groups]
    finally:
        for group in groups:
            until(lambda group=group: _removed(group), f"nothing runs in {group} any more")  # type: ignore[misc]


def _removed(group: Path) -> bool:
    """Remove a control group, what is in it first; False while something still runs there."""
    try:
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    except OSError:
        return False
    return not group.exists()
