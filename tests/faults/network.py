"""A network of a test's own: a namespace with nothing but a loopback, where packets can be dropped and names lost.

Guarantees: nothing outside the namespace is touched; the namespace is gone with the process that holds it. Raises
CalledProcessError with what ip(8) or nft(8) said.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.mounts import covering

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NEW_NET = 0x40000000  # CLONE_NEWNET, <linux/sched.h>
_libc = ctypes.CDLL(None, use_errno=True)


def _may_unshare() -> bool:
    done = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return os.geteuid() == 0 and done.returncode == 0


needs_namespace = pytest.mark.skipif(
    not _may_unshare(), reason="only root may have a network of its own, and iproute2 has to be there"
)
needs_nft = pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed")


class Network:
    """A namespace that a sleeping process holds."""

    def __init__(self, holder: int) -> None:
        """Use the namespace of a process."""
        self.path = f"/proc/{holder}/ns/net"
        self.within: Sequence[str] = ("nsenter", f"--net={self.path}")

    def run(self, *command: str) -> None:
        """Run a command there."""
        subprocess.run([*self.within, *command], check=True, capture_output=True, text=True)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the sockets that this thread makes within the block belong there; afterwards they still do."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(self.path, "rb") as there:
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(own.fileno())

    @contextmanager
    def dropping(self, port: int) -> Iterator[None]:
        """Drop every packet to a TCP port within the block, in silence, over old connections and new ones."""
        self.run("nft", "add", "table", "inet", "outage")
        try:
            self.run("nft", "add chain inet outage input { type filter hook input priority 0; }")
            self.run("nft", "add", "rule", "inet", "outage", "input", "tcp", "dport", str(port), "drop")
            yield
        finally:
            self.run("nft", "delete", "table", "inet", "outage")


@contextmanager
def network() -> Iterator[Network]:
    """Make a namespace whose loopback is up."""
    command = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]
    # It ends with its stdin, which is this process's, however that ends.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "up\n"
            yield Network(holder.pid)
        finally:
            holder.kill()


class Names:
    """What a program may know of host names: /etc/hosts, and a resolver's address, both of the test's own."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in `folder`; no name is known yet, and nobody is asked."""
        self._hosts, self._resolver, self._order = (folder / name for name in ("hosts", "resolver", "order"))
        self._hosts.write_text("")
        self._resolver.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
        self._order.write_text("hosts: files dns\npasswd: files\n")

    @property
    def within(self) -> Sequence[str]:
        """The command that executes the rest of its arguments with these names."""
        files = {"hosts": self._hosts, "resolv.conf": self._resolver, "nsswitch.conf": self._order}
        return covering({f"/etc/{name}": path for name, path in files.items()})

    def tell(self, name: str) -> None:
        """Let a name mean this machine, from now on."""
        self._hosts.write_text(f"127.0.0.1 {name}\n")


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, _NEW_NET) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
