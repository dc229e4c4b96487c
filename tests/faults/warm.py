"""The program for tests that start it hundreds of times: forked from a zygote, and held before its first step.

It can be held before `main`, so that strace misses nothing of what the program does and sees nothing of what Python
does. Guarantees: one program runs at a time; leaving the block ends it. What it printed is looked at as that of every
other. Raises AssertionError where a program does not end.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.integration.answers import Answer
from tests.integration.place import pdf
from tests.integration.program import PATIENCE, ROOT, assert_fit_to_show, own_environment, until
from tests.support.zygote import Files, zygote

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import StrPath

    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn
    from tests.support.zygote import Child


class Ended(NamedTuple):
    """What a program came to: its exit status, minus the signal that ended it; and its log."""

    status: int
    err: str


# Answered so, the first delivery leaves no connection behind that the next could use.
GOODBYE = Answer(headers={"Connection": "close"})


class Warm:
    """Starts the program again and again."""

    def __init__(self, log: Path) -> None:
        """What each one prints goes to `log`, which it begins anew."""
        self._log = log
        self._program: Child | None = None
        self._go = -1

    def start(self, *arguments: StrPath, held: bool = False) -> int:
        """Start the program, or `hold` it before its first step until `go`; returns its process id."""
        assert self._program is None or self.has_ended, "another one is running"
        self._log.write_bytes(b"")
        reading, self._go = os.pipe()
        with open(os.devnull, "rb") as null, open(self._log, "ab") as log, open(reading, "rb"):
            files = Files(null.fileno(), log.fileno(), log.fileno(), reading)
            self._program = zygote(ROOT, own_environment()).start(list(map(str, arguments)), own_environment(), files)
        if not held:
            self.go()
        return self._program.pid

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
        os.close(self._go)

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
        return self._running.poll() is not None

    def kill(self) -> Ended:
        """Kill it if it still runs, and wait for its end."""
        self._running.kill()
        return self.wait()

    def stop(self) -> Ended:
        """Ask it to end, and wait for that."""
        self._running.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> Ended:
        """Wait for its end."""
        try:
            status = self._running.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end: {self.err}") from None
        for line in self.err.encode().splitlines():
            assert_fit_to_show(line)
        return Ended(status, self.err)

    def run(self, *arguments: StrPath) -> Ended:
        """Run a command to its end."""
        self.start(*arguments)
        return self.wait()

    @property
    def _running(self) -> Child:
        assert self._program is not None, "none was started"
        return self._program

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self._program.kill()
            self._program.wait()
