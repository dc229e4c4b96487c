"""What a notification says: no text from outside can mean anything in it, and it fits where it has to go."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.audience import Attempt
from invoice_watcher.notify.words import failure, fitted, neutral
from invoice_watcher.outcome import Problem, Source

HOSTILE = [
    "@everyone.pdf",
    "<!channel> <@U123>",
    "[click](https://evil.example)",
    "**bold** __bold__ ~~gone~~ ||hidden||",
    "`code`",
    "# big",
    "<b>bold</b> &lt;",
    "a\nBcc: x@example.org",
    "\x1b[31m\u202egnp.exe",
    "\\*",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_means_anything(text: str) -> None:
    """A file name calls nobody, is no link, no emphasis, no HTML, no second line, and cannot move a cursor."""
    shown = neutral(text)
    assert not re.search(r"[@<>&*`~|\[\]#\\]|__", shown)
    assert shown.isprintable()


def test_an_ordinary_name_stays_as_it_is() -> None:
    """A name can be copied out of a message and searched for."""
    for name in ("12345.pdf", "INV_2026-11_12345 (2).pdf", "Müller & Söhne.pdf".replace("&", "und"), "發票 12345.pdf"):
        assert neutral(name) == name


@given(st.text(), st.integers(min_value=10, max_value=300))
def test_it_is_bounded(text: str, longest: int) -> None:
    """Whatever a notification is about, its names and messages are each one printable line of bounded length."""
    shown = neutral(text, longest)
    assert len(shown) <= longest
    assert shown == "" or shown.isprintable()


def test_a_failure() -> None:
    """A failed invoice is named in a notification with the reason and what to do."""
    problem = Problem(Source.API, 100, "unknown_order", "Order ID is wrong", "Check the number.")
    attempt = Attempt("12345.pdf", "rejected", 0.1, "rejected", problem)
    assert failure(attempt) == "- 12345.pdf: Order ID is wrong. Check the number."


@given(
    st.lists(st.text(min_size=1, max_size=300), max_size=3),
    st.lists(st.text(min_size=1, max_size=600), max_size=20),
    st.integers(min_value=0, max_value=1000),
    st.integers(min_value=400, max_value=40_000),
)
def test_it_fits(paragraphs: list[str], failures: list[str], more: int, limit: int) -> None:
    """A message keeps within a chat's two thousand characters: failures are named as fit, and all counted."""
    count = len(failures) + more
    text = fitted([*paragraphs, "Where: here"], failures, count, limit)
    assert len(text) <= limit
    assert text.endswith("Where: here")
    if count:
        assert f"{count} invoice" in text


def test_a_short_message_says_how_many() -> None:
    """Where there is room for a few words only, a message says what happened, how often, and where."""
    text = fitted(["The queue is paused.", "Where: here"], ["- 1.pdf: no."], 7, 0)
    assert text == "7 invoices failed; each lies among the failed ones, with its reason beside it.\n\nWhere: here"
