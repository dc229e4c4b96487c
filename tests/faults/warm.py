"""The program without the half second in which Python starts and imports it: for tests that start it hundreds of times.

A process that has imported the program waits; for each start it forks, and the child runs the command line from `main`
on: the same code, signals, threads and folders as ever. The child can be held before `main`, so that strace misses
nothing of what the program does and sees nothing of what Python does.

Guarantees: one program runs at a time; leaving the block ends it. What it printed is looked at as that of every other.
Raises AssertionError where a program does not end.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.integration.answers import Answer
from tests.integration.place import pdf
from tests.integration.program import PATIENCE, ROOT, assert_fit_to_show, until

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import StrPath

    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

_GO = b"\n"


class Ended(NamedTuple):
    """What a program came to: its exit status, minus the signal that ended it; and its log."""

    status: int
    err: str


# Answered so, the first delivery leaves no connection behind that the next could use.
GOODBYE = Answer(headers={"Connection": "close"})


class Warm:
    """Starts the program again and again."""

    def __init__(self, log: Path) -> None:
        """Import the program; what each one prints goes to `log`, which it begins anew."""
        self._log = log
        self._pid = 0
        self._ended = True
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"],
            cwd=ROOT,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, *arguments: StrPath, held: bool = False) -> int:
        """Start the program, or `hold` it before its first step until `go`; returns its process id."""
        assert self._ended, "another one is running"
        self._log.write_bytes(b"")
        self._write(json.dumps([str(self._log), *map(str, arguments)]).encode() + b"\n")
        self._pid, self._ended = self._read(), False
        if not held:
            self.go()
        return self._pid

    def start_on(self, api: StandIn, place: Place, name: str) -> tuple[int, bytes]:
        """Start the daemon and let it deliver one document, so that whatever is only done once is done.

        Returns its process id, and the document.
        """
        content = pdf(name)
        api.script(name.removesuffix(".pdf"), GOODBYE)
        pid = self.start("run", "-c", place.config)
        self.says("ready: watching")
        place.put(name, content)
        place.until_done(name)
        return pid, content

    def go(self) -> None:
        """Let a program that is held begin."""
        self._write(_GO)

    def says(self, text: str) -> None:
        """Wait until it has printed this, or has ended."""
        until(lambda: text in self.err or self.has_ended, f"{text}, but only: {self.err}")

    @property
    def err(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def has_ended(self) -> bool:
        """Whether it runs no longer."""
        return self._ended or self._is_told(0)

    def kill(self) -> Ended:
        """Kill it if it still runs, and wait for its end."""
        # Reaped it may be by now, but its process id is not given to another as fast as this.
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        return self.wait()

    def stop(self) -> Ended:
        """Ask it to end, and wait for that."""
        os.kill(self._pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> Ended:
        """Wait for its end."""
        assert self._is_told(2 * PATIENCE), f"it does not end: {self.err}"
        status, self._ended = self._read(), True
        for line in self.err.encode().splitlines():
            assert_fit_to_show(line)
        return Ended(status, self.err)

    def run(self, *arguments: StrPath) -> Ended:
        """Run a command to its end."""
        self.start(*arguments)
        return self.wait()

    def _is_told(self, patience: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], patience)[0])

    def _write(self, raw: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(raw)

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
        self._process.communicate()


def _serve() -> None:
    """Fork a program for each line on stdin, and tell its process id and how it ended."""
    from invoice_watcher import cli  # noqa: PLC0415 - only this process is to import it

    for module in ("cli.running", "serve"):  # what `run` imports when it begins
        importlib.import_module(f"invoice_watcher.{module}")

    for line in iter(_line, b""):
        if line == _GO:  # for one that was killed before it heard it
            continue
        log, *arguments = json.loads(line)
        sys.argv = ["invoice-watcher", *arguments]
        if (pid := os.fork()) == 0:
            _become_program(log)
            cli.main()
        os.write(1, b"%d\n" % pid)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _line() -> bytes:
    """Read a line and no byte more: what follows is the child's."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _become_program(log: str) -> None:
    os.read(0, len(_GO))
    null = os.open(os.devnull, os.O_RDONLY)
    errors = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor, number in ((null, 0), (errors, 1), (errors, 2)):
        os.dup2(descriptor, number)
    os.closerange(3, 100)


if __name__ == "__main__":
    _serve()
