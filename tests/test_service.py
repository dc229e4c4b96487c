"""What the service manager hears, over real sockets, and that it can never hold the program up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A fresh /run of our own, seen by this command and its children only.
_PRIVATE_RUN = [
    "unshare",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    'mount -t tmpfs none /run && exec "$@"',
    "-",
]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd would."""
    pytest.importorskip("systemd")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


def test_manager_hears_each_state_in_order(manager: socket.socket) -> None:
    """`systemctl start`, `reload` and `stop` learn when they are done."""
    supervisor = service.Supervisor()
    heard = []
    for tell in (supervisor.ready, supervisor.watchdog, supervisor.reloading, supervisor.ready, supervisor.stopping):
        tell()
        heard.append(manager.recv(4096).decode().split("\n")[0])
    supervisor.close()
    assert heard == ["READY=1", "WATCHDOG=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_reload_carries_its_moment(manager: socket.socket) -> None:
    """Type=notify-reload tells this reload from an earlier one by the monotonic clock, in microseconds."""
    before = time.monotonic_ns() // 1000
    supervisor = service.Supervisor()
    supervisor.reloading()
    lines = dict(line.split("=") for line in manager.recv(4096).decode().split("\n"))
    supervisor.close()
    assert before <= int(lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def test_status_line_cannot_forge_a_message(manager: socket.socket) -> None:
    """A file name in the status line can neither say STOPPING=1 nor break the line, however odd it is."""
    supervisor = service.Supervisor()
    supervisor.status("waiting: a\nSTOPPING=1\x00\udcff\u202e.pdf")
    text = manager.recv(4096).decode()
    supervisor.close()
    assert text == r"STATUS=waiting: a\nSTOPPING=1\x00\xff\u202e.pdf"


def test_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager whose socket has no place in the file system (`@name`) hears us too."""
    pytest.importorskip("systemd")
    name = f"invoice-watcher-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(10)
        supervisor = service.Supervisor()
        supervisor.ready()
        assert listener.recv(4096) == b"READY=1"
        supervisor.close()


def _fill(address: str) -> int:
    """Put messages into the socket at `address` until it takes no more; return their number."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while sender.sendto(b"X=", address):
                count += 1
        return count


@pytest.mark.slow
def test_manager_that_does_not_read_holds_nothing_up(manager: socket.socket) -> None:
    """A stuck systemd stops neither uploads nor the end; when it reads again, it learns the newest state."""
    unread = _fill(manager.getsockname())
    began = time.monotonic()
    supervisor = service.Supervisor()
    supervisor.watchdog()
    while supervisor._waiting:  # the thread has taken it, and is stuck with it
        assert time.monotonic() - began < 10
    for number in range(1000):
        supervisor.status(f"{number} delivered")
    for tell in (supervisor.ready, supervisor.reloading, supervisor.ready):
        tell()
    supervisor.close()
    assert time.monotonic() - began < 10
    heard = [manager.recv(4096).decode().split("\n")[0] for _ in range(unread + 4)]
    assert heard[unread:] == ["WATCHDOG=1", "STATUS=999 delivered", "RELOADING=1", "READY=1"]


def test_nobody_listening_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that is gone costs the messages and nothing else; one that comes back is used again."""
    pytest.importorskip("systemd")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    supervisor = service.Supervisor()
    supervisor.ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "gone"))
        listener.settimeout(10)
        supervisor.watchdog()
        before = list(iter(lambda: listener.recv(4096), b"WATCHDOG=1"))
    supervisor.close()
    assert before in ([], [b"READY=1"])  # whether it was sent before anybody listened


def test_outside_systemd_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started from a shell the program costs nothing for systemd's sake, even with a stray WATCHDOG_USEC."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    supervisor = service.Supervisor()
    supervisor.ready()
    assert supervisor._thread is None
    assert supervisor.watchdog_period() is None
    supervisor.close()


@pytest.mark.parametrize(
    ("usec", "pid", "period"),
    [
        pytest.param("30000000", str(os.getpid()), 15.0, id="ours"),
        ("30000000", None, 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_watchdog_period(
    manager: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    usec: str | None,
    pid: str | None,
    period: float | None,
) -> None:
    """WatchdogSec=30 asks this process, and no other, for a sign of life every 15 s."""
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    supervisor = service.Supervisor()
    assert supervisor.watchdog_period() == period
    supervisor.close()


def test_without_the_package_nothing_happens(tmp_path: Path) -> None:
    """The program runs where systemd-python is not installed."""
    code = (
        "import sys; sys.modules['systemd'] = None\n"
        "from invoice_watcher import service\n"
        "supervisor = service.Supervisor(); supervisor.ready(); supervisor.close()\n"
        "assert supervisor._thread is None\n"
        "assert not service.journal_send('text', 6, {})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NOTIFY_SOCKET": str(tmp_path)})


def test_stderr_is_the_journal_only_when_systemd_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit's log goes to the journal; a shell started from it, with another stderr, gets text."""
    stderr = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stderr.st_dev}:{stderr.st_ino}")
    assert service.under_journal()
    monkeypatch.setenv("JOURNAL_STREAM", f"{stderr.st_dev}:{stderr.st_ino + 1}")
    assert not service.under_journal()
    monkeypatch.delenv("JOURNAL_STREAM")
    assert not service.under_journal()


def test_entry_holds_the_fields_and_nothing_else() -> None:
    """An entry has what it was given, on one line: no code location, no locals."""
    entry = service.journal_entry("delivered", 6, {"ORDER_ID": "12345", "FILE_NAME": "a\nb\udcff.pdf"})
    assert entry == ["MESSAGE=delivered", "PRIORITY=6", "ORDER_ID=12345", r"FILE_NAME=a\nb\xff.pdf"]


def _with_private_run(code: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("systemd")
    if not shutil.which("unshare") or subprocess.run([*_PRIVATE_RUN, "true"], check=False).returncode:
        pytest.skip("no user and mount namespaces here")
    return subprocess.run(
        [*_PRIVATE_RUN, sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )


_JOURNALD = """
import json, os, socket
from invoice_watcher import service
os.makedirs("/run/systemd/journal")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
"""


def test_without_journald_the_caller_is_told() -> None:
    """Where no journald runs, or its socket is dead, the line is not lost silently but goes elsewhere."""
    code = _JOURNALD + (
        "answers = [service.journal_send('text', 6, {})]\n"
        "listener.bind(service.JOURNAL_SOCKET); listener.close()\n"
        "print(json.dumps([*answers, service.journal_send('text', 6, {})]))"
    )
    assert json.loads(_with_private_run(code).stdout) == [False, False]


def test_journald_receives_the_fields() -> None:
    """`journalctl ORDER_ID=12345` finds the entry: journald gets the fields as such, and no code location."""
    code = _JOURNALD + (
        "listener.bind(service.JOURNAL_SOCKET)\n"
        "fields = {'ORDER_ID': '12345', 'SYSLOG_IDENTIFIER': 'invoice-watcher'}\n"
        "assert service.journal_send('delivered', 6, fields)\n"
        "print(json.dumps(listener.recv(65536).decode()))"
    )
    lines = json.loads(_with_private_run(code).stdout).splitlines()
    assert lines == ["MESSAGE=delivered", "PRIORITY=6", "ORDER_ID=12345", "SYSLOG_IDENTIFIER=invoice-watcher"]


@pytest.mark.slow
def test_journald_that_does_not_read_is_given_up() -> None:
    """A full journal costs a second a line at most, in one thread, while the others go on."""
    code = _JOURNALD + (
        "import threading, time\n"
        "listener.bind(service.JOURNAL_SOCKET)\n"
        "def fill():\n"
        "    while service.journal_send('text', 6, {}): pass\n"
        "thread = threading.Thread(target=fill, daemon=True); thread.start()\n"
        "longest, last = 0, time.monotonic()\n"
        "while thread.is_alive():\n"
        "    thread.join(0.01); now = time.monotonic(); longest, last = max(longest, now - last), now\n"
        "print(json.dumps(longest))"
    )
    assert json.loads(_with_private_run(code).stdout) < 0.5
