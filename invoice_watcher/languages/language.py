"""What a language has to say: every sentence of the status page, and how its people write dates and numbers.

A language is one module beside this one with a `LANGUAGE` in it; the type checker says what it forgot. Sentences may
hold `{name}`s, which are filled in. Pure; raises nothing.
"""

from __future__ import annotations

import re
import time
from functools import cached_property
from typing import TYPE_CHECKING

from invoice_watcher.record import Record, field

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOLE = re.compile(r"\\{[^{}]*\\}")  # of a sentence that went through re.escape


class Counted(Record, frozen=True):
    """A sentence about a number: for one, and for any other; `{n}` is the number."""

    one: str
    many: str


class Card(Record, frozen=True, kw_only=True):
    """What the first thing on the page says: a few words, and what that means for the reader."""

    title: str
    text: str


class Cards(Record, frozen=True, kw_only=True):
    """What the first thing on the page says, in each case."""

    well: Card
    attention: Card  # it runs, but some have failed, or are no files
    world: Card  # paused: the service's side is away
    operator: Card  # paused: the administrator has to act
    ours: Card  # paused: this machine cannot record anything
    trouble: Card  # the folders are away
    over: Card


class Page(Record, frozen=True, kw_only=True):
    """The other sentences of the page.

    Attributes:
        behind: `{name}` is a file's.
        again: `{time}` is when a file is sent again.
        mend: what to do with a failed file; `{folder}` is the folder in which it lies.
    """

    heading: str
    written: str
    renewed: str
    final: str
    stale_title: str
    stale: str
    since: str
    next_try: str
    for_administrator: str
    message: str
    on_their_way: Counted
    running_since: str

    failed: str
    failed_none: str
    failed_more: Counted
    mend: str
    order: str
    no_order: str
    order_number: str
    file: str
    time: str
    what_happened: str
    what_to_do: str
    unexplained: str
    unexplained_cure: str
    failed_unknown: str

    left_alone: str
    left_alone_why: str
    left_alone_more: Counted

    waiting: str
    waiting_none: str
    waiting_more: Counted
    why: str
    waiting_since: str
    behind: str
    again: str
    sent: Counted

    delivered: str
    delivered_none: str

    legend: str
    legend_texts: tuple[str, ...]
    zone: str
    program: str


class Language(Record, frozen=True, kw_only=True, dict=True):
    """One language.

    Attributes:
        tag: as HTML knows it (BCP 47).
        name: of the language, in it.
        months: short, January first.
        date: with `{day}`, `{month}` (its name) and `{year}`.
        date_and_time: with `{date}` and `{time}`.
        thousands: what stands between groups of three digits.
        zones: names of time zones that this language has its own for.
        states: why a file waits, by its state: a short sentence.
        hints: by reason, what to do; empty where the program's own words are in this language, as all below.
        cures: by reason, what the administrator can do.
        messages: by reason, what happened.
        phrases: other texts of the program, each with `{}` for what differs; what stands for it may leave that out.
        doubt: is added to a hint where an earlier attempt may have gone through.
    """

    tag: str
    name: str
    months: tuple[str, ...]
    date: str
    date_and_time: str
    thousands: str
    zones: Mapping[str, str] = field(default_factory=dict)
    cards: Cards
    page: Page
    states: Mapping[str, str]
    hints: Mapping[str, str] = field(default_factory=dict)
    cures: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    phrases: Mapping[str, str] = field(default_factory=dict)
    doubt: str = ""

    def number(self, number: int) -> str:
        """Return a number as it is written."""
        return f"{number:,}".replace(",", self.thousands)

    def counted(self, sentence: Counted, number: int) -> str:
        """Return a sentence about a number."""
        return (sentence.one if number == 1 else sentence.many).format(n=self.number(number))

    def day(self, at: float) -> str:
        """Return a day of this machine's zone; `at` is in seconds since the epoch, as all moments here."""
        then = time.localtime(at)
        return self.date.format(day=then.tm_mday, month=self.months[then.tm_mon - 1], year=then.tm_year)

    def clock(self, at: float) -> str:
        """Return the time of day."""
        return time.strftime("%H:%M", time.localtime(at))

    def moment(self, at: float, now: float) -> str:
        """Return a moment: the time of day, and the day where that is not today."""
        same = time.localtime(at)[:3] == time.localtime(now)[:3]
        return self.clock(at) if same else self.date_and_time.format(date=self.day(at), time=self.clock(at))

    def zone(self, at: float) -> str:
        """Return the name of this machine's zone where it has one, and how far it is from UTC."""
        then = time.localtime(at)
        offset = time.strftime("%z", then)
        from_utc = f"UTC{offset[:3]}:{offset[3:]}" if then.tm_gmtoff else "UTC"
        named = then.tm_zone.isalpha() and then.tm_zone != "UTC"
        return f"{self.zones.get(then.tm_zone, then.tm_zone)}, {from_utc}" if named else from_utc

    def phrase(self, text: str) -> str:
        """Return one of the program's texts in this language, or as it is where there are no words for it."""
        for pattern, phrase in self._patterns:
            if match := pattern.fullmatch(text):
                return phrase.format(*match.groups())
        return text

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile(_HOLE.sub("(.*)", re.escape(text)), re.DOTALL), phrase) for text, phrase in self.phrases.items()
        ]
