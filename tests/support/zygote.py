"""The program without the third of a second in which Python starts and imports it: forked from a process that has.

A *zygote* has imported the program and waits. For each start it forks, and the child runs the command line from `main`
on: the same code, signals, threads and folders as ever. Each test process has a zygote of its own.

Guarantees: a program is a child of the process that starts it, as after `subprocess.Popen`, and has its environment and
three open files and no more. What differs from a program that was executed: the kernel shows the zygote's command line
and first environment, and what only the loader or Python reads at its start (`LD_PRELOAD`, `PYTHONPATH`, the locale)
has no effect. Raises OSError where a process cannot be made.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_LARGEST_REQUEST = 1 << 17
_STEP = 0.01


class Files(NamedTuple):
    """The open files of a program: descriptors. It begins when a byte can be read from `go`, where that is given."""

    stdin: int
    stdout: int
    stderr: int
    go: int | None = None


class Child:
    """A program that was forked: what is used here of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status, minus the signal that ended it; None while it runs."""
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; raises subprocess.TimeoutExpired."""
        end = time.monotonic() + timeout if timeout is not None else float("inf")
        step = threading.Event()
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("invoice-watcher", timeout or 0)
            step.wait(_STEP)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process from which programs are forked."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in a checkout, and import the program there."""
        self._asking = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.support.zygote", str(number)]
            self._process = subprocess.Popen(command, cwd=folder, env=environment, pass_fds=[number])

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], files: Files) -> Child:
        """Fork a program."""
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        given = [number for number in files if number is not None]
        with self._asking, _adopting():
            socket.send_fds(self._channel, [request], given)
            return Child(int(self._channel.recv(32)))

    def end(self) -> None:
        """Let it end; programs that still run are none of its business."""
        self._channel.close()
        self._process.wait()


_ours: list[Zygote] = []


def zygote(folder: Path, environment: Mapping[str, str]) -> Zygote:
    """Return this process's zygote, which was, or is now, started there, and with this environment."""
    if not _ours:
        _ours.append(Zygote(folder, environment))
        atexit.register(_ours[0].end)
    return _ours[0]


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of what is orphaned below this process meanwhile."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork a program for each request, and tell its process id. Returns in the program, with what it was asked for."""
    while True:
        raw, files, _, _ = socket.recv_fds(channel, _LARGEST_REQUEST, len(Files._fields))
        if not raw:
            sys.exit()
        reading, writing = os.pipe()
        # An orphan goes to the process that asked (`_adopting`); a child would stay the zygote's.
        if (between := os.fork()) == 0:
            if (pid := os.fork()) == 0:
                channel.detach()
                return json.loads(raw), files
            os.write(writing, b"%d" % pid)
            os._exit(0)
        os.waitpid(between, 0)
        channel.send(os.read(reading, 32))
        for number in (reading, writing, *files):
            os.close(number)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    for hold in files[3:]:
        os.read(hold, 1)
    for number, given in enumerate(files[:3]):
        os.dup2(given, number)
    os.closerange(3, max(files) + 3)
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv = ["invoice-watcher", *asked["arguments"]]


def _import_all() -> None:
    """Import what any command may need; what an optional library is missing for, a command says itself.

    What is there by now is kept out of every collection of garbage (gc, Python docs): a program that went through all
    of it once more at its end would take three times as long.
    """
    import invoice_watcher  # noqa: PLC0415 - only this process is to import it all

    for module in pkgutil.walk_packages(invoice_watcher.__path__, "invoice_watcher."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(module.name)
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    _become(*_serve(socket.socket(fileno=int(sys.argv[1]))))
    from invoice_watcher.cli import main

    main()
