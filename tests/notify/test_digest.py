"""What people are told, and when: soon, seldom, everything, nothing twice, and nothing for nothing. Simulated time."""

from __future__ import annotations

import time

import pytest

from invoice_watcher.audience import Attempt
from invoice_watcher.notify.digest import AGAIN, GATHERING, LONG_WAIT, Digest
from invoice_watcher.notify.stoppage import REMINDER
from invoice_watcher.outcome import Problem, Source
from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Paused, Standing, Waiter

EVERY = 900.0
NOON = 1_763_800_000.0  # the wall's clock when the simulated one shows 0


class Person:
    """Somebody who is told, with a clock that the tests turn."""

    def __init__(self, every: float = EVERY) -> None:
        self.digest = Digest(every, "/srv/invoices on host")
        self.now = 0.0
        self.got: list[tuple[float, str, str]] = []
        self.is_away = False
        self.standing = standing()

    def sees(self, length: float = 0.0, **known: object) -> None:
        """Let things stand so for a time; the daemon tells it every ten seconds."""
        end = self.now + length
        while True:
            self.standing = standing(self.now, **known)
            self.digest.hear(self.standing, self.now)
            self.deliver()
            if self.now >= end:
                return
            self.now = min(self.now + 10.0, end)

    def fails(self, *names: str) -> None:
        """Let invoices fail."""
        for name in names:
            self.digest.attempted(failed(name), self.now)
        self.deliver()

    def deliver(self) -> None:
        """Send what is due."""
        due = self.digest.due
        if due is None or self.now < due:
            return
        message = self.digest.compose()
        if self.is_away:
            self.digest.not_sent(message, self.now)
        else:
            self.got.append((self.now, message.subject, message.text(100_000)))
            self.digest.sent(message, self.now)

    @property
    def subjects(self) -> list[str]:
        """What the messages were about."""
        return [subject.removeprefix("invoice-watcher: ") for _, subject, _ in self.got]


def standing(now: float = 0.0, **known: object) -> Standing:
    """Give how things stand, by default well."""
    fixed = {"pid": 1, "drop_dir": "/srv/invoices", "started_at": timestamp(NOON), "as_of": timestamp(NOON + now)}
    return Standing(**{**fixed, **known})  # type: ignore[arg-type]


def failed(name: str) -> Attempt:
    """Give the attempt that put an invoice aside."""
    problem = Problem(Source.API, 100, "unknown_order", "Order ID is wrong", "Check the number.")
    return Attempt(name, "rejected", 0.1, "rejected", problem)


def paused(fault: str = "operator", since: float = 0.0) -> Paused:
    """Give a pause."""
    return Paused(
        reason="r", message="The API is shut", hint="", cure="Open it.", fault=fault, since=timestamp(NOON + since),
        next_try=None,
    )  # fmt: skip


def waiter(since: float) -> Waiter:
    """Give a file that waits since then."""
    since_text = timestamp(NOON + since)
    return Waiter(
        name="12345.pdf", order_id=None, folder="drop", size=1, since=since_text, state="settling",
        text="is still open for writing",
    )  # fmt: skip


def test_a_quiet_day() -> None:
    """While all is well nobody hears a word, not even of deliveries and of what is sent again by itself."""
    person = Person()
    for result in ("delivered", "deferred"):
        filed = "delivered" if result == "delivered" else None
        person.digest.attempted(Attempt("1.pdf", result, 0.1, filed, None), 0.0)  # type: ignore[arg-type]
    person.sees(REMINDER, delivered=1)
    person.sees(0.0, is_over=True)
    assert person.got == []


def test_a_burst_makes_one_message() -> None:
    """The first failure is told within seconds, together with those that come right after it."""
    person = Person()
    person.fails("1.pdf")
    person.sees(GATHERING / 2)
    person.fails("2.pdf", "3.pdf")
    person.sees(GATHERING / 2)
    ((at, subject, text),) = person.got
    assert at <= GATHERING
    assert "3 invoices failed" in subject
    for name in ("1.pdf", "2.pdf", "3.pdf"):
        assert f"- {name}: Order ID is wrong. Check the number." in text
    assert "Where: /srv/invoices on host" in text


def test_later_ones_are_gathered() -> None:
    """After a message, what comes waits until `notify.every` has passed, and is told then, by itself."""
    person = Person()
    person.fails("1.pdf")
    person.sees(GATHERING)
    person.fails("2.pdf")
    person.sees(2 * EVERY)
    (first, *_), (second, _, text) = person.got
    assert second - first >= EVERY
    assert "2.pdf" in text
    assert "1.pdf" not in text


def test_a_flood() -> None:
    """Of thousands of failures some are named, all are counted."""
    person = Person()
    person.fails(*(f"{number}.pdf" for number in range(5000)))
    person.sees(GATHERING)
    ((_, subject, text),) = person.got
    assert "5000 invoices failed" in subject
    assert text.count("- ") == 20
    assert "And 4980 more." in text


