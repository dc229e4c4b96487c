"""What a notification says, made safe for mail, chats and web pages.

Text from outside is escaped and bounded, and its characters that mean something to a chat (mentions, links, emphasis)
are shown by their full-width likenesses: no file name can call everybody, or look like a link. Pure; raises nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.escaping import escape
from invoice_watcher.moments import moment, seconds, span
from invoice_watcher.notify.stoppage import News

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoice_watcher.audience import Attempt
    from invoice_watcher.notify.stoppage import Stoppage
    from invoice_watcher.standing import Standing

_LONGEST_NAME = 120
_LONGEST_TEXT = 300

# An underscore within a word is taken for what it is everywhere.
_MEANINGFUL = re.compile(r"[@<>&*`~|\[\]#\\]|(?<![^\W_])_|_(?![^\W_])")
_FULL_WIDTH = 0xFEE0  # from an ASCII character to its likeness in U+FF01 to U+FF5E


class Words(NamedTuple):
    """How a stoppage of one kind is told: the subject's words, and the sentences'."""

    begun: str
    lasts: str
    over: str
    was: str


PAUSE = Words("the queue is paused", "the queue is still paused", "the queue flows again", "It was paused")
FOLDERS = Words("the folders are away", "the folders are still away", "the folders are back", "They were away")


def neutral(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return text from outside as it may stand anywhere: one line, without any meaning, its middle left out if long."""
    plain = _MEANINGFUL.sub(lambda found: chr(ord(found[0]) + _FULL_WIDTH), escape(text))
    half = longest // 2 - 1
    return plain if len(plain) <= longest else f"{plain[:half]}…{plain[-half:]}"


def failure(attempt: Attempt) -> str:
    """Return what is said of a document that was put aside."""
    name = neutral(attempt.name, _LONGEST_NAME)
    if attempt.problem is None:
        return f"- {name}"
    return f"- {name}: {_sentence(neutral(attempt.problem.message))} {attempt.problem.hint}"


def stoppage_subject(words: Words, news: News) -> str:
    """Return it as a part of the subject."""
    return {News.BEGUN: words.begun, News.LASTS: words.lasts, News.OVER: words.over}[news]


def stoppage(words: Words, found: Stoppage, news: News, wall: float) -> str:
    """Return what is said of a stoppage; `wall` is now, in seconds since the epoch."""
    begin = stoppage_subject(words, news).capitalize()
    since, why = found.since, _sentence(neutral(found.cause.why))
    if news is News.OVER:
        times = f"from {moment(since, wall)} to {moment(found.until, wall)} ({span(found.until - since)})"
        return f"{begin}. {words.was} {times}: {why}"
    return f"{begin}, since {moment(since, wall)}: {why} {found.cause.cure}".rstrip()


def waiting(standing: Standing) -> str:
    """Return how much waits; empty when nothing does."""
    if not standing.waiting or not standing.oldest:
        return ""
    now = seconds(standing.as_of)
    return f"Files that wait: {standing.waiting}, the oldest for {span(now - seconds(standing.oldest))}."


def long_wait(standing: Standing) -> str:
    """Return what is said of a file that waits for hours while nothing is known to stand in its way."""
    if not standing.files:
        return waiting(standing)
    oldest = standing.files[0]
    problem = f" ({neutral(oldest.problem.message)})" if oldest.problem else ""
    return f"{waiting(standing)} It is {neutral(oldest.name, _LONGEST_NAME)}, and {neutral(oldest.text)}{problem}."


def fitted(paragraphs: Sequence[str], failures: Sequence[str], count: int, limit: int) -> str:
    """Return the text: the paragraphs, and as many of the failures by name as fit.

    Args:
        paragraphs: the most important first; the last one, where it happened, is kept.
        failures: those with names.
        count: how many failures there are, those without names included.
        limit: characters, more or less.
    """
    *first, where = paragraphs
    kept = _while_they_fit(first, limit - len(where))
    if not count:
        return "\n\n".join([*kept, where])
    named = _while_they_fit(failures, limit - sum(map(len, kept)) - len(where) - 200)
    more = count - len(named)
    rest = [f"And {more} more."] if more and named else []
    head = f"{failed(count).capitalize()}; each lies among the failed ones, with its reason beside it:"
    return "\n\n".join([*kept, head if named else head[:-1] + ".", *named, *rest, where])


def failed(count: int) -> str:
    """Return how many failed."""
    return f"{count} invoice{'s' if count != 1 else ''} failed"


def _while_they_fit(texts: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for text in texts:
        room -= len(text) + 2
        if room < 0:
            break
        kept.append(text)
    return kept


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
