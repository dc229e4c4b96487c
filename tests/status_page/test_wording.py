"""What the page says, in which case: plain words, bounded, and fit to be shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.archive import FailedNow, Filing
from invoice_watcher.hints import cure_for, hint_for
from invoice_watcher.languages import TAGS, load
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Source
from invoice_watcher.receipt import Error
from invoice_watcher.record import Record
from invoice_watcher.standing import Sent
from invoice_watcher.status_page.wording import (
    MOST_DELIVERED,
    MOST_FAILED,
    MOST_LEFT_ALONE,
    MOST_WAITING,
    Places,
    Sources,
    said,
    shown_name,
    shown_text,
)
from tests.status_page.cases import DROP, NOW, at, failed, page, page_view, paused, standing, waiter

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("berlin")

HOSTILE = "a\u202egpj.\n\x1b[2J\udcff\u2066b" * 50


def texts_in(shown: object) -> Iterator[str]:
    """Yield every text of a page, however deep it lies in its records."""
    if isinstance(shown, str):
        yield shown
    elif isinstance(shown, tuple):
        for one in shown:
            yield from texts_in(one)
    elif isinstance(shown, Record):
        for name in shown.__struct_fields__:
            yield from texts_in(getattr(shown, name))


def test_all_well_is_said_in_one_glance() -> None:
    """Running, nothing failed: the card says that all is well, and that nothing waits."""
    view = page_view()
    assert (view.state.tone, view.state.title, view.state.since) == ("well", "All is well", None)
    assert (view.failed, view.failed_total, view.waiting, view.waiting_more) == ((), "0", (), None)
    assert [one.at.text for one in view.delivered] == ["10:12", "10:01", "09:49", "09:37", "09:26", "09:14"]


def test_files_that_wait_their_turn_are_no_trouble() -> None:
    """While invoices are on their way, all is well; how many there are is said."""
    view = page_view(told=standing(waiting=1, files=(waiter("1.pdf"),)))
    assert view.state.tone == "well"
    assert view.state.facts[0] == "1 invoice is on its way."
    assert page_view("de", standing(waiting=2345)).state.facts[0] == "2.345 Rechnungen sind unterwegs."


def test_failed_files_ask_for_attention() -> None:
    """What failed needs somebody, so the card does not say that all is well."""
    view = page_view(fails=[failed("1.pdf", "order_closed", "Order is shipped", order="1", code=103)])
    assert view.state.tone == "attention"
    one = view.failed[0]
    assert (one.order, one.name, one.at.text, one.message) == ("Order 1", "1.pdf", "10:00", "Order is shipped")
    assert (one.original, one.hint) == (None, hint_for("order_closed"))
    assert view.mend.startswith("These files lie in the folder failed.")


def test_a_failure_in_german_tells_the_original_too() -> None:
    """The clerk reads German; whoever is called can read what the API said."""
    one = page_view("de", fails=[failed("1.pdf", "order_closed", "Order is shipped", order="1", code=103)]).failed[0]
    assert (one.order, one.message) == ("Auftrag 1", "Der Auftrag ist schon versandt oder storniert.")
    assert one.original == "Order is shipped"
    assert one.hint.startswith("Der Auftrag ist schon versandt oder storniert; seine Rechnung")


def test_a_failure_of_a_newer_program_is_told_in_its_own_words() -> None:
    """A reason that this language has no words for is told in English, with the receipt's own hint."""
    one = page_view("de", fails=[failed("1.pdf", "brand_new", "Something new", hint="Do this.")]).failed[0]
    assert (one.message, one.original, one.hint) == ("Something new", None, "Do this.")


def test_a_failed_file_without_a_receipt_still_gets_advice() -> None:
    """Somebody deleted the .json file: the page says that the reason is lost, and what can be done."""
    bare = Filing(DROP / "failed", "1.pdf", "1.pdf", None, 10, NOW)
    one = page_view(fails=[bare]).failed[0]
    assert one.order == "Order 1"
    assert "not known" in one.message
    assert "back into the drop folder" in one.hint


