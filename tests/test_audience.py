"""Those who listen hear the newest, in time; and none of them can hold up or hurt whoever speaks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.audience import Aside, Attempt, Audience
from tests.integration.program import until
from tests.support.standings import standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.standing import Standing

PATIENCE = 30.0


class Listener:
    """Takes its time, or fails, as a disk or a mail server does."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.failure: Exception | None = None

    def hear(self, standing: Standing) -> None:
        """Note how many wait."""
        self.may_go_on.wait(PATIENCE)
        self.heard.append(standing.waiting)
        if self.failure:
            raise self.failure


@pytest.fixture
def listener() -> Listener:
    """Give one that is quick and well."""
    return Listener()


@pytest.fixture
def aside(listener: Listener) -> Iterator[Aside]:
    """Let it listen aside."""
    aside = Aside("the listener", listener.hear)
    yield aside
    listener.may_go_on.set()
    aside.close()


def test_a_slow_listener_hears_the_newest(listener: Listener, aside: Aside) -> None:
    """Whoever is busy misses what came meanwhile, and then hears the newest; whoever speaks never waits."""
    listener.may_go_on.clear()
    for waiting in range(1000):
        aside.hear(standing(waiting=waiting))
    listener.may_go_on.set()
    until(lambda: listener.heard[-1:] == [999], "the newest")
    assert len(listener.heard) <= 2


def test_a_listener_that_fails(listener: Listener, aside: Aside, caplog: pytest.LogCaptureFixture) -> None:
    r"""A listener that fails is told all that follows; the log names each reason once, with nothing raw in it."""
    listener.failure = OSError("no room\x1b[31m")
    for waiting in (1, 2, 3):
        aside.hear(standing(waiting=waiting))
        until(lambda: len(listener.heard) == waiting, "the next one")  # noqa: B023 - called within the turn
    until(lambda: caplog.messages, "a complaint")
    assert caplog.messages == [r"the listener: OSError: no room\x1b[31m"]
    listener.failure = ValueError("another")
    aside.hear(standing(waiting=4))
    until(lambda: len(caplog.messages) == 2, "the other complaint")


def test_a_failure_that_comes_back(listener: Listener, aside: Aside, caplog: pytest.LogCaptureFixture) -> None:
    """A listener that fails, does well, and fails again for the same reason is named in the log again."""
    for waiting, failure in enumerate([OSError("full"), None, OSError("full")], 1):
        listener.failure = failure
        aside.hear(standing(waiting=waiting))
        until(lambda: len(listener.heard) == waiting, "the next one")  # noqa: B023 - called within the turn
    until(lambda: len(caplog.messages) == 2, "two complaints")


def test_nothing_is_told_before_there_is_anything(listener: Listener) -> None:
    """A program that ends before anything was told ends its listeners, and does not call them with nothing."""
    aside = Aside("the listener", listener.hear)
    aside.close(PATIENCE)
    assert listener.heard == []


def test_last_words_are_heard(listener: Listener) -> None:
    """What was told just before the end is heard: that the program has ended in good order."""
    aside = Aside("the listener", listener.hear)
    aside.hear(standing(waiting=6, is_over=True))
    aside.close(PATIENCE)
    assert listener.heard == [6]


def test_a_listener_that_hangs_does_not_hold_up_the_end(listener: Listener) -> None:
    """A mail server that does not answer does not keep the service from stopping."""
    listener.may_go_on.clear()
    aside = Aside("the listener", listener.hear)
    aside.hear(standing())
    began = time.monotonic()
    aside.close(patience=0.05)
    assert time.monotonic() - began < PATIENCE / 2
    assert listener.heard == []
    listener.may_go_on.set()


@pytest.fixture
def told() -> list[int]:
    """Give the list of what was told."""
    return []


@pytest.fixture
def audience(told: list[int]) -> Audience:
    """Give one whose listener notes how many wait."""
    return Audience([lambda standing: told.append(standing.waiting)])


def test_what_changes_is_told_but_not_too_often(audience: Audience, told: list[int]) -> None:
    """The first is told at once; a storm of changes once a second; and without any change a beat every ten seconds."""
    for tenth in range(300):
        now = 1000 + tenth / 10
        audience.tell(now, min(tenth, 100), lambda: standing(waiting=tenth))  # noqa: B023 - called within the turn
    assert told == [*range(0, 101, 10), 200]


def test_whoever_speaks_is_called_when_it_is_time(audience: Audience, told: list[int]) -> None:
    """The loop is told when to come again: soon where a change was held back, else for the next beat."""
    audience.tell(1000, "a", standing)
    assert audience.due == 1010
    audience.tell(1000.5, "b", standing)
    assert audience.due == 1001
    audience.tell(1001, "b", standing)
    assert (audience.due, len(told)) == (1011, 2)


def test_somebody_new_is_told_soon(audience: Audience, told: list[int]) -> None:
    """After a reload, which may bring new listeners, it is told anew though nothing changed."""
    audience.tell(1000, "a", standing)
    audience.begin_anew()
    assert audience.due < 1000
    audience.tell(1001, "a", standing)
    assert len(told) == 2


def test_without_listeners_nothing_is_made() -> None:
    """Where nobody listens there is no effort, and the loop need not come again."""
    audience = Audience()
    audience.tell(1000, "a", lambda: pytest.fail("it was made"))
    assert audience.due == float("inf")


def test_attempts_are_told_to_all() -> None:
    """Everybody who counts hears of every attempt."""
    first: list[Attempt] = []
    second: list[Attempt] = []
    attempt = Attempt("1.pdf", "delivered", 0.1, "delivered", None)
    Audience([], [first.append, second.append]).attempted(attempt)
    assert first == second == [attempt]


def test_a_listener_that_fails_hurts_nobody(told: list[int], caplog: pytest.LogCaptureFixture) -> None:
    """A fault of one who listens is logged once, the others hear all the same, and the loop goes on."""

    def fail(_: object) -> None:
        raise OSError("the terminal is gone")

    heard: list[Attempt] = []
    attempt = Attempt("1.pdf", "delivered", 0.1, "delivered", None)
    audience = Audience([fail, lambda standing: told.append(standing.waiting)], [fail, heard.append])
    for waiting in (1, 2):
        audience.tell_now(standing(waiting=waiting))
        audience.attempted(attempt)
    assert (told, heard) == ([1, 2], [attempt, attempt])
    assert [record.message for record in caplog.records] == [
        "telling how things stand: OSError: the terminal is gone",
        "telling of an attempt: OSError: the terminal is gone",
    ]
