"""What stands on the page, as plain texts in their places; the template puts them into HTML.

Nothing in it is HTML, and everything is fit to be shown: escaped, in one line, of bounded length. Pure values.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from invoice_watcher.record import Record

Tone: TypeAlias = Literal["well", "attention", "trouble", "over"]


class State(Record, frozen=True, kw_only=True):
    """The card at the top.

    Attributes:
        tone: how serious it is, which chooses colour and icon.
        since: in words; None where that says nothing.
        facts: more sentences for everybody.
        small: those for the administrator.
    """

    tone: Tone
    title: str
    since: str | None
    text: str
    facts: tuple[str, ...] = ()
    small: tuple[str, ...] = ()


class Trouble(Record, frozen=True, kw_only=True):
    """One failed file; `original` is the message as it came, where `message` is a translation."""

    order: str
    name: str
    at: Moment
    message: str
    original: str | None
    hint: str


class Wait(Record, frozen=True, kw_only=True):
    """One file that waits; `original` is what its last attempt came to."""

    name: str
    why: str
    problem: str | None
    since: Moment


class Delivery(Record, frozen=True, kw_only=True):
    """One delivered file."""

    at: Moment
    order: str
    name: str


class Moment(NamedTuple):
    """A moment in words, and as machines read it."""

    text: str
    iso: str


class View(Record, frozen=True, kw_only=True):
    """The whole page, but for when it was written.

    Attributes:
        is_last: no other will follow it, so it does not grow old.
        failed_total: as a number is written; None when it is not known.
        left_alone: names of what is no file.
    """

    language: str
    is_last: bool
    state: State
    failed: tuple[Trouble, ...]
    failed_total: str | None
    failed_more: str | None
    left_alone: tuple[str, ...]
    left_alone_total: str
    left_alone_more: str | None
    waiting: tuple[Wait, ...]
    waiting_total: str
    waiting_more: str | None
    delivered: tuple[Delivery, ...]
    mend: str
    legend: tuple[str, ...]
    zone: str
    program: str