@pytest.mark.parametrize(
    ("reason", "fault", "tone", "title"),
    [
        ("unreachable", "world", "attention", "Paused: the printing service does not answer"),
        ("access_denied", "operator", "trouble", "Paused: the administrator is needed"),
        ("not_recordable", "ours", "trouble", "Paused: this computer cannot file invoices"),
    ],
)
def test_a_pause_says_since_when_and_what_to_do(reason: str, fault: str, tone: str, title: str) -> None:
    """The clerk reads whether anything is to be done; small beneath it stands the cure for the administrator."""
    state = page_view(told=standing(pause=paused(reason, "What was said", fault))).state
    assert (state.tone, state.title, state.since) == (tone, title, "since 09:14")
    assert ("Nothing to do" if fault == "world" else "Please make sure that the administrator knows") in state.text
    assert (hint_for(reason) in state.facts) == (fault != "world")
    cure = [cure_for(reason)] if cure_for(reason) != hint_for(reason) else []
    assert list(state.small) == ["What was said", *cure, "Next try: 10:16."]


def test_a_pause_in_german() -> None:
    """Hint, message and cure are in German; what was said stands there too."""
    told = standing(pause=paused("access_denied", "401 Unauthorized", "operator"))
    state = page_view("de", told).state
    assert state.title == "Unterbrochen: Die Administration wird gebraucht"
    assert state.since == "seit 09:14 Uhr"
    assert state.small[:2] == ("Der Druckdienst nimmt den API-Code nicht an.", "Meldung: 401 Unauthorized")
    assert state.small[2].startswith("Prüfen Sie den API-Code")


def test_folders_that_are_away() -> None:
    """The page says that the service waits for its folders, since when, and why, for the administrator."""
    state = page_view(told=standing(trouble="/srv/invoices/failed does not exist")).state
    assert (state.tone, state.title, state.since) == ("trouble", "Waiting for the folders", "since 10:05")
    assert state.small == ("/srv/invoices/failed does not exist",)


def test_the_last_page_says_that_the_service_was_stopped() -> None:
    """Whoever stops the service leaves no page that says otherwise; it does not grow old."""
    view = page_view(told=standing(is_over=True))
    assert (view.state.tone, view.state.title, view.state.since) == ("over", "The service was stopped", "since 10:15")
    assert view.is_last


def test_why_a_file_waits() -> None:
    """Each file that waits has its reason in plain words, and what its last attempt came to."""
    problem = Error(Source.NETWORK, None, "timeout", "The API did not answer in time", "")
    waits = (
        waiter("1.pdf"),
        waiter("2.pdf", state="settling", text="is still open for writing"),
        waiter("3.pdf", state="behind", behind="2.pdf"),
        waiter("4.pdf", state="deferred", attempts=3, problem=problem, next_try=at(-90)),
        waiter("5.pdf", state="sending"),
    )
    view = page_view(told=standing(waiting=1239, files=waits))
    assert [one.why for one in view.waiting] == [
        "Its turn comes",
        "Is still open for writing",
        "Waits for 2.pdf, which is of the same order and goes first",
        "Sent again by itself at 10:16",
        "Is being sent now",
    ]
    assert [one.problem for one in view.waiting if one.problem] == [
        "The API did not answer in time (tried 3 times so far)"
    ]
    assert view.waiting_more == "and 1,234 more"
    german = page_view("de", standing(waiting=1239, files=waits)).waiting
    assert german[1].why == "Ist noch in einem Programm geöffnet"
    assert german[3].problem == "Der Druckdienst antwortete nicht rechtzeitig (bisher 3-mal versucht)"


@pytest.mark.parametrize(("tag", "why"), [("en", "This is a folder or a link"), ("de", "Das ist ein Ordner")])
def test_what_is_left_alone_asks_for_attention(tag: str, why: str) -> None:
    """A folder that was dropped is named, with what to do, and the card does not say that all is well."""
    told = standing(left_alone=("scans",))
    view = page_view(tag, told)
    assert (view.state.tone, view.left_alone, view.left_alone_total) == ("attention", ("scans",), "1")
    assert why in page(tag, told)
    assert why not in page(tag)


