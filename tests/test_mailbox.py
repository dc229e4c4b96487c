"""The mailbox that wakes the loop: nothing lost, nothing blocked, from threads and from signals."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.mailbox import Mailbox, Signal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def mailbox() -> Mailbox[int]:
    """Give an empty one."""
    return Mailbox()


@pytest.fixture
def stop_on_signal(mailbox: Mailbox[int]) -> Iterator[list[Signal]]:
    """Let SIGUSR1 post a STOP, as SIGTERM does; the list counts how often it did."""
    posted: list[Signal] = []

    def post(_number: int, _frame: object) -> None:
        posted.append(Signal.STOP)
        mailbox.post(Signal.STOP)

    before = signal.signal(signal.SIGUSR1, post), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns often, so signals hit in many places
    yield posted
    signal.signal(signal.SIGUSR1, before[0])
    sys.setswitchinterval(before[1])


def _all_of(mailbox: Mailbox[int]) -> list[Signal | int | None]:
    return list(iter(lambda: mailbox.next(0), None))


def _kill_main_thread() -> None:
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGUSR1)


def test_messages_come_in_the_order_in_which_they_were_posted(mailbox: Mailbox[int]) -> None:
    """What came of two attempts is heard in the order in which it happened."""
    for message in (1, Signal.RELOAD, 2):
        mailbox.post(message)
    assert [mailbox.next(0) for _ in range(4)] == [1, Signal.RELOAD, 2, None]


def test_waiting_ends_when_its_time_is_over(mailbox: Mailbox[int]) -> None:
    """With nothing to do the loop sleeps until the next deadline, and no longer."""
    began = time.monotonic()
    assert mailbox.next(0.05) is None
    assert 0.04 < time.monotonic() - began < 5


def test_storm_of_hints_is_one_message(mailbox: Mailbox[int]) -> None:
    """Ten thousand files copied at once wake the loop once, and do not fill the memory."""
    for _ in range(10_000):
        mailbox.hint()
    mailbox.post(7)
    assert [mailbox.next(0) for _ in range(3)] == [Signal.HINT, 7, None]


def test_hint_after_the_last_one_was_taken_is_heard(mailbox: Mailbox[int]) -> None:
    """A file dropped right after a look brings another look."""
    for _ in range(3):
        mailbox.hint()
        assert mailbox.next(0) is Signal.HINT
    assert mailbox.next(0) is None


def test_no_change_is_missed_however_hints_and_looks_overlap(mailbox: Mailbox[int]) -> None:
    """Whatever was dropped before a hint is seen by a look after it, though hints fold into one."""
    changes = 0

    def change() -> None:
        nonlocal changes
        for _ in range(20_000):
            changes += 1
            mailbox.hint()

    thread = threading.Thread(target=change)
    thread.start()
    seen = 0
    while seen < 20_000:
        assert mailbox.next(10) is Signal.HINT, f"{changes} changes, {seen} seen, and no hint left"
        seen = changes
    thread.join()


@pytest.mark.usefixtures("stop_on_signal")
def test_signal_ends_a_wait_at_once(mailbox: Mailbox[int]) -> None:
    """What a signal posts while the loop sleeps is heard at once, not at the next rescan."""
    timer = threading.Timer(0.05, _kill_main_thread)
    timer.start()
    began = time.monotonic()
    assert mailbox.next(60) is Signal.STOP
    assert time.monotonic() - began < 10
    timer.join()


def test_signals_that_interrupt_next_lose_nothing(mailbox: Mailbox[int], stop_on_signal: list[Signal]) -> None:
    """Signals may hit at any instant, even while a message is being taken: each is heard, none blocks, none repeats."""
    posted: list[int] = []

    def post_and_kill() -> None:
        while len(stop_on_signal) < 1000:
            mailbox.post(len(posted))
            posted.append(len(posted))
            _kill_main_thread()

    thread = threading.Thread(target=post_and_kill)
    thread.start()
    taken: list[Signal | int | None] = []
    while thread.is_alive():
        taken.append(mailbox.next(0.01))
    taken += _all_of(mailbox)
    assert [message for message in taken if isinstance(message, int)] == posted
    assert taken.count(Signal.STOP) == len(stop_on_signal) >= 1000