def test_a_pause_and_its_end() -> None:
    """A pause that a person has to end is told at once, with its cure and what waits; its end, with its length."""
    person = Person(every=60.0)
    person.sees(3600.0, pause=paused(), waiting=5, oldest=timestamp(NOON))
    person.sees(120.0)
    assert person.subjects == ["the queue is paused", "the queue flows again"]
    assert person.got[0][0] <= GATHERING
    assert "The API is shut. Open it." in person.got[0][2]
    assert "Files that wait: 5" in person.got[0][2]
    assert "(60 min)" in person.got[1][2]


def test_a_hiccup_is_no_news() -> None:
    """What the world broke and mended within a minute is told to nobody."""
    person = Person()
    person.sees(50.0, pause=paused("world"))
    person.sees(EVERY)
    assert person.got == []


def test_a_pause_of_the_world() -> None:
    """A pause that may pass by itself is told once it has lasted a minute."""
    person = Person()
    person.sees(80.0, pause=paused("world"))
    ((at, _, _),) = person.got
    assert at >= 60.0


def test_a_pause_that_came_and_went_between_two_messages() -> None:
    """A pause that came and went between two messages is told in one sentence."""
    person = Person()
    person.fails("1.pdf")
    person.sees(GATHERING)
    person.sees(300.0, pause=paused())
    person.sees(EVERY)
    assert person.subjects == ["1 invoice failed", "the queue flows again"]
    assert "It was paused from" in person.got[1][2]


def test_a_pause_that_comes_back_at_once_was_never_over() -> None:
    """A reload forgets the pause for some seconds: that is no end and no beginning."""
    person = Person(every=60.0)
    for _ in range(20):
        person.sees(100.0, pause=paused())
        person.sees(30.0)
    assert person.subjects == ["the queue is paused"]


def test_a_fault_that_needs_somebody_after_one_that_did_not() -> None:
    """During an outage the API code expires: that is told, though a pause was told before."""
    person = Person(every=60.0)
    person.sees(200.0, pause=paused("world"))
    person.sees(200.0, pause=paused("operator"))
    assert person.subjects == ["the queue is paused"] * 2


def test_a_pause_that_changed_its_cause_before_it_was_told() -> None:
    """Its end tells its whole length: from when nothing flowed, not from when the last cause of it began."""
    person = Person()
    person.fails("1.pdf")
    person.sees(10.0)
    person.sees(300.0, pause=paused(since=10.0))
    person.sees(EVERY, pause=paused(since=310.0))
    person.sees(2 * EVERY)
    assert person.subjects == ["1 invoice failed", "the queue is paused", "the queue flows again"]
    assert "(20 min)" in person.got[2][2]


def test_a_known_pause_that_gets_worse_for_a_moment() -> None:
    """Whoever was told of a pause is told of its end, though its last moments were to be told anew."""
    person = Person()
    person.sees(80.0, pause=paused("world"))
    person.sees(20.0, pause=paused("operator"))
    person.sees(EVERY)
    assert person.subjects == ["the queue is paused", "the queue flows again"]


def test_a_pause_that_lasts_for_days() -> None:
    """Nothing waits in silence: once a day it is told again."""
    person = Person()
    person.sees(3.5 * REMINDER, pause=paused())
    assert person.subjects == ["the queue is paused", *["the queue is still paused"] * 3]


def test_folders_that_are_away() -> None:
    """A disk that went away is told at once, and when it is back; the pause behind it is not taken for over."""
    person = Person(every=60.0)
    person.sees(100.0, pause=paused())
    person.sees(600.0, trouble="nothing is mounted on /srv")
    person.sees(200.0, pause=paused(since=700.0))
    assert person.subjects == ["the queue is paused", "the folders are away", "the folders are back"]
    assert "nothing is mounted on /srv." in person.got[1][2]


def test_the_time_of_day_at_which_the_folders_went_away() -> None:
    """Somebody has to act, so it is told at once: since when, by this place's clock, with the day where not today."""
    person = Person()
    person.sees(GATHERING, trouble="nothing is mounted on /srv")
    person.sees(REMINDER + GATHERING, trouble="nothing is mounted on /srv")
    here = time.localtime(NOON)
    assert person.got[0][0] == GATHERING
    for (_, _, text), shown in zip(person.got, ("%H:%M", "%Y-%m-%d %H:%M"), strict=True):
        assert f"since {time.strftime(shown, here)}: nothing is mounted on /srv.\n" in text


def test_a_file_that_waits_for_hours() -> None:
    """A document that somebody left open is named after two hours, and then once a day."""
    person = Person()
    person.sees(LONG_WAIT - 60.0, waiting=1, oldest=timestamp(NOON), files=(waiter(0.0),))
    assert person.got == []
    person.sees(2 * REMINDER, waiting=1, oldest=timestamp(NOON), files=(waiter(0.0),))
    assert person.subjects == ["a file waits for long"] * 2
    assert "It is 12345.pdf, and is still open for writing." in person.got[0][2]


def test_a_busy_day() -> None:
    """Some file waits at any time, and none for long: nobody hears of it."""
    person = Person()
    for _ in range(6):
        person.sees(LONG_WAIT / 3, waiting=1, oldest=timestamp(NOON + person.now), files=(waiter(person.now),))
    assert person.got == []


