"""Tells people what needs one: documents that were put aside, pauses, folders that are away, by mail or chat.

`digest` gathers and decides when, with `stoppage` and `words`; `sending` sends, by apprise; `courier` has a thread for
each address, so that one that hangs holds up nothing: no upload, no stop, and no other address. Guarantees: nothing
here waits, but for `close`; no address is ever shown, for it may hold a secret. What was gathered when the program is
killed is lost: it stands in the log, and the documents in their folder. Raises nothing.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

from invoice_watcher.notify import words
from invoice_watcher.notify.courier import Courier
from invoice_watcher.notify.digest import Digest, Message
from invoice_watcher.notify.sending import INSTALL, Address, Trouble, is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from invoice_watcher.audience import Attempt
    from invoice_watcher.standing import Standing

__all__ = ["Notify", "Trouble", "look", "test"]

_LAST_WORDS = 2.0  # seconds

_log = logging.getLogger(__name__)


class Notify:
    """All addresses."""

    def __init__(self, urls: Sequence[str], every: float, drop: Path) -> None:
        """Begin to gather; without apprise, or without addresses, nothing is.

        Args:
            urls: the addresses, as apprise writes them.
            every: seconds between two messages to one address, at least.
            drop: the drop folder, by which people know which instance it is.
        """
        if urls and is_missing():
            _log.error("notify.urls: nobody is told anything, for the package apprise is not installed; %s", INSTALL)
            urls = ()
        self._couriers = [Courier(address, Digest(every, _where(drop))) for address in _addresses(urls)]

    def hear(self, standing: Standing) -> None:
        """Take note of how things stand."""
        for courier in self._couriers:
            courier.hear(standing)

    def attempted(self, attempt: Attempt) -> None:
        """Take note of what came of an attempt."""
        for courier in self._couriers:
            courier.attempted(attempt)

    def close(self, patience: float = _LAST_WORDS) -> None:
        """Send what was gathered, and name in the log what could not be sent in time.

        Args:
            patience: seconds; with 0 the last messages are sent in their own time, while the program goes on.
        """
        for courier in self._couriers:
            courier.close()
        end = time.monotonic() + patience
        for courier in self._couriers if patience else ():
            courier.join(max(0.0, end - time.monotonic()))


def look(urls: Sequence[str]) -> Iterator[tuple[str, Trouble | None]]:
    """Yield each address's name, and what is wrong with it as far as can be seen without calling it."""
    for address in _addresses(urls):
        yield address.name, address.look()


def test(urls: Sequence[str], drop: Path) -> Iterator[tuple[str, Trouble | None]]:
    """Send a message to each address, one after another; yields its name, and why it was not sent.

    Those that cannot be used at all are left out: `look` tells of them.
    """
    where = words.neutral(_where(drop))
    text = "This is a test: whoever reads it will be told when something needs a person."
    message = Message("invoice-watcher: a test", (text, f"Where: {where}"), (), 0, (), tells_of_wait=False)
    for address in _addresses(urls):
        if address.look() is None:
            yield address.name, address.send(message)


def _where(drop: Path) -> str:
    return f"{drop} on {socket.gethostname()}"


def _addresses(urls: Sequence[str]) -> list[Address]:
    return [Address(url, number) for number, url in enumerate(urls, 1)]
