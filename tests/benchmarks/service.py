"""A program as a service manager runs it: started, heard saying READY, asked to end.

The program gets the small environment that the peers get and a notification socket (sd_notify(3)) that is read at
once, as systemd reads it. A program that is still there when the block of `started` ends is killed. Raises
VoidError when it ends by itself, is never ready, or does not end when asked: its own fault.
"""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape
from tests.benchmarks.inside import Inside
from tests.benchmarks.load import VoidError
from tests.benchmarks.peers import DAEMON, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.peers import Place

_READY_WITHIN = 300.0
_ENDED_WITHIN = 60.0


class Service:
    """A program that was started.

    Attributes:
        started: when, ns of CLOCK_MONOTONIC.
        pid: its process id.
        inside: what the kernel tells of it.
    """

    def __init__(self, process: subprocess.Popen[bytes], started: int, log: Path, manager: _Manager) -> None:
        self._process = process
        self._log = log
        self._manager = manager
        self.started = started
        self.pid = process.pid
        self.inside = Inside(process.pid)

    def await_ready(self) -> float:
        """Return the seconds from its start to READY, waiting for it."""
        deadline = time.monotonic() + _READY_WITHIN
        while not self._manager.ready.wait(0.1):
            self.check()
            if time.monotonic() > deadline:
                raise VoidError(f"it was not ready within {_READY_WITHIN:g} s")
        return (self._manager.ready_at - self.started) / 1e9

    def check(self) -> None:
        """Raise VoidError if it has ended."""
        if (status := self._process.poll()) is not None:
            raise VoidError(f"it ended by itself with status {status}: {self._last_words()}")

    def stop(self) -> float:
        """Ask it to end (SIGTERM); return the seconds that took."""
        self.check()
        asked = time.monotonic()
        self._process.terminate()
        try:
            status = self._process.wait(_ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            raise VoidError(f"it did not end within {_ENDED_WITHIN:g} s of SIGTERM") from None
        if status:
            raise VoidError(f"it ended with status {status}: {self._last_words()}")
        return time.monotonic() - asked

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").split("\n") if line.strip()]
        return escape(lines[-1].strip()) if lines else "it wrote nothing"


class _Manager:
    """Reads what is sent to the notification socket, from a thread of its own.

    Attributes:
        address: for NOTIFY_SOCKET; an abstract name that the kernel chose (unix(7), autobind).
        ready: set once READY=1 came, at `ready_at`, ns of CLOCK_MONOTONIC.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("")
        self.address = "@" + self._socket.getsockname()[1:].decode()
        self.ready = threading.Event()
        self.ready_at = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Stop reading."""
        self._socket.shutdown(socket.SHUT_RD)

    def _listen(self) -> None:
        with self._socket:
            while message := self._socket.recv(8192):
                if b"READY=1" in message.split(b"\n") and not self.ready.is_set():
                    self.ready_at = time.monotonic_ns()
                    self.ready.set()


@contextmanager
def started(command: Sequence[str], log: Path, more: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Start a program; what it writes is added to `log`, and `more` to its environment."""
    manager = _Manager()
    at = time.monotonic_ns()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**environment(), "NOTIFY_SOCKET": manager.address, **(more or {})},
            start_new_session=True,
        )
    try:
        yield Service(process, at, log, manager)
    finally:
        process.kill()
        process.wait()
        manager.close()


@contextmanager
def daemon(place: Place, more: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Start invoice-watcher in a place, which may have been used before."""
    place.drop.mkdir(parents=True, exist_ok=True)
    with started(DAEMON.command(place), place.root / "log", more) as service:
        yield service
