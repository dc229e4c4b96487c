"""The life of the process: one daemon after another as the configuration changes, and waiting for folders between them.

SIGTERM and SIGINT stop, SIGHUP reloads. All that is known about invoices lies in the folders, so a reload is an
orderly stop and a start. Guarantees: a configuration that is broken, or whose folders cannot be used, is reported and
changes nothing, nor how that is logged; folders that go away while a daemon runs are waited for, and never made anew,
nor looked for on the bare mount point when their disk went away. `serve` raises ConfigError, FolderError and
FolderInUseError only at the start, and StuckError when only a new process can go on; `deliver_once`, whose folders are
not waited for, raises the errors of folders at any time.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher import affinity, logs, signals, watcher
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
from invoice_watcher.service import Supervisor
from invoice_watcher.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.audience import Audience
    from invoice_watcher.config import Config, Secret
    from invoice_watcher.once import Result
    from invoice_watcher.schedule import Task
    from invoice_watcher.standing import Standing

_log = logging.getLogger(__name__)
_FOLDERS_AGAIN = 1.0  # seconds
_UNUSABLE = (FolderError, FolderInUseError)
_MEANINGS = {**dict.fromkeys(signals.STOPS, Signal.STOP), signal.SIGHUP: Signal.RELOAD}


class Settings(NamedTuple):
    """A configuration that was found good, and the secret that goes with it."""

    config: Config
    api_code: Secret

    def set_up_log(self) -> None:
        """Log as the configuration says from here on, and show nothing of what it says in private."""
        log = self.config.log
        logs.setup(log.level, log.format, [self.api_code.reveal(), *self.config.secrets()])


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
        server.close()


def deliver_once(settings: Settings, mailbox: Mailbox[Posted], audience: Audience) -> Result:
    """Deliver what lies in the folder now, and say what it came to.

    Args:
        settings: the configuration.
        mailbox: where signals arrive, see `prepare`.
        audience: hears of every attempt.
    """
    with closing(Supervisor()) as supervisor:
        daemon = Daemon(*settings, mailbox, supervisor, audience=audience)
        daemon.run(once=True)
    return daemon.result


class _Server:
    """One process: daemons one after another, each with one configuration, and the waiting for folders between them."""

    def __init__(self, load: Callable[[], Settings], mailbox: Mailbox[Posted]) -> None:
        """Read the configuration; raises ConfigError."""
        self._load = load
        self._mailbox = mailbox
        self._settings = load()  # in use
        self._new: Settings | None = None  # read since, and not tried yet
        self._mount_point: Path | None = None  # of the disk on which the folders are; None until they were opened once
        self._kept: dict[str, Task] = {}  # by the last daemon, for the next one on the same folders
        self._said = ""  # why the folders are waited for; empty when that has to be said, again or at all
        self._tally = Tally()  # of all daemons
        self._supervisor = Supervisor()
        self._listeners = Listeners(self._supervisor, mailbox.post)
        self._audience = self._listeners.audience
        self._heartbeat = Heartbeat(self._supervisor)  # for the time between two daemons

    def run(self) -> None:
        """Let one daemon follow another until a stop comes; the first one's faults are raised."""
        daemon: Daemon | None = self._made(self._settings)
        while daemon is not None and self._goes_on_after(daemon):
            daemon = self._next()

    def close(self) -> None:
        """Let all who listen have the last word."""
        self._listeners.close()
        self._supervisor.close()

    def _goes_on_after(self, daemon: Daemon) -> bool:
        """Run a daemon to its end; False when that was a stop, or one came while its folders were waited for."""
        try:
            if daemon.run(reload=self._reload) is End.STOPPED:
                return False
        except FolderError as error:
            if daemon.was_ready:
                self._said = ""
            if not self._wait_for_folders(error):
                return False
        if not daemon.is_over:
            raise StuckError
        self._kept = daemon.kept
        return True

    def _next(self) -> Daemon | None:
        """Make the next daemon, with the new configuration or else as before, once the folders are there.

        None when a stop comes first.
        """
        while True:
            if (daemon := self._made_anew()) is not None:
                return daemon
            try:
                return self._made(self._settings)
            except _UNUSABLE as error:
                if not self._wait_for_folders(error):
                    return None

    def _made_anew(self) -> Daemon | None:
        """Make a daemon with what was read since; None when nothing was, or when its folders cannot be used."""
        new, self._new = self._new, None
        try:
            return self._made(new) if new is not None else None
        except _UNUSABLE as error:
            self._settings.set_up_log()
            _log.error("the new configuration is not used: %s", error)
            return None

    def _made(self, settings: Settings) -> Daemon:
        """Make a daemon; where there was one before, its disk has to be there, and no folder is made."""
        is_new = self._mount_point is None or _folders_of(settings) != _folders_of(self._settings)
        mount_point = _mount_point_of(settings, before=None if is_new else self._mount_point)
        if self._mount_point is None or settings is not self._settings:
            settings.set_up_log()
        daemon = Daemon(
            *settings,
            self._mailbox,
            self._supervisor,
            audience=self._audience,
            create=is_new,
            kept=None if is_new else self._kept,
            tally=self._tally,
        )
        self._settings, self._mount_point = settings, mount_point
        self._listeners.follow(settings.config)
        return daemon

    def _reload(self) -> bool:
        """Read the configuration anew; False, and the old one stays, when it cannot be used."""
        self._supervisor.reloading()
        try:
            self._new = self._load()
        except ConfigError as error:
            for fault in error.faults:
                _log.error("the new configuration is not used: %s", fault)
            self._supervisor.ready()
            return False
        self._said = ""  # who asked for this is told why the folders are waited for, if they are
        _log.info("the configuration was read anew")
        return True

    def _wait_for_folders(self, trouble: Exception) -> bool:
        """Wait a moment for the folders, and say once why; False when a stop came."""
        why, now = str(trouble), time.monotonic()
        if why != self._said:
            self._say_waiting(why)
        self._heartbeat.beat(now, {})
        self._audience.tell(now, why, lambda: self._away(why))
        return self._heed(self._mailbox.next(_FOLDERS_AGAIN), why)

    def _say_waiting(self, why: str) -> None:
        self._said = why
        _log.error("waiting for the folders: %s", why)
        self._audience.tell_now(self._away(why))
        self._supervisor.ready()  # whoever started or reloaded the service need not wait as well

    def _heed(self, message: Signal | Posted | None, why: str) -> bool:
        """Do what a message asks for while the folders are waited for; False for a stop."""
        if message is Signal.STOP:
            self._supervisor.stopping()
            self._audience.tell_now(self._away(why, is_over=True))
            return False
        if message is Signal.RELOAD:
            self._reload()
        elif isinstance(message, Question):
            message.answer(self._away(why), None)
        return True

    def _away(self, why: str, *, is_over: bool = False) -> Standing:
        return away(self._settings.config.drop_dir, self._tally, why, is_over=is_over)


def _folders_of(settings: Settings) -> tuple[Path, ...]:
    config = settings.config
    return (config.drop_dir, config.done_dir, config.failed_dir, config.work_dir)


def _mount_point_of(settings: Settings, before: Path | None) -> Path:
    """Return where the disk of the folders is mounted.

    Args:
        settings: name the folders.
        before: where it was mounted, if they were open before.

    Raises:
        FolderLostError: the disk on which they were is away.
        FolderUnavailableError: it cannot be seen.
    """
    try:
        if before is not None and not is_mount_point(before):
            raise FolderLostError(f"nothing is mounted on {before}, and the folders were there")
        return mount_point_of(settings.config.drop_dir)
    except OSError as error:
        raise FolderUnavailableError(f"cannot see what is mounted: {error.strerror}") from error


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
