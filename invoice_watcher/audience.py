"""Who hears how things stand, and what came of each attempt; none of them can hurt the daemon.

The loop speaks, and goes on. Whoever takes long (a page that is written, a mail that is sent) listens `Aside`, in a
thread of its own, which always gets the newest and may miss what came before. Guarantees: a listener that fails is
logged, once for each reason, and asked again the next time; all others hear all the same. Raises nothing.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from invoice_watcher.escaping import escape
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from invoice_watcher.outcome import Problem
    from invoice_watcher.standing import Standing

News = TypeVar("News")
Result: TypeAlias = Literal["delivered", "rejected", "deferred"]

_SPACING = 1.0  # seconds between two tellings
_BEAT = 10.0  # seconds after which they are told anew though nothing changed
_LAST_WORDS = 2.0  # seconds that listeners have for them

_log = logging.getLogger(__name__)


class Attempt(Record, frozen=True):
    """What came of one attempt.

    Attributes:
        name: the file's, as it was dropped.
        result: of the upload; None when nothing was sent.
        seconds: how long the upload took; None when nothing was sent.
        filed: it lies in its folder now: "delivered" in done, "rejected" in failed; None when it stays.
        problem: why it was not delivered.
        waiting: how many files wait now.
    """

    name: str
    result: Result | None
    seconds: float | None
    filed: Result | None
    problem: Problem | None
    waiting: int = 0


class _Spared(Generic[News]):
    """A listener whose failures do not reach whoever speaks."""

    def __init__(self, hear: Callable[[News], object], what: str) -> None:
        self._hear, self._what = hear, what
        self._complaint = ""

    def __call__(self, news: News) -> None:
        try:
            self._hear(news)
        except Exception as error:  # noqa: BLE001 - libraries and file systems of all sorts; none may end the daemon
            self._complain(f"{type(error).__name__}: {error}")
        else:
            self._complaint = ""

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.warning("%s: %s", self._what, escape(text))


class Audience:
    """All who listen."""

    def __init__(
        self,
        standings: Sequence[Callable[[Standing], None]] = (),
        attempts: Sequence[Callable[[Attempt], None]] = (),
    ) -> None:
        """Gather them; each must return at once (see `Aside`).

        Args:
            standings: hear how things stand.
            attempts: hear of every attempt.
        """
        self.standings = [_Spared(hear, "telling how things stand") for hear in standings]
        self.attempts = [_Spared(hear, "telling of an attempt") for hear in attempts]
        self._told: Hashable = None
        self._told_at = float("-inf")
        self.due = float("-inf")  # when `tell` is to be called, monotonic seconds

    def tell(self, now: float, changing: Hashable, make: Callable[[], Standing]) -> None:
        """Tell how things stand, when that has changed, or it was not told for long; not too often.

        Args:
            now: monotonic seconds.
            changing: what there is to tell when it differs from the last time.
            make: makes the record; only called when it is told.
        """
        if not self.standings:
            self.due = float("inf")
            return
        beat = self._told_at + _BEAT
        if changing == self._told and now < beat:
            self.due = beat
        elif now < self._told_at + _SPACING:
            self.due = self._told_at + _SPACING
        else:
            self._told, self._told_at, self.due = changing, now, now + _BEAT
            self.tell_now(make())

    def begin_anew(self) -> None:
        """Somebody listens who was not there before: let the next `tell` be heard, whether anything changed or not."""
        self._told, self.due = None, float("-inf")

    def tell_now(self, standing: Standing) -> None:
        """Tell it at once."""
        for hear in self.standings:
            hear(standing)

    def attempted(self, attempt: Attempt) -> None:
        """Tell what came of an attempt."""
        for hear in self.attempts:
            hear(attempt)


class Aside:
    """A listener that may take its time, in a thread of its own."""

    def __init__(self, what: str, hear: Callable[[Standing], None]) -> None:
        """Start to listen.

        Args:
            what: what it does, for the log: "the status page".
            hear: called with the newest; may wait, and may raise.
        """
        self._hear = _Spared(hear, what)
        self._changed = threading.Condition()
        self._newest: Standing | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)
        self._thread.start()

    def hear(self, standing: Standing) -> None:
        """Take the newest; what was not heard by now never is."""
        with self._changed:
            self._newest = standing
            self._changed.notify()

    def close(self, patience: float = _LAST_WORDS) -> None:
        """Let it hear what was told last, and end it; a listener that hangs is left to itself."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        while (standing := self._next()) is not None:
            self._hear(standing)

    def _next(self) -> Standing | None:
        """Wait for something new; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closed)
            newest, self._newest = self._newest, None
            return newest
