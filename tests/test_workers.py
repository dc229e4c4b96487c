"""The threads that deliver: every task comes back, once, and none of them can hold the program up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable


class _Posted:
    """What the workers posted; waited for, never slept for."""

    def __init__(self) -> None:
        self._box: SimpleQueue[tuple[int, object]] = SimpleQueue()

    def __call__(self, given: int, result: object) -> None:
        self._box.put((given, result))

    def take(self, count: int) -> list[tuple[int, object]]:
        return [self._box.get(timeout=10) for _ in range(count)]

    def is_empty(self) -> bool:
        return self._box.empty()


def _workers(count: int, work: Callable[[int], object], posted: _Posted) -> Workers[int, object]:
    return Workers(count, work, posted)


def test_every_task_comes_back_exactly_once_with_its_own_result() -> None:
    """No invoice is forgotten, none is reported twice, and no answer is taken for another's."""
    posted = _Posted()
    workers = _workers(4, lambda given: given * given, posted)
    for given in range(1000):
        workers.give(given)
    assert Counter(posted.take(1000)) == Counter((given, given * given) for given in range(1000))
    workers.stop(10)
    assert posted.is_empty()


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(3), KeyboardInterrupt()])
def test_bug_is_posted_and_the_worker_lives_on(error: BaseException) -> None:
    """A bug met with one invoice is reported with that invoice, and the others are still delivered."""

    def work(given: int) -> int:
        if given == 1:
            raise error
        return given

    posted = _Posted()
    workers = _workers(1, work, posted)
    for given in (0, 1, 2):
        workers.give(given)
    assert posted.take(3) == [(0, 0), (1, error), (2, 2)]
    workers.stop(10)


def test_as_many_run_side_by_side_as_were_asked_for() -> None:
    """`api.workers: 3` uploads three invoices at the same time, and no more."""
    together = threading.Barrier(3)
    running: list[int] = []
    most = 0

    def work(given: int) -> None:
        nonlocal most
        running.append(given)
        together.wait(10)
        most = max(most, len(running))
        together.wait(10)
        running.remove(given)

    posted = _Posted()
    workers = _workers(3, work, posted)
    for given in range(9):
        workers.give(given)
    assert sorted(posted.take(9), key=str) == [(given, None) for given in range(9)]
    assert most == 3
    workers.stop(10)


def test_stop_lets_what_was_given_end_first() -> None:
    """What was handed in before the stop is still done, and its result posted, before `stop` returns."""
    posted = _Posted()
    workers = _workers(2, lambda given: -given, posted)
    for given in range(100):
        workers.give(given)
    workers.stop(10)
    assert sorted(posted.take(100), key=str) == sorted(((given, -given) for given in range(100)), key=str)
    assert not any(thread.is_alive() for thread in workers._threads)


def test_stop_does_not_wait_for_a_worker_that_hangs() -> None:
    """An upload that never ends holds the stop up for the given patience only, and cannot keep the process alive."""
    hanging, release = threading.Event(), threading.Event()

    def work(_given: int) -> None:
        hanging.set()
        release.wait(60)

    posted = _Posted()
    workers = _workers(2, work, posted)
    workers.give(1)
    assert hanging.wait(10)
    began = time.monotonic()
    workers.stop(0.05)
    assert time.monotonic() - began < 5
    assert all(thread.daemon for thread in workers._threads)
    release.set()
    assert posted.take(1) == [(1, None)]


def test_stop_waits_once_for_all_that_hang() -> None:
    """However many uploads hang, a stop takes as long as it would for one: 64 workers do not make it a minute."""
    hanging, release = threading.Semaphore(0), threading.Event()

    def work(_given: int) -> None:
        hanging.release()
        release.wait(60)

    posted = _Posted()
    workers = _workers(16, work, posted)
    for given in range(16):
        workers.give(given)
    assert all(hanging.acquire(timeout=10) for _ in range(16))
    began = time.monotonic()
    assert not workers.stop(0.25)
    assert time.monotonic() - began < 2
    release.set()
    assert len(posted.take(16)) == 16


def test_stop_of_idle_workers_is_prompt() -> None:
    """A daemon with nothing to do ends at once, however long it would be willing to wait."""
    workers = _workers(8, lambda given: given, _Posted())
    began = time.monotonic()
    workers.stop(60)
    assert time.monotonic() - began < 10
    assert not any(thread.is_alive() for thread in workers._threads)
