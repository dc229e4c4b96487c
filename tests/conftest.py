"""What every test relies on."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.box import Box
from tests.support.receivers import Hook, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

# A writer that breaks a lease of ours sends SIGIO, which ends a process that does not ignore it (fcntl(2)).
signal.signal(signal.SIGIO, signal.SIG_IGN)
# nohup(1) has the one ignored, a shell without job control the other in what it runs beside it (POSIX, 2.11); programs
# inherit that, but no handler.
for ignored in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, lambda *_: None)

# A single example may be held up for seconds by whatever else the machine does; what must be quick is measured.
settings.register_profile("thorough", deadline=None)
settings.load_profile("thorough")
# For `make check`: a fault that only the hundredth example shows is found by `make test`.
settings.register_profile("quick", deadline=None, max_examples=25)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """Give four folders on a real disk, open and locked."""
    with Box(tmp_path / "box") as box:
        yield box


@pytest.fixture
def memory_box() -> Iterator[Box]:
    """Give four folders in memory, where an fsync costs nothing: for what has to be tried hundreds of times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as root, Box(Path(root)) as box:
        yield box


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a runtime directory of this test's own, as systemd gives one; short, for a socket's path may not be long."""
    with tempfile.TemporaryDirectory(prefix="iw-") as path:
        monkeypatch.setenv("RUNTIME_DIRECTORY", path)
        yield Path(path)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this machine stand in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Serve a web hook."""
    with Hook() as hook:
        yield hook


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Serve a mail server."""
    with Mailbox() as mailbox:
        yield mailbox


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests recorded, so that a sweep that swept nothing is seen, and a score that got worse."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            terminalreporter.write_line(f"{name}: {value}")
