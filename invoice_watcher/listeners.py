"""Who listens to the daemon, by configuration: the service manager's line, the control socket.

They live as long as the process; what a reload changes is begun anew, and nothing else. Guarantees: what cannot be
had (a package that is not installed, an address that is taken) is said in the log, and hurts nothing. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.audience import Audience
from invoice_watcher.control import Control
from invoice_watcher.status_line import sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.config import Config
    from invoice_watcher.control import Question
    from invoice_watcher.service import Notifier
    from invoice_watcher.standing import Standing


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
        self.audience = Audience([self._tell_service, self._tell_control])

    def follow(self, config: Config) -> None:
        """Listen as this configuration says, whose folders are ours by now."""
        if config.drop_dir != self._drop:
            self._close_control()
            self._drop, self._control = config.drop_dir, Control(config.drop_dir, self._post)

    def close(self) -> None:
        """Listen no longer; what was heard last is passed on, in moments."""
        self._close_control()

    def _tell_service(self, standing: Standing) -> None:
        line = sentence(standing)
        if line != self._line:
            self._line = line
            self._notifier.status(line)

    def _tell_control(self, standing: Standing) -> None:
        if self._control is not None:
            self._control.hear(standing)

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
