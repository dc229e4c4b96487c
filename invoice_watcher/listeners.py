"""Who listens to the daemon, by configuration: the service manager, the control socket, the page, metrics, people.

They live as long as the process; what a reload changes is begun anew, and nothing else. Guarantees: what cannot be
had (a package that is not installed, an address that is taken) is said in the log, and hurts nothing. Another one is a
class of its own here, in the table of `Listeners`. Raises nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invoice_watcher.audience import Aside, Audience
from invoice_watcher.control import Control
from invoice_watcher.escaping import escape
from invoice_watcher.naming import naming_of
from invoice_watcher.status_line import sentence
from invoice_watcher.status_page import Places, StatusPage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.audience import Attempt
    from invoice_watcher.config import Config
    from invoice_watcher.control import Question
    from invoice_watcher.metrics import Metrics
    from invoice_watcher.notify import Notify
    from invoice_watcher.service import Supervisor
    from invoice_watcher.standing import Standing

_NO_METRICS = (
    "there are no metrics, because prometheus-client is not installed; install python3-prometheus-client, or "
    "invoice-watcher[metrics] where it came from pip, and reload"
)

_log = logging.getLogger(__name__)


class Listener:
    """One who listens; each does of this what it has a use for. Nothing here may wait, nor raise."""

    def follow(self, config: Config) -> None:
        """Listen as this configuration says, whose folders are ours by now."""

    def hear(self, standing: Standing) -> None:
        """Hear how things stand."""

    def attempted(self, attempt: Attempt) -> None:
        """Hear what came of one attempt."""

    def close(self) -> None:
        """Listen no longer; what was heard last is passed on, in moments."""


class Listeners:
    """The audience of one process."""

    def __init__(self, supervisor: Supervisor, post: Callable[[Question], None]) -> None:
        """Begin; all but the service manager wait for a configuration.

        Args:
            supervisor: the service manager.
            post: hands a question to the loop.
        """
        self._all = (_ServiceLine(supervisor), _Socket(post), _Page(), _Figures(), _People())
        self.audience = Audience([one.hear for one in self._all], [one.attempted for one in self._all])

    def follow(self, config: Config) -> None:
        """Let all listen as this configuration says."""
        for one in self._all:
            one.follow(config)
        self.audience.begin_anew()

    def close(self) -> None:
        """Let all come to an end."""
        for one in self._all:
            one.close()


class _ServiceLine(Listener):
    """What `systemctl status` shows."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._line = ""

    def hear(self, standing: Standing) -> None:
        line = sentence(standing)
        if line != self._line:
            self._line = line
            self._supervisor.status(line)


class _Socket(Listener):
    """Where `status` and `explain` ask."""

    def __init__(self, post: Callable[[Question], None]) -> None:
        self._post = post
        self._drop: Path | None = None
        self._control: Control | None = None

    def follow(self, config: Config) -> None:
        if config.drop_dir != self._drop:
            self.close()
            self._drop, self._control = config.drop_dir, Control(config.drop_dir, self._post)

    def hear(self, standing: Standing) -> None:
        if self._control is not None:
            self._control.hear(standing)

    def close(self) -> None:
        if self._control is not None:
            self._control.close()


class _Page(Listener):
    """The page in the drop folder."""

    def __init__(self) -> None:
        self._page: StatusPage | None = None
        self._aside: Aside | None = None
        self._key: tuple[Path, str | None] | None = None

    def follow(self, config: Config) -> None:
        """Begin anew with each run, whose folder may be another one than before."""
        self.close()
        key = (config.drop_dir, config.status_page)
        try:
            if self._page is not None and key != self._key:
                self._page.remove()
            self._page, self._key = None, key
            if config.status_page is not None:
                places = Places(config.drop_dir, config.failed_dir, config.done_dir)
                self._page = StatusPage(places, config.status_page, config.status_language, naming_of(config))
                self._aside = Aside("the status page", self._page.hear)
        except OSError as error:  # the next scan learns it too
            _log.warning("the status page: %s", escape(str(error)))

    def hear(self, standing: Standing) -> None:
        if self._aside is not None:
            self._aside.hear(standing)

    def close(self) -> None:
        if self._page is not None and self._aside is not None:
            self._page.close()
            self._aside.close()
            self._aside = None


class _Figures(Listener):
    """The metrics. Once they are counted they go on being counted, also while a configuration shows them nowhere."""

    def __init__(self) -> None:
        self._metrics: Metrics | None = None

    def follow(self, config: Config) -> None:
        if self._metrics is None and (config.metrics.listen or config.metrics.textfile):
            try:
                from invoice_watcher.metrics import Metrics  # noqa: PLC0415 - a large library, for those who want it
            except ImportError as error:
                _log.warning("%s (%s)", _NO_METRICS, escape(str(error)))
                return
            self._metrics = Metrics()
        if self._metrics is not None:
            self._metrics.follow(config)

    def hear(self, standing: Standing) -> None:
        if self._metrics is not None:
            self._metrics.hear(standing)

    def attempted(self, attempt: Attempt) -> None:
        if self._metrics is not None:
            self._metrics.attempted(attempt)

    def close(self) -> None:
        if self._metrics is not None:
            self._metrics.close()


class _People(Listener):
    """Who is told by mail, chat or web hook."""

    def __init__(self) -> None:
        self._notify: Notify | None = None
        self._key: tuple[object, Path] | None = None

    def follow(self, config: Config) -> None:
        if (config.notify, config.drop_dir) == self._key:
            return
        if self._notify is not None:
            self._notify.close(patience=0.0)  # its last messages go out while the new one begins
        self._notify, self._key = None, (config.notify, config.drop_dir)
        if config.notify.urls:
            from invoice_watcher.notify import Notify  # noqa: PLC0415 - for those who want it

            self._notify = Notify(config.notify.urls, config.notify.every, config.drop_dir)

    def hear(self, standing: Standing) -> None:
        if self._notify is not None:
            self._notify.hear(standing)

    def attempted(self, attempt: Attempt) -> None:
        if self._notify is not None:
            self._notify.attempted(attempt)

    def close(self) -> None:
        if self._notify is not None:
            self._notify.close()
