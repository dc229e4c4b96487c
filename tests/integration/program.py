"""The program as a process, its folders, and waiting for what becomes of both.

`Program` starts it and collects what it prints; `Place` is a drop folder with its configuration; `until` waits. Every
process is checked when it has ended: no traceback, no secret, and nothing on its stderr that could move a cursor.
Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import IO

    from _typeshed import StrPath

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples"
API_CODE = "5ec2e7c0-de0f-4a11-bea2-1a7e57001dea"
PATIENCE = 30.0
_STEP = 0.01

# What would reach into a test from the machine it runs on.
_FOREIGN = re.compile(r"INVOICE_WATCHER_.*|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|JOURNAL_STREAM|.*_proxy", re.IGNORECASE)
_UNSAFE = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]")

Found = TypeVar("Found")


class Finished(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


class Program:
    """One process of the program."""

    def __init__(self, *arguments: StrPath, env: Mapping[str, str] | None = None) -> None:
        """Start it with these arguments; `env` is added to an environment that holds nothing for it."""
        environment = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "invoice_watcher", *map(str, arguments)],
            cwd=ROOT,
            env={**environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._changed = threading.Condition()
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        streams = ((self.process.stdout, self._out), (self.process.stderr, self._err))
        self._threads = [threading.Thread(target=self._collect, args=pair) for pair in streams]
        for thread in self._threads:
            thread.start()

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
        status = self.process.wait(timeout)
        for thread in self._threads:
            thread.join()
        for line in (*self._out, *self._err):
            assert_fit_to_show(line)
        return status

    def finish(self) -> Finished:
        """Wait for its end, and return all that it came to."""
        return Finished(self.wait(PATIENCE * 2), self.out, self.err)

    def end(self) -> None:
        """Make sure that it is gone, however the test ended, and look at what it printed."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def _collect(self, stream: IO[bytes], lines: list[bytes]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line)
                    self._changed.notify_all()

    def _until_line(self, found: Callable[[], list[str]], text: str, times: int) -> str:
        with self._changed:
            came = self._changed.wait_for(lambda: len(found()) >= times, PATIENCE)
        assert came, f"it never said {text!r} {times} times:\n{self.err}"
        return found()[times - 1]


def assert_fit_to_show(line: bytes) -> None:
    """Nothing that is printed is a traceback, holds the secret, or can move a cursor."""
    assert b"Traceback" not in line, line
    assert API_CODE.encode() not in line.lower(), line
    assert not _UNSAFE.search(line), line


def run(*arguments: StrPath, env: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end."""
    program = Program(*arguments, env=env)
    try:
        return program.finish()
    finally:
        program.end()


def until(condition: Callable[[], Found], what: str = "", timeout: float = PATIENCE) -> Found:
    """Wait until `condition` gives something true, and return that; `what` is told when it does not."""
    end = time.monotonic() + timeout
    step = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        step.wait(_STEP)
    return found


class Place:
    """A drop folder, and a configuration for it with little patience.

    Attributes:
        root: what lies beside the drop folder, on the same file system.
        config: the configuration file.
    """

    def __init__(self, root: Path, base_url: str) -> None:
        self.root = root
        self.drop, self.config = root / "drop", root / "config.yaml"
        self.done, self.failed, self.work = (self.drop / name for name in ("done", "failed", ".processing"))
        self.drop.mkdir()
        self._settings: dict[str, Any] = {
            "drop_dir": str(self.drop),
            "api.base_url": base_url,
            "api.api_code": API_CODE,
            "settle.quiet": 0,
            "retry.initial": "100ms",
            "retry.max": "200ms",
        }
        self.configure()

    def configure(self, **changes: object) -> None:
        """Write the configuration anew with these keys changed: `settle__quiet=1` is `settle.quiet`."""
        self._settings.update({key.replace("__", "."): value for key, value in changes.items()})
        nested: dict[str, Any] = {}
        for key, value in self._settings.items():
            section, _, name = key.rpartition(".")
            (nested.setdefault(section, {}) if section else nested)[name] = value
        self.write_config(json.dumps(nested, indent=2))

    def write_config(self, text: str) -> None:
        """Write the configuration as it stands here, for its owner alone to read."""
        self.config.touch(mode=0o600)
        self.config.write_text(text, encoding="utf-8")

    def put(self, name: str | bytes, content: bytes, way: str = "move") -> Path:
        """Drop a file: by "copy", by "rename" of a temporary name, or by "move" from another folder, at once."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.drop), os.fsencode(name))))
        first = {
            "copy": path,
            "rename": self.drop / f"~{len(content)}-{time.monotonic_ns()}.tmp",
            "move": self.root / f"outside-{time.monotonic_ns()}",
        }[way]
        first.write_bytes(content)
        if first != path:
            first.rename(path)
        return path

    def put_after(self, before: Path, name: str, content: bytes) -> Path:
        """Drop a file that is surely younger than another, whatever the file system's clock ticks in."""
        while True:
            path = self.put(name, content)
            if path.stat().st_ctime_ns > before.stat().st_ctime_ns:
                return path

    def once(self, **env: str) -> Finished:
        """Run `run --once` here."""
        return run("run", "--once", "-c", self.config, env=env)

    def waiting(self) -> list[str]:
        """The documents in the drop folder and the work folder."""
        return sorted(names(self.drop) + documents(self.work))

    def until_done(self, *wanted: str) -> None:
        """Wait until all of these documents lie in the done folder."""
        until(lambda: set(wanted) <= set(names(self.done)), f"{wanted} in done/, which holds {names(self.done)}")

    def until_failed(self, *wanted: str) -> None:
        """Wait until all of these documents lie in the failed folder."""
        until(lambda: set(wanted) <= set(names(self.failed)), f"{wanted} in failed/, which holds {names(self.failed)}")


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder; none when it is not there."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir())
    except FileNotFoundError:
        return []


def documents(folder: Path) -> list[str]:
    """Return the names of the documents: neither sidecars nor what is hidden."""
    return [name for name in names(folder) if not name.endswith(".json") and not name.startswith(".")]


def sidecar(document: Path) -> dict[str, Any]:
    """Return the sidecar beside a document, in the order of its fields."""
    with open(os.fspath(document) + ".json", "rb") as file:
        parsed: dict[str, Any] = json.load(file)
    return parsed


def pdf(content: str = "", size: int = 0) -> bytes:
    """Return a PDF, as far as one can tell by its beginning and its end, with something in it, of `size` bytes."""
    head, tail = b"%PDF-1.7\n% " + content.encode(), b"\nstartxref\n0\n%%EOF\n"
    return head + b"x" * (size - len(head) - len(tail)) + tail


def sample(name: str) -> bytes:
    """Return one of the sample invoices."""
    return (SAMPLES / name).read_bytes()


def samples() -> Sequence[str]:
    """Return the names of all sample documents, shortcuts left out."""
    kinds = {".pdf", ".doc", ".docx", ".xls", ".xlsx"}
    return sorted(path.name for path in SAMPLES.iterdir() if path.suffix in kinds)


def lines_with(text: str, lines: Iterable[str]) -> list[str]:
    """Return those lines that hold `text`."""
    return [line for line in lines if text in line]
