"""The program as a process, its folders, and waiting for what becomes of both.

`Program` starts it and collects what it prints; `Place` is a drop folder with its configuration; `until` waits. Every
process is checked when it has ended: no traceback, no secret, and nothing on its stderr that could move a cursor.
Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from tests.support.zygote import Child, Files, zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from _typeshed import StrPath

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples"
# Where the programs of all tests have their control sockets; short, for a socket's path may not be long.
RUNTIME = tempfile.mkdtemp(prefix="iw-run-")
atexit.register(shutil.rmtree, RUNTIME, ignore_errors=True)
API_CODE = "5ec2e7c0-de0f-4a11-bea2-1a7e57001dea"
PATIENCE = 30.0
_STEP = 0.01

# What would reach into a test from the machine it runs on.
_FOREIGN = re.compile(
    r"INVOICE_WATCHER_.*|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|JOURNAL_STREAM|XDG_RUNTIME_DIR|.*_proxy", re.IGNORECASE
)
NAME = "invoice_watcher"
# A command within which it is executed, and nothing else: for what the kernel shows of it to be its own.
EXECUTED = ("env",)
# What the loader and Python read at their start, and no more afterwards.
_AT_START = re.compile(r"LD_.*|PYTHON.*|LANG.*|LC_.*")
_UNSAFE = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]")

Found = TypeVar("Found")


Process: TypeAlias = "subprocess.Popen[bytes] | Child"


class Finished(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


class Program:
    """One process of the program."""

    def __init__(
        self, *arguments: StrPath, env: Mapping[str, str] | None = None, within: Sequence[StrPath] = ()
    ) -> None:
        """Start it with these arguments: forked from a `zygote`, where that makes no difference, else executed.

        Args:
            arguments: those of the command line.
            env: what is added to an environment that holds nothing for it.
            within: a command that executes the rest of its arguments, as `unshare --net` does.
        """
        anew = within or any(_AT_START.fullmatch(name) for name in env or {})
        environment = {**own_environment(), **(env or {})}
        self._changed = threading.Condition()
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._threads: list[threading.Thread] = []
        with self._collecting(self._out) as out, self._collecting(self._err) as err:
            if anew:
                self.process = _executed((*within, sys.executable, "-m", NAME, *arguments), environment, out, err)
            else:
                self.process = _forked(arguments, environment, out, err)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def out(self) -> str:
        """All of stdout so far."""
        return b"".join(self._out).decode()

    @property
    def err(self) -> str:
        """All of stderr so far; strict, for it has to be UTF-8."""
        return b"".join(self._err).decode()

    @property
    def lines(self) -> list[str]:
        """The lines of stderr so far."""
        return self.err.splitlines()

    @property
    def peak_memory(self) -> int:
        """The most memory that it ever held, in bytes (proc_pid_status(5): VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def cpu_seconds(self) -> float:
        """How long it has computed, whatever else the machine had to do (proc_pid_stat(5): utime, stime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def says(self, text: str, times: int = 1) -> str:
        """Wait until `times` lines on stderr hold `text`; returns the last of them."""
        return self._until_line(lambda: [line for line in self.lines if text in line], text, times)

    def prints(self, text: str) -> str:
        """Wait until a line on stdout holds `text`; returns it."""
        return self._until_line(lambda: [line for line in self.out.splitlines() if text in line], text, 1)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = PATIENCE) -> int:
        """Send a signal, and return the exit status."""
        if self.process.poll() is None:
            self.send(number)
        return self.wait(timeout)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return the exit status once it has ended; what it printed is whole then, and has been looked at."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout} s:\n{self.err}") from None
        for thread in self._threads:
            thread.join()
        for lines in (self._out, self._err):
            for line in lines:
                assert_fit_to_show(line, b"".join(lines))
        return status

    def finish(self, timeout: float) -> Finished:
        """Wait for its end, and return all that it came to."""
        return Finished(self.wait(timeout), self.out, self.err)

    def end(self) -> None:
        """Make sure that it is gone, however the test ended, and look at what it printed."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    @contextmanager
    def _collecting(self, lines: list[bytes]) -> Iterator[int]:
        """Open a pipe whose lines are gathered; gives its end for writing, for as long as a start takes."""
        reading, writing = os.pipe()
        self._threads.append(threading.Thread(target=self._collect, args=(reading, lines)))
        self._threads[-1].start()
        try:
            yield writing
        finally:
            os.close(writing)

    def _collect(self, reading: int, lines: list[bytes]) -> None:
        with open(reading, "rb") as stream:
            for line in stream:
                with self._changed:
                    lines.append(line)
                    self._changed.notify_all()

    def _until_line(self, found: Callable[[], list[str]], text: str, times: int) -> str:
        with self._changed:
            came = self._changed.wait_for(lambda: len(found()) >= times, PATIENCE)
        assert came, f"it never said {text!r} {times} times:\n{self.err}"
        return found()[times - 1]


def _executed(command: Iterable[StrPath], environment: Mapping[str, str], out: int, err: int) -> Process:
    words = list(map(str, command))
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)


def _forked(arguments: Iterable[StrPath], environment: Mapping[str, str], out: int, err: int) -> Process:
    with open(os.devnull, "rb") as null:
        files = Files(null.fileno(), out, err)
        return zygote(ROOT, own_environment()).start(list(map(str, arguments)), environment, files)


def own_environment() -> dict[str, str]:
    """Return an environment in which nothing of this machine's is meant for the program, but where its sockets lie."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    return {**kept, "RUNTIME_DIRECTORY": RUNTIME}


def assert_fit_to_show(line: bytes, around: bytes = b"") -> None:
    """Nothing that is printed is a traceback, holds the secret, or can move a cursor."""
    assert b"Traceback" not in line, (around or line).decode(errors="replace")
    assert API_CODE.encode() not in line.lower(), line
    assert not _UNSAFE.search(line), line


def run(*arguments: StrPath, env: Mapping[str, str] | None = None, timeout: float = 2 * PATIENCE) -> Finished:
    """Run a command to its end; AssertionError when that does not come."""
    program = Program(*arguments, env=env)
    try:
        return program.finish(timeout)
    finally:
        program.end()


def redirected(redirection: str, *arguments: StrPath) -> Finished:
    """Run a command in a shell that ends with this redirection, `>/dev/full` or `| true`; the status is its own."""
    script = f'set -o pipefail; "$0" -m invoice_watcher "$@" {redirection}'
    command = ["bash", "-c", script, sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=2 * PATIENCE, check=False)
    assert_fit_to_show(b"".join(done.stderr.splitlines()))
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def until(condition: Callable[[], Found], what: str = "", timeout: float = PATIENCE) -> Found:
    """Wait until `condition` gives something true, and return that; `what` is told when it does not."""
    end = time.monotonic() + timeout
    step = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        step.wait(_STEP)
    return found


def lines_with(text: str, lines: Iterable[str]) -> list[str]:
    """Return those lines that hold `text`."""
    return [line for line in lines if text in line]
