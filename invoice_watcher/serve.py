"""The life of the process: signals, one daemon after another as the configuration changes, and waiting for folders.

SIGTERM and SIGINT stop, SIGHUP reloads. All that is known about invoices lies in the folders, so a reload is an
orderly stop and a start. Guarantees: a configuration that is broken, or whose folders cannot be used, is reported and
changes nothing; folders that go away while the daemon runs are waited for, and never made anew, nor looked for on the
bare mount point when their disk went away. Raises ConfigError, FolderError and FolderInUseError only at the start, and
StuckError when only a new process can go on.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher import affinity, signals, watcher
from invoice_watcher.census import away
from invoice_watcher.control import Question
from invoice_watcher.daemon import Daemon, End, Posted
from invoice_watcher.errors import (
    ConfigError,
    FolderError,
    FolderInUseError,
    FolderLostError,
    FolderUnavailableError,
    StuckError,
)
from invoice_watcher.heartbeat import Heartbeat
from invoice_watcher.listeners import Listeners
from invoice_watcher.mailbox import Mailbox, Signal
from invoice_watcher.mounts import is_mount_point, mount_point_of
from invoice_watcher.service import Notifier
from invoice_watcher.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.audience import Audience
    from invoice_watcher.config import Config, Secret
    from invoice_watcher.once import Result
    from invoice_watcher.schedule import Task

_log = logging.getLogger(__name__)
_FOLDERS_AGAIN = 1.0  # seconds
_MEANINGS = {**dict.fromkeys(signals.STOPS, Signal.STOP), signal.SIGHUP: Signal.RELOAD}


class Settings(NamedTuple):
    """A configuration that was found good, and the secret that goes with it."""

    config: Config
    api_code: Secret


def serve(load: Callable[[], Settings], mailbox: Mailbox[Posted]) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        load: reads the configuration; raises ConfigError. Called again on SIGHUP.
        mailbox: where signals arrive, see `prepare`.
    """
    server = _Server(load, mailbox)
    try:
        server.run()
    finally:
        server.listeners.close()
        server.notifier.close()


def deliver_once(settings: Settings, mailbox: Mailbox[Posted], audience: Audience) -> Result:
    """Deliver what lies in the folder now, and say what it came to.

    Args:
        settings: the configuration.
        mailbox: where signals arrive, see `prepare`.
        audience: hears of every attempt.
    """
    daemon = Daemon(*settings, mailbox, Notifier(), audience=audience)
    daemon.run(once=True)
    return daemon.result


class _Server:
    def __init__(self, load: Callable[[], Settings], mailbox: Mailbox[Posted]) -> None:
        self._load = load
        self._mailbox = mailbox
        self._settings = load()
        self._proven: Settings | None = None  # with which a daemon could be made
        self._mount_point: Path | None = None  # of the disk on which the folders were
        self._kept: dict[str, Task] = {}  # by the last run, for the next one on the same folders
        self._told = ""
        self._tally = Tally()  # of all runs
        self.notifier = Notifier()
        self.listeners = Listeners(self.notifier, mailbox.post)
        self._heartbeat = Heartbeat(self.notifier)  # for the time between two runs

    def run(self) -> None:
        while (daemon := self._next_daemon()) is not None:
            try:
                if daemon.run(reload=self._reload) is End.STOPPED:
                    return
            except FolderError as error:
                if self._is_stopped_waiting(error, anew=daemon.was_ready):
                    return
            if not daemon.is_over:
                raise StuckError
            self._kept = daemon.kept

    def _next_daemon(self) -> Daemon | None:
        """Make the next daemon; None when a stop comes first.

        At the start the faults of the folders are raised. Later, those of a new configuration let the old one stay, and
        those of the old one are waited out.
        """
        while True:
            try:
                daemon = self._made_daemon()
            except (FolderError, FolderInUseError) as error:
                if self._proven is None:
                    raise
                if self._settings is not self._proven:
                    _log.error("the new configuration is not used: %s", error)
                    self._settings = self._proven
                elif self._is_stopped_waiting(error):
                    return None
            else:
                self._proven = self._settings
                return daemon

    def _made_daemon(self) -> Daemon:
        """Make a daemon; where there was one before, its disk has to be there, and no folder is made."""
        is_new = self._is_new_place()
        mount_point = self._find_disk(is_new=is_new)
        kept = None if is_new else self._kept
        settings, notifier = self._settings, self.notifier
        daemon = Daemon(
            *settings,
            self._mailbox,
            notifier,
            audience=self.listeners.audience,
            create=is_new,
            kept=kept,
            tally=self._tally,
        )
        self._mount_point = mount_point
        self.listeners.follow(settings.config)
        return daemon

    def _find_disk(self, *, is_new: bool) -> Path:
        """Return where the disk of the folders is mounted; FolderError while the one on which they were is away."""
        try:
            if not is_new and self._mount_point and not is_mount_point(self._mount_point):
                raise FolderLostError(f"nothing is mounted on {self._mount_point}, and the folders were there")
            return mount_point_of(self._settings.config.drop_dir)
        except OSError as error:
            raise FolderUnavailableError(f"cannot see what is mounted: {error.strerror}") from error

    def _is_new_place(self) -> bool:
        """Whether missing folders may be made: not where there were some, for they went away."""
        return self._proven is None or _folders_of(self._settings) != _folders_of(self._proven)

    def _is_stopped_waiting(self, trouble: Exception, *, anew: bool = False) -> bool:
        """Wait a moment for the folders, and say once why; True when a stop came."""
        drop = self._settings.config.drop_dir
        if anew or str(trouble) != self._told:
            self._told = str(trouble)
            _log.error("waiting for the folders: %s", trouble)
            self.listeners.audience.tell_now(away(drop, self._tally, str(trouble)))
            self.notifier.ready()  # whoever started or reloaded the service need not wait as well
        now = time.monotonic()
        self._heartbeat.beat(now, {})
        self.listeners.audience.tell(now, str(trouble), lambda: away(drop, self._tally, str(trouble)))
        message = self._mailbox.next(_FOLDERS_AGAIN)
        if message is Signal.RELOAD:
            self._reload()
        if isinstance(message, Question):
            message.answer(away(drop, self._tally, str(trouble)), None)
        if message is Signal.STOP:
            self.listeners.audience.tell_now(away(drop, self._tally, str(trouble), is_over=True))
        return message is Signal.STOP

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


def _folders_of(settings: Settings) -> tuple[Path, ...]:
    config = settings.config
    return (config.drop_dir, config.done_dir, config.failed_dir, config.work_dir)


def prepare() -> Mailbox[Posted]:
    """Settle the process: where it runs, its umask, its last words, and its signals, which post messages from here on.

    To be called before any thread is started: threads inherit where they run. A lease that is broken must not end the
    process (fcntl(2), SIGIO).
    """
    affinity.gather()
    gc.freeze()  # what the imports made is there to stay, and need not be gone through with every document
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    threading.excepthook = watcher.excepthook
    os.umask(0o027)
    mailbox: Mailbox[Posted] = Mailbox()
    signals.listen(_MEANINGS, lambda number: mailbox.post(_MEANINGS[number]))
    return mailbox
