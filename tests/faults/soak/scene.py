"""The share, the API and the program, as the state machine moves them; and the story so far.

Guarantees: `end` leaves no process, no mount and no folder behind; when something did not hold, its error tells the
story and the end of each program's log. Raises AssertionError with the name of what is broken.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from tests.faults.mounts import tmpfs
from tests.faults.soak.actions import Share
from tests.faults.soak.ground import FOLDERS
from tests.faults.soak.ledger import MOST_FAILURES, assert_kept, assert_settled
from tests.faults.soak.moody import MoodyApi
from tests.faults.users import SHUT_OUT
from tests.integration.place import Place, documents, names
from tests.integration.program import Program, lines_with, until

if TYPE_CHECKING:
    from collections import Counter

_PATIENCE = 60.0
_LINES = 40
_SETTINGS = {
    "log.level": "debug",
    "settle.rescan": "1s",
    "settle.incomplete_after": "1s",
    "api.read_timeout": "3s",
    "api.deadline": "5s",
    "retry.max_attempts": MOST_FAILURES,
}


class Scene:
    """One place, and what goes on there.

    Attributes:
        can_fill: whether the place has a small disk of its own.
        can_shut: whether the program can be kept from writing.
    """

    def __init__(self, totals: Counter[str]) -> None:
        """Start the program; what it goes through is counted in `totals`."""
        self._stack = ExitStack()
        root = Path(tempfile.mkdtemp(prefix="invoice-watcher-"))
        self._stack.callback(shutil.rmtree, root, ignore_errors=True)
        self.can_fill = self._mount(root)
        self.api = self._stack.enter_context(MoodyApi())
        self._place = Place(root, self.api.base_url)
        self._place.configure(**_SETTINGS)
        self.share = Share(self._place, self.api)
        self._within = SHUT_OUT
        self.can_shut = os.geteuid() != 0 or bool(self._within)
        self._programs: list[Program] = []
        self._running: Program | None = None
        self._story: list[str] = []
        self._begun = time.monotonic()
        self._totals = totals
        self._totals["examples"] += 1
        try:
            self.start()
        except BaseException as error:
            self._leave(error)
            raise

    @property
    def is_running(self) -> bool:
        """Whether the program runs, as far as its user knows."""
        return self._running is not None

    @property
    def _program(self) -> Program:
        assert self._running is not None
        return self._running

    def tell(self, *words: object) -> None:
        """Go on with the story."""
        text = " ".join(str(word) for word in words if word != "")
        self._story.append(f"{time.monotonic() - self._begun:7.3f} {text}")

    def launch(self) -> None:
        """Start the program, and do not wait for it; folders that it could not use are mended."""
        if not self.share.is_at_hand:
            self.share.mend()
        self._running = Program("run", "-c", self._place.config, within=self._within)
        self._programs.append(self._running)
        self._totals["starts"] += 1
        self._mishaps = self._mishaps_before = self.share.mishaps

    def start(self) -> None:
        """Start the program, and wait until it watches; on a full disk it may say that it cannot."""
        self.launch()
        program = self._program
        until(lambda: "ready: watching" in program.err or program.process.poll() is not None, "a start", _PATIENCE)
        if program.process.poll() is not None:
            assert (program.wait(), self.share.is_full) == (75, True), "it did not start"
            self.share.free()
            self.start()
            self.share.fill(0)

    def kill(self) -> None:
        """Kill it: each file lies in exactly one folder."""
        self.share.deaths += 1
        self._totals["kills"] += 1
        self._program.process.kill()
        self._program.wait()
        self._running = None
        assert_kept(self.share)

    def stop(self, *, hurried: bool = False) -> None:
        """Stop it in good order: it ends with 0, each file lies in one folder, and what is claimed has its note.

        What was being sent at an earlier death has none until its turn comes; its name was told at the start.
        """
        program = self._program
        if hurried:
            program.send(signal.SIGTERM)
        status = program.stop()
        self._running = None
        assert status == 0, f"stopped with {status}"
        assert_kept(self.share)
        if self.share.mishaps != self._mishaps:
            self.share.deaths += 1  # what it could not write down then is lost with it, as in a crash
        elif not self.share.is_full:
            work = self.share.folder("work")
            silent = [name for name in documents(work) if f"{name}.json" not in names(work)]
            assert all(f"died while it was sending {name} (" in program.err for name in silent), "I5: waits in silence"

    def reload(self, **changes: object) -> None:
        """Change the configuration, and tell the program so."""
        self._place.configure(**changes)
        self._program.send(signal.SIGHUP)

    def reload_broken(self) -> None:
        """Tell the program to take a configuration that cannot be used; it says so."""
        refused = "the new configuration is not used"
        before = len(lines_with(refused, self._program.lines))
        text = self._place.config.read_text()
        self._place.write_config("drop_dir: 1")
        self._program.send(signal.SIGHUP)
        self._program.says(refused, before + 1)
        self._place.write_config(text)

    def drain(self) -> None:
        """Mend all, wait until nothing is left to do, and look at what became of everything."""
        self.share.mend()
        self.share.end_copy()
        self.api.forgive()
        if not self.is_running:
            self.start()
        program = self._program

        def is_drained() -> bool:
            assert program.process.poll() is None, f"it ended by itself: {program.process.poll()}"
            return not names(self._place.drop) and not self._left_in_work()

        until(is_drained, "a drained share", _PATIENCE)
        self._mishaps = self.share.mishaps  # they are made up for
        assert_settled(self.share, [line for one in self._programs for line in one.lines])
        assert self.api.faults == []

    def end(self, error: BaseException | None) -> None:
        """Drain, stop, and leave nothing behind; `error` is what has not held already."""
        try:
            if error is None:
                self.drain()
                self.stop()
        except AssertionError as late:
            error = late
            raise
        finally:
            self._leave(error)

    def _left_in_work(self) -> list[str]:
        """What should not be there; room for receipts that it was kept from removing goes with its next start."""
        hindered = self.share.mishaps != self._mishaps_before
        return [name for name in names(self._place.work) if not (hindered and name.startswith(".receipt-"))]

    def _leave(self, error: BaseException | None) -> None:
        self._totals.update(files=len(self.share.papers), requests=len(self.api.history), steps=len(self._story))
        if self._running is not None:
            self._running.process.kill()
            with suppress(AssertionError):
                self._running.wait()
        if isinstance(error, AssertionError | OSError):
            logs = [f"--- program {one.pid}:\n" + "\n".join(one.lines[-_LINES:]) for one in self._programs]
            lying = [f"--- {which}: {names(self.share.folder(which))}" for which in FOLDERS]
            error.add_note("\n".join([*self._story, *logs, *lying]))
        self.share.close()
        self._stack.close()

    def _mount(self, root: Path) -> bool:
        """Give the place a small disk of its own, where that may be."""
        try:
            self._stack.enter_context(tmpfs(root, "size=16M"))
        except (CalledProcessError, OSError):
            return False
        return True
