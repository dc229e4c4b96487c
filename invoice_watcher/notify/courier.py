"""Brings one address its messages, from a thread of its own: nobody ever waits for it.

Guarantees: `hear` and `attempted` return at once; what an address that is away was to be told is kept and tried again,
and said in the log. Raises nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from invoice_watcher.config import show_duration

if TYPE_CHECKING:
    from invoice_watcher.audience import Attempt
    from invoice_watcher.notify.digest import Digest, Message
    from invoice_watcher.notify.sending import Address, Trouble
    from invoice_watcher.standing import Standing

_log = logging.getLogger(__name__)


class Courier:
    """Sends what a digest gathers."""

    def __init__(self, address: Address, digest: Digest) -> None:
        """Start to wait for news."""
        self._address, self._digest = address, digest
        self._changed = threading.Condition()
        self._is_closing = self._has_spoken = False
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name=f"notify {address.name}", daemon=True)
        self._thread.start()

    def hear(self, standing: Standing) -> None:
        """Take note of how things stand."""
        with self._changed:
            self._digest.hear(standing, time.monotonic())
            self._wake()

    def attempted(self, attempt: Attempt) -> None:
        """Take note of what came of an attempt."""
        with self._changed:
            self._digest.attempted(attempt, time.monotonic())
            self._wake()

    def close(self) -> None:
        """Send what there is to tell now, once, and end; does not wait for that."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def join(self, patience: float) -> None:
        """Wait until it has ended, and say what was not told where it does not."""
        self._thread.join(patience)
        if self._thread.is_alive():
            with self._changed:
                subject = self._digest.compose().subject
            _log.warning("%s may not learn any more, for it does not answer: %s", self._address.name, subject)

    def _wake(self) -> None:
        if self._digest.due is not None:
            self._changed.notify()

    def _run(self) -> None:
        while (message := self._next()) is not None:
            self._take_note(message, self._address.send(message))

    def _next(self) -> Message | None:
        """Wait for the next message; None at the end."""
        with self._changed:
            while True:
                due, now = self._digest.due, time.monotonic()
                if due is not None and (self._is_closing or now >= due) and not self._has_spoken:
                    self._has_spoken = self._is_closing
                    return self._digest.compose()
                if self._is_closing:
                    return None
                self._changed.wait(None if due is None else min(due - now, threading.TIMEOUT_MAX))

    def _take_note(self, message: Message, trouble: Trouble | None) -> None:
        if trouble is None:
            with self._changed:
                self._digest.sent(message, time.monotonic())
            if self._complaint:
                _log.info("%s: messages are sent again", self._address.name)
            self._complaint = ""
            return
        with self._changed:
            again = self._digest.not_sent(message, time.monotonic())
        if self._has_spoken:
            _log.warning("%s: %s. It was not told: %s", self._address.name, trouble, message.subject)
        elif str(trouble) != self._complaint:
            self._complaint = str(trouble)
            text = "%s: %s. What there is to tell is kept; it is tried again every %s"
            _log.warning(text, self._address.name, trouble, show_duration(again))
