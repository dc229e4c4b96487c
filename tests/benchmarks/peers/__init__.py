"""Who is measured, and how each of them is started and ended.

Every peer gets a fresh folder, the same small environment (no proxy, no credential, no notification socket of
whoever runs the benchmark) and a session of its own; what is left of that session is killed when the `with`
of `running` ends, whatever happened. Raises VoidError when a peer ends by itself: its own fault, told with
the last line of what it wrote.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoice_watcher.escaping import escape
from tests.benchmarks.load import VoidError
from tests.benchmarks.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SCRIPTS = Path(__file__).resolve().parent
_NODE = _SCRIPTS.parents[2] / "build" / "chokidar"
_CHOKIDAR = _NODE / "chokidar.mjs"
_PACKAGE = "chokidar@4"  # the last that runs on Debian 12's Node.js
API_CODE = "00000000-0000-4000-8000-000000000000"
_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer works in one round.

    Attributes:
        root: a fresh folder, with `drop` and in it `done`.
        base_url: the sink's.
        workers: how many uploads the daemon may have under way.
        settings: sections of the daemon's configuration that take the place of those it would have here.
    """

    root: Path
    base_url: str
    workers: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def drop(self) -> Path:
        """The folder into which documents are dropped."""
        return self.root / "drop"

    @property
    def done(self) -> Path:
        """The folder into which they are filed: the daemon's default place, and the others' too."""
        return self.drop / "done"


@dataclass(frozen=True, slots=True)
class Peer:
    """One contender.

    Attributes:
        name: for the command line.
        title: for the table.
        command: the command line that starts it in a place.
        needs: programs without which it cannot be measured.
        prepare: called once before the first turn; raises VoidError where it cannot be had.
    """

    name: str
    title: str
    command: Callable[[Place], list[str]]
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None

    def require(self) -> None:
        """Raise VoidError unless it can be had on this machine."""
        if missing := [program for program in self.needs if shutil.which(program) is None]:
            raise VoidError(f"{' and '.join(missing)} not installed")
        self.prepare()


class Running:
    """A peer that was started.

    Attributes:
        tree: what it costs.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self.tree = Tree(process.pid)

    def look(self) -> None:
        """Note its memory; raise VoidError if it has ended."""
        self.tree.look()
        if (status := self._process.poll()) is not None:
            lines = self._log.read_text(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
            raise VoidError(f"it ended by itself with status {status}: {escape(last.strip())}")

    def end(self) -> None:
        """Ask it to end, and after 10 s make it."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self.tree.kill()


def environment() -> dict[str, str]:
    """Return what every contender finds in its environment."""
    return {key: os.environ[key] for key in _KEPT if key in os.environ}


@contextmanager
def running(peer: Peer, place: Place) -> Iterator[Running]:
    """Start a peer in a place it makes anew; end it when the block ends.

    The place stays until all rounds are over: for minutes after many files were deleted, ext4 without a journal makes
    whoever creates files next to them pay for it (`recently_deleted` in its inode allocator).
    """
    place.done.mkdir(parents=True)
    log = place.root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            peer.command(place),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(),
            start_new_session=True,
        )
    started = Running(process, log)
    try:
        yield started
    finally:
        started.end()
        # What the disk still owes this peer must not be paid by the next.
        os.sync()


def _daemon(place: Place) -> list[str]:
    config = place.root / "config.yaml"
    api = {"base_url": place.base_url, "api_code": API_CODE, "workers": place.workers}
    settings: dict[str, Any] = {
        "drop_dir": str(place.drop),
        "api": api,
        "settle": {"quiet": 0},
        "log": {"level": "warning"},
    }
    config.touch(0o600)
    config.write_text(json.dumps({**settings, **place.settings}))  # JSON is YAML
    return [str(Path(sys.executable).with_name("invoice-watcher")), "run", "-c", str(config)]


def _script(*command: str | Path) -> Callable[[Place], list[str]]:
    """Return what starts a script with the arguments that all of them take."""
    return lambda place: [*map(str, command), str(place.drop), str(place.done), place.base_url, API_CODE]


def _install_chokidar() -> None:
    """Put the script where `import` finds its package, which is fetched from npm's registry at the first use."""
    _NODE.mkdir(parents=True, exist_ok=True)
    shutil.copy(_SCRIPTS / "chokidar.mjs", _NODE)
    if (_NODE / "node_modules/chokidar").is_dir():
        return
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(_NODE), _PACKAGE]
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise VoidError("npm could not install chokidar") from None


DAEMON = Peer("daemon", "invoice-watcher", _daemon)
NAIVE = Peer("naive", "naive watchdog + requests", _script(sys.executable, _SCRIPTS / "naive.py"))
CURL = Peer("curl", "inotifywait + curl + mv", _script("sh", _SCRIPTS / "curl.sh"), ("inotifywait", "curl"))
OTHERS = (
    Peer("curl8", "inotifywait + curl, 8 at once", _script("sh", _SCRIPTS / "curl8.sh"), ("inotifywait", "curl")),
    Peer("poll", "polling each second, requests", _script(sys.executable, _SCRIPTS / "poll.py")),
    Peer("chokidar", "chokidar + fetch", _script("node", _CHOKIDAR), ("node", "npm"), _install_chokidar),
    Peer(
        "chokidar-finish",
        "chokidar, awaitWriteFinish",
        _script("node", _CHOKIDAR, "--await-write-finish"),
        ("node", "npm"),
        _install_chokidar,
    ),
)
PEERS = (DAEMON, NAIVE, CURL, *OTHERS)
