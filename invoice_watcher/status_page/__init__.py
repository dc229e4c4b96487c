"""The status page: a file in the drop folder that tells those who see nothing else how things stand.

A listener that takes its time, so it is to be heard `Aside`. Guarantees: the page is written when something on it
changed, though never twice within two seconds, and once a minute in any case. The time on it is that of the record, by
which its reader sees whether the program is alive, and not only its page; when it ends in good order, it says so. A
page that cannot be written is tried again a minute later; an archive that takes long to read is looked at seldom.
Raises what prevented a page: OSError, or ImportError without Jinja2.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from invoice_watcher.archive import Failed, last_delivered
from invoice_watcher.errors import FolderError
from invoice_watcher.languages import load
from invoice_watcher.moments import seconds
from invoice_watcher.status_page.rendering import render
from invoice_watcher.status_page.sheet import Sheet
from invoice_watcher.status_page.wording import MOST_DELIVERED, MOST_FAILED, Places, Sources, said

if TYPE_CHECKING:
    from invoice_watcher.archive import Filing
    from invoice_watcher.naming import Naming
    from invoice_watcher.standing import Standing
    from invoice_watcher.status_page.view import View

__all__ = ["Places", "StatusPage"]

_BEAT = 59.0  # seconds; just under a minute, for it is called now and then only
_REST = 2.0


class StatusPage:
    """The page of one drop folder."""

    def __init__(self, places: Places, name: str, language: str, naming: Naming) -> None:
        """Begin, with the drop folder that lies there now; OSError when there is none.

        Args:
            places: the folders.
            name: the page's, in the drop folder.
            language: in which language people are spoken to; one of `languages.TAGS`.
            naming: how an order is read from a name.
        """
        self._naming = naming
        self._places = places
        self._language = load(language)
        self._sheet = Sheet(places.drop, name)
        self._failed = Failed(places.failed, MOST_FAILED)
        self._earlier: list[Filing] | None = None
        self._shown: View | None = None
        self._due = 0.0
        self._trouble: tuple[str, float] | None = None
        self._hurry = threading.Event()
        self._back: threading.Thread | None = None

    def hear(self, standing: Standing) -> None:
        """Write the page if it is due; then rest for a moment, so that the next one tells what came meanwhile."""
        found = said(self._sources(standing), self._language)
        now = time.monotonic()
        has_changed = self._shown is not None and found != self._shown  # None: it could not be written
        if now < self._due and not has_changed and not found.is_last:
            return
        self._shown, self._due = None, now + _BEAT
        if self._sheet.write(render(found, self._language, seconds(standing.as_of))):
            self._shown = found
            self._begin_to_look_back()
            self._hurry.wait(_REST)

    def close(self) -> None:
        """Rest no longer; what is heard from now on is written at once."""
        self._hurry.set()

    def remove(self) -> None:
        """Take the page away, because there is to be none, or one of another name."""
        self._sheet.remove()

    def _sources(self, standing: Standing) -> Sources:
        at = seconds(standing.as_of)
        if standing.trouble is None:
            self._trouble = None
        elif self._trouble is None or self._trouble[0] != standing.trouble:
            self._trouble = (standing.trouble, at)
        return Sources(
            standing=standing,
            failed=self._failed.now(),
            earlier=self._earlier or (),
            troubled_at=self._trouble[1] if self._trouble else at,
            places=self._places,
            naming=self._naming,
        )

    def _begin_to_look_back(self) -> None:
        """Learn once, in a thread of its own, what was delivered before the program started; a later page tells it."""
        if self._earlier is None and (self._back is None or not self._back.is_alive()):
            self._back = threading.Thread(target=self._look_back, name="the page's look back", daemon=True)
            self._back.start()

    def _look_back(self) -> None:
        try:
            self._earlier = last_delivered(self._places.done, MOST_DELIVERED, self._rest)
        except FolderError:  # the daemon's own trouble, of which the page tells, and which may pass; or its end
            return

    def _rest(self, seconds: float) -> None:
        """Rest, but hold on to no folder that is to be taken away, nor hold up an end."""
        if self._hurry.wait(seconds) or self._trouble is not None:
            raise FolderError("it is looked at no longer")