@pytest.mark.parametrize("tag", TAGS)
def test_a_page_is_bounded(tag: str) -> None:
    """However much waits, failed and was delivered, the page names a handful, and counts the rest."""
    many = standing(
        waiting=50_000,
        files=tuple(waiter(f"{i}.pdf") for i in range(100)),
        recent=tuple(Sent(at(i), str(i), f"{i}.pdf") for i in range(20)),
        left_alone=tuple(map(str, range(100))),
    )
    fails = [failed(f"{i}.pdf", "empty", "x" * 1000, order=str(i)) for i in range(50)]
    view = page_view(tag, many, fails, count=100_000)
    assert (len(view.failed), len(view.waiting), len(view.delivered)) == (MOST_FAILED, MOST_WAITING, MOST_DELIVERED)
    language = load(tag)
    assert view.failed_more == language.counted(language.page.failed_more, 99_980)
    assert view.waiting_more == language.counted(language.page.waiting_more, 49_980)
    assert len(view.left_alone) == MOST_LEFT_ALONE
    assert view.left_alone_more == language.counted(language.page.left_alone_more, 100 - MOST_LEFT_ALONE)
    message = view.failed[0].original or view.failed[0].message
    assert len(message) == 400
    assert message.endswith("…")


def test_deliveries_of_an_earlier_run_follow_those_of_this_one() -> None:
    """After a restart the page still tells what was delivered last, each once."""
    earlier = [
        Filing(DROP / "done", "7.pdf", "7.pdf", None, 10, NOW - 100),  # by this run, and so among the recent ones
        Filing(DROP / "done", "5.pdf", "5.pdf", None, 10, NOW - 90_000),
    ]
    told = standing(recent=(Sent(at(100), "7", "7.pdf"),))
    found = page_view(told=told, earlier=earlier).delivered
    assert [(one.order, one.name, one.at.text) for one in found] == [
        ("7", "7.pdf", "10:13"),
        ("5", "5.pdf", "23 Nov 2026, 09:15"),
    ]


def test_a_failed_folder_that_cannot_be_read_is_not_an_empty_one() -> None:
    """The page does not say that nothing failed when nobody could look."""
    sources = Sources(
        standing=standing(),
        failed=FailedNow(None, (), "gone"),
        earlier=(),
        troubled_at=NOW,
        places=Places(DROP, Path("/srv/elsewhere/failed"), DROP / "done"),
        naming=Naming.of("[0-9]+"),
    )
    view = said(sources, load("en"))
    assert view.failed_total is None
    assert "/srv/elsewhere/failed" in view.mend


@given(st.text())
def test_whatever_is_shown_is_one_bounded_printable_line(text: str) -> None:
    """No name and no message can break a line, turn the reading direction, or fill the page."""
    for shown, most in ((shown_name(text), 300), (shown_text(text), 400)):
        assert shown.isprintable()
        assert len(shown) <= most


def test_hostile_texts_are_escaped_wherever_they_stand() -> None:
    """Names, messages and paths with control characters and bidi overrides are shown as escapes, in every place."""
    fails = [failed(HOSTILE, "brand_new", HOSTILE, order=HOSTILE, hint=HOSTILE)]
    files = (waiter(HOSTILE, state="behind", behind=HOSTILE), waiter("1.pdf", state="settling", text=HOSTILE))
    pause = paused("brand_new", HOSTILE, "operator")
    recent = (Sent(at(1), HOSTILE, HOSTILE),)
    told = standing(drop_dir=HOSTILE, waiting=2, files=files, pause=pause, recent=recent, left_alone=(HOSTILE,))
    for view in (page_view("de", told, fails), page_view(told=standing(trouble=HOSTILE))):
        texts = list(texts_in(view))
        assert [text for text in texts if "\\u202e" in text], "escaped where it is shown"
        assert [text for text in texts if not text.isprintable()] == []
