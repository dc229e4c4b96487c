"""The two processes of the demo: the sandbox, and the daemon that uploads to it.

Both are the real program, started as anybody would start it. Guarantees: they are gone, and so is their folder, when
the context is left, whatever happened: SIGINT, SIGTERM and SIGHUP leave it too, and end the program with 128 and their
number, as a shell would show it. Raises DemoError with a sentence when one of the processes does not start.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, NoReturn
from urllib.request import Request, urlopen

from invoice_watcher import signals
from invoice_watcher.errors import InvoiceWatcherError
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 10.0  # seconds
_API_CODE = "01234567-89ab-cdef-0123-456789abcdef"
_CONFIG = f"""\
drop_dir: {{drop}}
api:
  base_url: {{base_url}}
  api_code: {_API_CODE}
settle:
  quiet: 300ms
  incomplete_after: 5s
retry:
  initial: 500ms
  max: 2s
log:
  format: json
"""


class DemoError(InvoiceWatcherError):
    """The stage could not be set."""


class Stage(Record, frozen=True):
    """A drop folder with everything around it."""

    drop: Path
    config: str
    base_url: str

    def set_mode(self, **mode: object) -> None:
        """Tell the sandbox how to behave from now on; nothing is: as usual."""
        self._call("PUT", "mode", json.dumps(mode).encode())

    def received(self) -> list[dict[str, Any]]:
        """Return what reached the sandbox, in order."""
        rows: list[dict[str, Any]] = json.loads(self._call("GET", "invoices", None))
        return rows

    def _call(self, method: str, what: str, body: bytes | None) -> bytes:
        url = f"{self.base_url.removesuffix('/web-api')}/sandbox/{what}"
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(url, body, headers, method=method), timeout=10) as answer:  # noqa: S310 - our own sandbox
            content: bytes = answer.read()
            return content


@contextmanager
def stage(on_event: Callable[[dict[str, str]], None]) -> Iterator[Stage]:
    """Set the stage for the length of a block; to be called in the main thread, which alone hears signals.

    Args:
        on_event: hears each line that the daemon logs, as an object; called from another thread.
    """
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) does
            signal.signal(number, _end)
    with TemporaryDirectory(prefix="invoice-watcher-demo-") as folder, _sandbox(Path(folder)) as base_url:
        drop = Path(folder, "invoices")
        drop.mkdir()
        config = _CONFIG.format(drop=drop, base_url=base_url)
        Path(folder, "config.yaml").write_text(config, encoding="utf-8")
        with _daemon(Path(folder, "config.yaml"), on_event):
            yield Stage(drop, config, base_url)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave the context; what comes after the first signal must not disturb that."""
    signals.ignore(_ENDING)
    raise SystemExit(128 + number)


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    with (folder / "sandbox.log").open("w+") as log, _popen(log, "sandbox", "--port", "0") as process, _ended(process):
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("api.base_url: "):
            log.seek(0)
            raise DemoError(f"the sandbox did not start. {log.read()}".strip())
        yield line.removeprefix("api.base_url: ").strip()


@contextmanager
def _daemon(config: Path, on_event: Callable[[dict[str, str]], None]) -> Iterator[None]:
    with _popen(subprocess.PIPE, "run", "-c", str(config)) as process, _heard(process, on_event), _ended(process):
        yield


def _popen(stderr: IO[str] | int, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "invoice_watcher", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)  # noqa: S603 - ourselves


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        process.kill()


@contextmanager
def _heard(daemon: subprocess.Popen[str], on_event: Callable[[dict[str, str]], None]) -> Iterator[None]:
    """Read what the daemon logs until it has ended: its pipe may not be closed before."""
    listener = threading.Thread(target=_listen, args=(daemon, on_event), daemon=True)
    listener.start()
    try:
        yield
    finally:
        listener.join()


def _listen(daemon: subprocess.Popen[str], on_event: Callable[[dict[str, str]], None]) -> None:
    for line in daemon.stderr or ():
        try:
            event = json.loads(line)
        except ValueError:
            event = {"level": "ERROR", "message": line.strip()}
        on_event(event)
