"""Every language says all that there is to say, and about the same things."""

from __future__ import annotations

import ast
import string
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

import invoice_watcher
from invoice_watcher import hints
from invoice_watcher.languages import ENGLISH, TAGS, Language, load
from invoice_watcher.languages.language import Page
from invoice_watcher.record import Record
from invoice_watcher.standing import State

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(invoice_watcher.__file__).parent
LANGUAGES = [load(tag) for tag in TAGS]
TRANSLATED = [language for language in LANGUAGES if language is not ENGLISH]
NOVEMBER = 1_795_511_700.0  # 24 November 2026, 09:15 UTC
each = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: str(language.tag))
each_translated = pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: str(language.tag))


def holes(sentence: str) -> list[str]:
    """Return what is filled into a sentence."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def sentences(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a language, with where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Record):
        for name in value.__struct_fields__:
            yield from sentences(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from sentences(item, f"{place}[{number}]")
    else:
        pytest.fail(f"{place} is neither a text nor made of texts: {value!r}")


def own_words() -> set[str]:
    """Return every text in the source of the program, `{}` for what is filled in."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
    return found


def unready_reasons() -> set[str]:
    """Return every reason that the source gives for leaving a file where it is."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Unready"), args=[ast.Constant(value=str(text)), *_]):
                    found.add(text)
                case ast.Call(func=ast.Name(id="Unready"), args=[ast.JoinedStr(values=values), *_]):
                    found.add("".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in values))
    return found


def test_english_and_german_are_there() -> None:
    """The configuration offers these two."""
    assert {"de", "en"} <= set(TAGS)
    assert [language.tag for language in LANGUAGES] == list(TAGS)


@each
def test_all_say_the_same_things(language: Language) -> None:
    """A sentence has the same places to fill in, in every language."""
    theirs = {place: holes(text) for place, text in sentences(language.page) if "legend" not in place}
    ours = {place: holes(text) for place, text in sentences(ENGLISH.page) if "legend" not in place}
    assert theirs == ours
    assert [holes(text) for text in language.page.legend_texts] == [holes(text) for text in ENGLISH.page.legend_texts]
    assert len(language.months) == 12


@each_translated
def test_nothing_was_left_in_english(language: Language) -> None:
    """Each sentence is in the language's own words."""
    same = {place for place, text in sentences(language.page) if text in dict(sentences(ENGLISH.page)).values()}
    assert same == set()


@each_translated
def test_every_hint_message_and_cure_is_translated(language: Language) -> None:
    """Whatever failed, the clerk reads what to do in this language; there is no entry for what cannot happen."""
    assert set(language.hints) == set(language.messages) == hints.REASONS
    assert set(language.cures) == {
        reason for reason in hints.REASONS if hints.cure_for(reason) != hints.hint_for(reason)
    }
    assert language.doubt


@each_translated
@pytest.mark.parametrize("reason", sorted(hints.REASONS))
def test_a_hint_is_sentences_for_people(language: Language, reason: str) -> None:
    """A hint is whole sentences in one line; so is a message."""
    for text in (language.hints[reason], language.messages[reason], language.cures.get(reason, "A.")):
        assert text[0].isupper()
        assert text.endswith(".")
        assert text.isprintable()
        assert not holes(text)


@each
def test_every_reason_to_wait_has_words(language: Language) -> None:
    """Each state in which a file may wait is told in this language."""
    assert set(language.states) == set(get_args(State))


@each_translated
def test_phrases_are_those_of_the_program(language: Language) -> None:
    """Why a file is not ready is told in this language; no phrase is left over from words that have changed."""
    assert unready_reasons() <= set(language.phrases)
    assert set(language.phrases) <= own_words()
    for text, phrase in language.phrases.items():
        assert len(holes(phrase)) <= len(holes(text))


def test_a_phrase_keeps_what_differs() -> None:
    """A number within one of the program's texts stands in the translation too; unknown texts stay as they are."""
    german = load("de")
    assert german.phrase("changed moments ago, and is left alone for 2 s") == (
        "Wurde gerade erst geändert und bleibt noch 2 s unberührt"
    )
    assert german.phrase("something new {0}") == "something new {0}"


@pytest.mark.parametrize(
    ("tag", "day", "moment", "number"),
    [("en", "24 Nov 2026", "24 Nov 2026, 10:15", "1,234"), ("de", "24. Nov. 2026", "24. Nov. 2026, 10:15", "1.234")],
)
def test_dates_and_numbers_are_written_as_is_usual(berlin: None, tag: str, day: str, moment: str, number: str) -> None:
    """Dates name the month, so that nobody takes the day for it; today's need none."""
    language = load(tag)
    at = NOVEMBER
    assert (language.day(at), language.moment(at, at + 86_400), language.moment(at, at + 60)) == (day, moment, "10:15")
    assert language.number(1234) == number


@pytest.mark.parametrize(
    ("zone", "tag", "name"),
    [
        ("Europe/Berlin", "en", "CET, UTC+01:00"),
        ("Europe/Berlin", "de", "MEZ, UTC+01:00"),
        ("UTC", "en", "UTC"),
        ("America/Sao_Paulo", "en", "UTC-03:00"),  # which has no name of its own
    ],
)
def test_the_zone_is_named(monkeypatch: pytest.MonkeyPatch, zone: str, tag: str, name: str) -> None:
    """Whoever reads a time knows where it is true."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        assert load(tag).zone(NOVEMBER) == name
    time.tzset()


def test_each_sentence_is_used() -> None:
    """No sentence of the page is kept that nobody reads."""
    source = "".join(
        path.read_text()
        for path in (PACKAGE / "status_page").rglob("*")
        if path.is_file() and path.suffix in {".py", ".html"}
    )
    assert [name for name in Page.__struct_fields__ if f".{name}" not in source] == []
