"""The life of the process: signals, one daemon after another as the configuration changes, and waiting for folders.

SIGTERM and SIGINT stop, SIGHUP reloads. All that is known about invoices lies in the folders, so a reload is an
orderly stop and a start. Guarantees: a configuration that is broken is reported and changes nothing; folders that go
away while the daemon runs are waited for, and never made anew. Raises ConfigError and FolderError only at the start.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher import signals
from invoice_watcher.daemon import Attempted, Daemon, End, Tally
from invoice_watcher.errors import ConfigError, FolderError, FolderLostError
from invoice_watcher.mailbox import Mailbox, Signal
from invoice_watcher.service import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.config import Config, Secret
    from invoice_watcher.delivery import Report
    from invoice_watcher.schedule import Task

_log = logging.getLogger(__name__)
_FOLDERS_AGAIN = 1.0  # seconds
_MEANINGS = {signal.SIGTERM: Signal.STOP, signal.SIGINT: Signal.STOP, signal.SIGHUP: Signal.RELOAD}


class Settings(NamedTuple):
    """A configuration that was found good, and the secret that goes with it."""

    config: Config
    api_code: Secret


def serve(load: Callable[[], Settings]) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        load: reads the configuration; raises ConfigError. Called again on SIGHUP.
    """
    mailbox = _mailbox_with_signals()
    server = _Server(load, load(), mailbox)
    try:
        server.run()
    finally:
        server.notifier.close()


def deliver_once(load: Callable[[], Settings], on_report: Callable[[Task, Report, int], None]) -> Tally:
    """Deliver what lies in the folder now, and say what it came to.

    Args:
        load: reads the configuration; raises ConfigError.
        on_report: hears what came of every attempt, and how many wait.
    """
    mailbox = _mailbox_with_signals()
    daemon = Daemon(*load(), mailbox, Notifier(), on_report=on_report)
    daemon.run(once=True)
    return daemon.tally


class _Server:
    def __init__(self, load: Callable[[], Settings], settings: Settings, mailbox: Mailbox[Attempted]) -> None:
        self._load = load
        self._settings = settings
        self._mailbox = mailbox
        self.notifier = Notifier()

    def run(self) -> None:
        create = True
        while True:
            daemon = self._daemon(create=create)
            if daemon is None:
                return
            create = False
            try:
                if daemon.run(reload=self._reload) is End.STOPPED:
                    return
            except FolderLostError as error:
                _log.error("%s; nothing is sent until it is back", error)

    def _daemon(self, *, create: bool) -> Daemon | None:
        """Make the next daemon; at the start its faults are raised, later they are waited out (None: stopped)."""
        told = ""
        while True:
            try:
                return Daemon(*self._settings, self._mailbox, self.notifier, create=create)
            except FolderError as error:
                if create:
                    raise
                if str(error) != told:
                    told = str(error)
                    _log.error("waiting for the folders: %s", error)
                    self.notifier.status(f"waiting for the folders: {error}")
            message = self._mailbox.next(_FOLDERS_AGAIN)
            if message is Signal.STOP:
                return None
            if message is Signal.RELOAD:
                self._reload()

    def _reload(self) -> bool:
        """Read the configuration anew; False, and the old one stays, when it cannot be used."""
        self.notifier.reloading()
        try:
            self._settings = self._load()
        except ConfigError as error:
            for fault in error.faults:
                _log.error("the new configuration is not used: %s", fault)
            self.notifier.ready()
            return False
        _log.info("the configuration was read anew")
        return True


def _mailbox_with_signals() -> Mailbox[Attempted]:
    """Let signals post messages, from here on; a lease that is broken must not kill us (fcntl(2), SIGIO)."""
    signals.block(_MEANINGS)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    os.umask(0o027)
    mailbox: Mailbox[Attempted] = Mailbox()
    signals.listen(_MEANINGS, lambda number: mailbox.post(_MEANINGS[number]))
    return mailbox
