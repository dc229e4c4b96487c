"""Who listens to the daemon, by configuration: the service manager, the control socket, the page, metrics, people.

They live as long as the process; what a reload changes is begun anew, and nothing else. Guarantees: what cannot be
had (a package that is not installed, an address that is taken) is said in the log, and hurts nothing. Raises nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invoice_watcher.audience import Aside, Audience
from invoice_watcher.backlog import naming_of
from invoice_watcher.control import Control
from invoice_watcher.escaping import escape
from invoice_watcher.status_line import sentence
from invoice_watcher.status_page import EVERY, Places, StatusPage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.audience import Attempt
    from invoice_watcher.config import Config
    from invoice_watcher.config import Notify as NotifyKeys
    from invoice_watcher.control import Question
    from invoice_watcher.metrics import Metrics
    from invoice_watcher.notify import Notify
    from invoice_watcher.service import Notifier
    from invoice_watcher.standing import Standing

_NO_METRICS = (
    "there are no metrics, because prometheus-client is not installed; install python3-prometheus-client, or "
    "invoice-watcher[metrics] where it came from pip, and reload"
)

_log = logging.getLogger(__name__)


class Listeners:
    """The audience of one process."""

    def __init__(self, notifier: Notifier, post: Callable[[Question], None]) -> None:
        """Begin with the service manager alone.

        Args:
            notifier: tells the service manager.
            post: hands a question to the loop.
        """
        self._notifier, self._post = notifier, post
        self._line = ""
        self._drop: Path | None = None
        self._control: Control | None = None
        self._metrics: Metrics | None = None
        self._notify: Notify | None = None
        self._notify_keys: tuple[NotifyKeys, Path] | None = None
        self._page: StatusPage | None = None
        self._page_aside: Aside | None = None
        self._page_key: tuple[Path, str | None] | None = None
        tells = [self._tell_service, self._tell_control, self._tell_people, self._tell_page]
        self.audience = Audience(tells, [self._tell_people_of])

    def follow(self, config: Config) -> None:
        """Listen as this configuration says, whose folders are ours by now."""
        if config.drop_dir != self._drop:
            self._close_control()
            self._drop, self._control = config.drop_dir, Control(config.drop_dir, self._post)
        self._follow_metrics(config)
        self._follow_notify(config)
        self._follow_page(config)

    def close(self) -> None:
        """Listen no longer; what was heard last is passed on, in moments."""
        self._close_control()
        self._close_page()
        if self._metrics is not None:
            self._metrics.close()
        if self._notify is not None:
            self._notify.close()

    def _tell_service(self, standing: Standing) -> None:
        line = sentence(standing)
        if line != self._line:
            self._line = line
            self._notifier.status(line)

    def _tell_control(self, standing: Standing) -> None:
        if self._control is not None:
            self._control.hear(standing)

    def _tell_people(self, standing: Standing) -> None:
        if self._notify is not None:
            self._notify.hear(standing)

    def _tell_people_of(self, attempt: Attempt) -> None:
        if self._notify is not None:
            self._notify.attempted(attempt)

    def _tell_page(self, standing: Standing) -> None:
        if self._page_aside is not None:
            self._page_aside.hear(standing)

    def _follow_page(self, config: Config) -> None:
        """Begin the page anew with each run, whose folder may be another one than before."""
        self._close_page()
        key = (config.drop_dir, config.status_page)
        try:
            if self._page is not None and key != self._page_key:
                self._page.remove()
            self._page, self._page_key = None, key
            if config.status_page is not None:
                places = Places(config.drop_dir, config.failed_dir, config.done_dir)
                self._page = StatusPage(places, config.status_page, config.status_language, naming_of(config))
                self._page_aside = Aside("the status page", self._page.hear, EVERY)
        except OSError as error:  # the next scan learns it too
            _log.warning("the status page: %s", escape(str(error)))

    def _close_page(self) -> None:
        if self._page is not None and self._page_aside is not None:
            self._page.close()
            self._page_aside.close()
            self._page_aside = None

    def _follow_notify(self, config: Config) -> None:
        if (config.notify, config.drop_dir) == self._notify_keys:
            return
        if self._notify is not None:
            self._notify.close(patience=0.0)  # its last messages go out while the new one begins
        self._notify, self._notify_keys = None, (config.notify, config.drop_dir)
        if config.notify.urls:
            from invoice_watcher.notify import Notify  # noqa: PLC0415 - for those who want it

            self._notify = Notify(config.notify.urls, config.notify.every, config.drop_dir)

    def _follow_metrics(self, config: Config) -> None:
        """Once they are counted they go on being counted, also while a configuration shows them nowhere."""
        if self._metrics is None and (config.metrics.listen or config.metrics.textfile):
            try:
                from invoice_watcher.metrics import Metrics  # noqa: PLC0415 - a large library, for those who want it
            except ImportError as error:
                _log.warning("%s (%s)", _NO_METRICS, escape(str(error)))
                return
            self._metrics = Metrics()
            self.audience.standings.append(self._metrics.hear)
            self.audience.attempts.append(self._metrics.attempted)
        if self._metrics is not None:
            self._metrics.follow(config)

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
