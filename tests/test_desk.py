"""One desk for all workers: alone while they compute, away while they wait, and never stuck behind one another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import desk

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 60.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give some threads."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody wait for the desk as long as it takes."""
    monkeypatch.setattr(desk, "PATIENCE", LONG)


@pytest.mark.usefixtures("patient")
def test_one_sits_there_at_a_time(threads: ThreadPoolExecutor) -> None:
    """Whatever the workers do there, no two of them do it at once."""
    sitting, seen = [0], set()

    def work() -> None:
        for _ in range(200):
            with desk.alone():
                sitting[0] += 1
                seen.add(sitting[0])
                sitting[0] -= 1
                with desk.away():
                    pass

    for one in [threads.submit(work) for _ in range(4)]:
        one.result(LONG)
    assert seen == {1}


@pytest.mark.usefixtures("patient")
def test_who_waits_leaves_it_to_another(threads: ThreadPoolExecutor) -> None:
    """While one waits for the API, the next one's document goes on."""
    other_was_there = threading.Event()

    def other() -> None:
        with desk.alone():
            other_was_there.set()

    with desk.alone(), desk.away():
        threads.submit(other)
        assert other_was_there.wait(LONG)


def test_who_comes_back_sits_alone_again(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the wait the rest of the document is done alone as well."""
    with desk.alone():
        with desk.away():
            pass
        monkeypatch.setattr(desk, "PATIENCE", 0.0)
        assert not threads.submit(_could_sit).result(LONG)
    assert threads.submit(_could_sit).result(LONG)


def test_nobody_is_stuck_behind_one_who_is(threads: ThreadPoolExecutor) -> None:
    """A worker whose file server died at the desk does not keep the others from their documents."""
    stuck, mended = threading.Event(), threading.Event()

    def hang() -> None:
        with desk.alone():
            stuck.set()
            mended.wait(LONG)

    hanging = threads.submit(hang)
    assert stuck.wait(LONG)
    assert threads.submit(_work).result(LONG) == "done"
    mended.set()
    hanging.result(LONG)
    assert _could_sit()


def test_two_locks_cannot_wait_for_each_other(threads: ThreadPoolExecutor) -> None:
    """One comes back to the desk with a lock in his hand, which the one who sits there wants: both go on."""
    pairing, has_lock, wants_lock = threading.Lock(), threading.Event(), threading.Event()

    def file_away() -> None:
        with desk.alone(), pairing, desk.away():
            has_lock.set()
            assert wants_lock.wait(LONG)

    filing = threads.submit(file_away)
    assert has_lock.wait(LONG)
    with desk.alone():
        wants_lock.set()
        assert pairing.acquire(timeout=LONG)
        pairing.release()
    filing.result(LONG)


def test_who_does_not_sit_there_leaves_nothing(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large document's worker, who never sat down, does not take the desk from another."""

    def never_sat() -> bool:
        with desk.away():
            return _could_sit()

    monkeypatch.setattr(desk, "PATIENCE", 0.0)
    with desk.alone():
        assert not threads.submit(never_sat).result(LONG)


def _could_sit() -> bool:
    """Tell whether the desk was free."""
    with desk.alone():
        return desk.sits()


def _work() -> str:
    with desk.alone():
        return "done"
