"""What there is to tell a person, gathered until it is time: one message in place of many, and none for nothing.

Told are documents that were put aside, pauses and folders that are away, their end, and a file that waits for hours
though nothing is known to stand in its way. The first word comes soon, after a short time in which a burst gathers;
then one message in `every` at most. Guarantees: what was told is not told again, what could not be told is kept; memory
is bounded: the first failures are kept by name, the others counted. Pure: moments (monotonic seconds) are arguments.
Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.moments import seconds
from invoice_watcher.notify import words
from invoice_watcher.notify.stoppage import REMINDER, Cause, News, Stoppage
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.audience import Attempt
    from invoice_watcher.notify.words import Words
    from invoice_watcher.standing import Standing

MOST_NAMED = 20
GATHERING = 10.0  # seconds from the first thing to the message that tells it
BRIEF = 60.0  # seconds; a stoppage that was shorter is not told
LONG_WAIT = 2 * 3600.0  # seconds
AGAIN = 900.0  # seconds until what could not be sent is tried again, at most


class Told(NamedTuple):
    """A stoppage as a message tells of it."""

    kind: Words
    stoppage: Stoppage
    news: News
    cause: Cause


class Message(Record, frozen=True):
    """One message.

    Attributes:
        subject: one line, without anything from outside.
        paragraphs: what happened besides failures, and in the end where.
        failures: those named.
        count: of all failures.
        told: the stoppages it tells of.
        tells_of_wait: it tells of a file that waits for long.
    """

    subject: str
    paragraphs: tuple[str, ...]
    failures: tuple[str, ...]
    count: int
    told: tuple[Told, ...]
    tells_of_wait: bool

    def text(self, limit: int) -> str:
        """Return it in about `limit` characters."""
        return words.fitted(self.paragraphs, self.failures, self.count, limit)


class Digest:
    """Gathers what one address is to be told."""

    def __init__(self, every: float, where: str) -> None:
        """Begin with nothing.

        Args:
            every: seconds between two messages at least.
            where: the machine and the folder, as people know them.
        """
        self._every, self._where = every, words.neutral(where)
        self._brief = min(BRIEF, every)
        self._failures: list[str] = []
        self._count = 0
        self._stoppages: dict[Words, Stoppage] = {}
        self._standing: Standing | None = None
        self._flows_since: float | None = None
        self._wait_told_at: float | None = None
        self._first: float | None = None  # since when there is something to tell
        self._not_before = float("-inf")
        self._now = float("-inf")

    def hear(self, standing: Standing, now: float) -> None:
        """Take note of how things stand; to be told often, for it is also how time passes."""
        self._standing = standing
        if standing.is_over:
            return
        self._follow(words.FOLDERS, _trouble_of(standing), standing, now)
        if standing.trouble is None:  # else nothing is known of the queue
            self._follow(words.PAUSE, _pause_of(standing), standing, now)
        self._look_at_wait(standing, now)
        self._look(now)

    def attempted(self, attempt: Attempt, now: float) -> None:
        """Take note of what came of an attempt: only what was put aside needs a person."""
        if attempt.filed == "rejected":
            self._count += 1
            if len(self._failures) < MOST_NAMED:
                self._failures.append(words.failure(attempt))
            self._look(now)

    @property
    def due(self) -> float | None:
        """When the next message is to be sent; None when there is nothing to tell."""
        return None if self._first is None else max(self._first + min(GATHERING, self._every), self._not_before)

    def compose(self) -> Message:
        """Make a message of all that there is to tell; `sent` or `not_sent` says what came of it."""
        told = tuple(self._news())
        for one in told:
            one.stoppage.in_flight = True
        waits = self._tells_of_wait()
        return Message(
            subject=self._subject(told, waits=waits),
            paragraphs=tuple(filter(None, [*self._paragraphs(told, waits=waits), f"Where: {self._where}"])),
            failures=tuple(self._failures),
            count=self._count,
            told=told,
            tells_of_wait=waits,
        )

    def sent(self, message: Message, now: float) -> None:
        """It has arrived: what it told is not told again; what came meanwhile is, in its time."""
        self._not_before, self._first = now + self._every, None
        del self._failures[: len(message.failures)]
        self._count -= message.count
        for kind, stoppage, news, cause in message.told:
            stoppage.in_flight = False
            if stoppage.is_told(news, cause, now):
                del self._stoppages[kind]
        if message.tells_of_wait:
            self._wait_told_at = now
        self._look(now)

    def not_sent(self, message: Message, now: float) -> float:
        """It has not arrived, and is tried again, with what comes until then; returns after how many seconds."""
        for one in message.told:
            one.stoppage.in_flight = False
        again = min(self._every, AGAIN)
        self._not_before = now + again
        self._look(now)
        return again

    def _follow(self, kind: Words, cause: Cause | None, standing: Standing, now: float) -> None:
        known = self._stoppages.get(kind)
        if cause is None:
            if known is not None:
                known.ends(now, seconds(standing.as_of))
        elif known is None or known.is_nothing:
            self._stoppages[kind] = Stoppage(cause, cause.since, now, self._brief)
        else:
            known.goes_on(cause)

    def _look_at_wait(self, standing: Standing, now: float) -> None:
        """Note since when all flows: the wait behind a stoppage is told with that."""
        if standing.pause or standing.trouble or self._flows_since is None:
            self._flows_since = now
        if not self._waits_for_long(now):
            self._wait_told_at = None

    def _waits_for_long(self, now: float) -> bool:
        standing = self._standing
        if standing is None or not standing.oldest or self._flows_since is None:
            return False
        age = seconds(standing.as_of) - seconds(standing.oldest)
        return min(age, now - self._flows_since) >= LONG_WAIT

    def _tells_of_wait(self) -> bool:
        told_at = self._wait_told_at
        return self._waits_for_long(self._now) and (told_at is None or self._now >= told_at + REMINDER)

    def _look(self, now: float) -> None:
        """Note since when there is something to tell."""
        self._now = max(now, self._now)
        if not (self._count or self._tells_of_wait() or any(True for _ in self._news())):
            self._first = None
        elif self._first is None:
            self._first = now

    def _news(self) -> Iterator[Told]:
        for kind, stoppage in self._stoppages.items():
            if news := stoppage.news(self._now):
                yield Told(kind, stoppage, news, stoppage.cause)

    def _subject(self, told: tuple[Told, ...], *, waits: bool) -> str:
        parts = [words.stoppage_subject(kind, news) for kind, _, news, _ in told]
        if self._count:
            parts.append(words.failed(self._count))
        if waits:
            parts.append("a file waits for long")
        return f"invoice-watcher: {', '.join(parts)}"

    def _paragraphs(self, told: tuple[Told, ...], *, waits: bool) -> Iterator[str]:
        if self._standing is None:
            return
        wall = seconds(self._standing.as_of)
        yield from (words.stoppage(kind, stoppage, news, wall) for kind, stoppage, news, _ in told)
        if waits:
            yield words.long_wait(self._standing)
        elif told:
            yield words.waiting(self._standing)


def _pause_of(standing: Standing) -> Cause | None:
    pause = standing.pause
    if pause is None:
        return None
    return Cause(pause.message, pause.cure, seconds(pause.since), passes=pause.fault == "world")


def _trouble_of(standing: Standing) -> Cause | None:
    if standing.trouble is None:
        return None
    return Cause(standing.trouble, "", seconds(standing.as_of), passes=False)