def test_what_waited_behind_a_pause_has_its_time() -> None:
    """After a night's outage the backlog is hours old: that is no news, for it is on its way."""
    person = Person()
    person.sees(12 * 3600.0, pause=paused(), waiting=9, oldest=timestamp(NOON))
    person.sees(LONG_WAIT - 60.0, waiting=9, oldest=timestamp(NOON), files=(waiter(0.0),))
    assert person.subjects == ["the queue is paused", "the queue flows again"]


def test_a_mail_server_that_is_away() -> None:
    """What cannot be sent is kept, tried again at the next turn, and told with what came since."""
    person = Person()
    person.is_away = True
    person.fails("1.pdf")
    person.sees(3 * AGAIN, pause=paused())
    person.fails("2.pdf")
    person.is_away = False
    person.sees(AGAIN, pause=paused())
    ((_, subject, text),) = person.got
    assert "the queue is paused, 2 invoices failed" in subject
    assert "1.pdf" in text
    assert "2.pdf" in text


def test_what_happens_while_a_message_is_under_way() -> None:
    """A pause that ends while its message is being sent gets its end told, however short it was."""
    person = Person(every=60.0)
    digest = person.digest
    digest.hear(standing(0.0, pause=paused()), 0.0)
    message = digest.compose()
    digest.hear(standing(20.0), 20.0)
    digest.attempted(failed("1.pdf"), 20.0)
    digest.sent(message, 30.0)
    person.now = 30.0
    person.sees(200.0)
    assert person.subjects == ["the queue flows again, 1 invoice failed"]


def test_a_pause_that_comes_back_while_its_message_is_under_way() -> None:
    """Whoever reads that the queue is paused when it is so again is not told a second time."""
    person = Person(every=60.0)
    person.digest.hear(standing(0.0, pause=paused()), 0.0)
    message = person.digest.compose()
    person.digest.hear(standing(5.0), 5.0)
    person.digest.hear(standing(10.0, pause=paused(since=10.0)), 10.0)
    person.digest.sent(message, 12.0)
    person.now = 12.0
    person.sees(600.0, pause=paused(since=10.0))
    assert person.got == []


@pytest.mark.parametrize(("length", "subjects"), [
    (300.0, ["the queue is paused", "the queue flows again"]), (10.0, []),
])  # fmt: skip
def test_a_pause_that_begins_while_the_end_of_another_is_being_told(length: float, subjects: list[str]) -> None:
    """It is another pause, with a beginning and a length of its own; and, if it is brief, none."""
    person = Person(every=60.0)
    person.sees(30.0, pause=paused())
    person.sees(50.0)
    assert person.subjects == ["the queue is paused"]
    person.now += 30.0
    person.digest.hear(standing(person.now), person.now)
    message = person.digest.compose()
    begun = person.now + 5.0
    person.digest.hear(standing(begun, pause=paused(since=begun)), begun)
    person.digest.sent(message, begun + 1.0)
    person.now = begun + 1.0
    person.sees(length - 1.0, pause=paused(since=begun))
    person.sees(300.0)
    assert person.subjects[1:] == subjects
    assert not subjects or "(5 min)" in person.got[2][2]


def test_what_fails_while_a_message_is_on_its_way() -> None:
    """Its name stands in the next message, and not only its number."""
    digest = Digest(EVERY, "/srv/invoices on host")
    digest.attempted(failed("1.pdf"), 0.0)
    message = digest.compose()
    digest.attempted(failed("2.pdf"), 1.0)
    digest.sent(message, 2.0)
    (line,), count = digest.compose().failures, digest.compose().count
    assert (line.startswith("- 2.pdf"), count) == (True, 1)


@pytest.mark.parametrize(("every", "again"), [(60.0, 60.0), (3600.0, AGAIN)])
def test_what_could_not_be_sent_is_tried_again(every: float, again: float) -> None:
    """At the next turn, but at least every quarter of an hour."""
    digest = Digest(every, "/srv/invoices on host")
    digest.attempted(failed("1.pdf"), 0.0)
    assert digest.not_sent(digest.compose(), 50.0) == again
    assert digest.due == 50.0 + again


def test_a_short_pause_whose_message_did_not_arrive() -> None:
    """Nobody heard that it had begun, so nobody hears that it is over."""
    person = Person()
    person.digest.hear(standing(0.0, pause=paused()), 0.0)
    person.digest.not_sent(person.digest.compose(), 5.0)
    person.now = 20.0
    person.sees(2 * EVERY)
    assert person.got == []


def test_who_wants_to_hear_at_once() -> None:
    """With a short `notify.every` nothing is gathered, and no pause is thought brief, for longer than that."""
    digest = Digest(5.0, "/srv/invoices on host")
    digest.hear(standing(0.0, pause=paused("world")), 0.0)
    assert digest.due is None
    digest.hear(standing(5.0, pause=paused("world")), 5.0)
    assert digest.due == 10.0
