"""What systemd is told, and what it tells us: readiness, a status line, the watchdog, the journal.

Guarantees: no call of `Supervisor` waits for systemd; messages that it does not read are replaced by newer ones
of the same kind, so never more than five wait. Outside systemd, or without the package systemd-python,
everything here does nothing and answers False or None. Raises nothing: a service manager that cannot be
reached is not a reason to stop uploading invoices.

systemd-python holds the interpreter's lock while its C calls wait, so a full socket would stop every thread
of the program, not only the caller. Therefore room is waited for with poll(2), which frees the lock, before
each such call. Between the two another program may take the last place; then all waits until it is read.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JOURNAL_SOCKET = "/run/systemd/journal/socket"

# Seconds that a log line waits for a place in the journal, and `Supervisor.close` for its last messages.
_JOURNAL_WAIT = 1.0
_CLOSE_WAIT = 1.0
# The manager ignores messages above 4096 bytes; a character takes four at most.
_LONGEST_STATUS = 1000


class Supervisor:
    """What started the program and watches over it: told by sd_notify(3), from a thread, if `NOTIFY_SOCKET` is set."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, str] = {}
        self._closed = False
        self._thread: threading.Thread | None = None
        address = os.environ.get("NOTIFY_SOCKET")
        notify = _notify() if address else None
        if address and notify:
            self._thread = threading.Thread(target=self._drain, args=(address, notify), name="sd_notify", daemon=True)
            self._thread.start()

    def ready(self) -> None:
        """Tell that the start, or a reload, is complete."""
        self._put("READY", "READY=1")

    def status(self, sentence: str) -> None:
        """Show `sentence` in `systemctl status`; of several that were not read yet the last one stays."""
        self._put("STATUS", f"STATUS={escape(sentence)[:_LONGEST_STATUS]}")

    def reloading(self) -> None:
        """Tell that a reload begins; `ready` ends it. The time stamp is what Type=notify-reload asks for."""
        self._put("RELOADING", f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the program is ending."""
        self._put("STOPPING", "STOPPING=1")

    def watchdog(self) -> None:
        """Tell that the program is alive; due every `watchdog_period`."""
        self._put("WATCHDOG", "WATCHDOG=1")

    def watchdog_period(self) -> float | None:
        """Return the seconds between two calls of `watchdog`, or None when nobody expects them.

        Half of the unit's WatchdogSec=, as sd_watchdog_enabled(3) recommends.
        """
        if self._thread is None or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        try:
            microseconds = int(os.environ.get("WATCHDOG_USEC", ""))
        except ValueError:
            return None
        return microseconds / 2_000_000 if microseconds > 0 else None

    def close(self) -> None:
        """Send what still waits, for one second at most, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_WAIT)

    def _put(self, kind: str, message: str) -> None:
        if self._thread is None:
            return
        with self._changed:
            # A repeated kind moves to the end: what the manager believes is what it heard last.
            self._waiting.pop(kind, None)
            self._waiting[kind] = message
            self._changed.notify()

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None

    def _drain(self, address: str, notify: Callable[[str], bool]) -> None:
        while (message := self._next()) is not None:
            with contextlib.suppress(OSError):
                if _has_room(address, timeout=None):
                    notify(message)


def journal_send(message: str, priority: int, fields: Mapping[str, str]) -> bool:
    """Send one structured entry to the journal; False when it cannot be reached or does not read.

    Waits a second at most for a place in the journal's queue. A journal that has stopped reading can still
    stop the program once some hundred entries lie unread: libsystemd's own send buffer cannot be seen here.

    Args:
        message: the entry's text.
        priority: 0 (emergency) to 7 (debug), see syslog(3).
        fields: more fields, by upper-case name.
    """
    try:
        # Inside, because a broken installation of the package is an ImportError too.
        from systemd import journal  # noqa: PLC0415 - the package is optional

        if not _has_room(JOURNAL_SOCKET, timeout=_JOURNAL_WAIT):
            return False
        journal.sendv(*journal_entry(message, priority, fields))
    except (ImportError, OSError):
        return False
    return True


def journal_entry(message: str, priority: int, fields: Mapping[str, str]) -> list[str]:
    """Return the entry's assignments, `NAME=value`, escaped: UTF-8 can hold each of them.

    There is no CODE_FILE, CODE_LINE or CODE_FUNC: `systemd.journal.send` would look them up on the stack.
    """
    everything = {"MESSAGE": message, "PRIORITY": str(priority), **fields}
    return [f"{name}={escape(value)}" for name, value in everything.items()]


def under_journal() -> bool:
    """Return whether standard error is the journal's, by JOURNAL_STREAM of systemd.exec(5)."""
    try:
        stderr = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


def _notify() -> Callable[[str], bool] | None:
    try:
        from systemd import daemon  # noqa: PLC0415 - the package is optional
    except ImportError:
        return None
    notify: Callable[[str], bool] = daemon.notify
    return notify


def _has_room(address: str, timeout: float | None) -> bool:
    """Wait `timeout` seconds (None: for ever) until the datagram socket at `address` takes one more.

    poll(2) sees the receiver's queue only through a connected socket. Raises OSError when nobody listens.
    """
    path = os.fsencode(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.connect(b"\0" + path[1:] if path.startswith(b"@") else path)
        poll = select.poll()
        poll.register(probe, select.POLLOUT)
        return bool(poll.poll(None if timeout is None else timeout * 1000))
