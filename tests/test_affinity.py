"""On which processors the threads run."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import affinity

if TYPE_CHECKING:
    from collections.abc import Iterator


several = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is only one processor")


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """Give a thread of its own, for the kernel keeps this for each of them."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture(autouse=True)
def nobody_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin as a new process does, whichever ran before it in this one."""
    monkeypatch.setattr(affinity, "_allowed", set())
    monkeypatch.setattr(affinity, "_one", set())


def test_nobody_is_moved_who_was_not_gathered(thread: ThreadPoolExecutor) -> None:
    """A part of the program that is used by itself runs where its caller runs."""

    def seen() -> set[int]:
        with affinity.spread(affinity.LARGE):
            pass
        return os.sched_getaffinity(0)

    assert thread.submit(seen).result() == os.sched_getaffinity(0)


def _where_a_new_thread_runs() -> set[int]:
    found: list[set[int]] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join()
    return found[0]


@several
def test_threads_stay_together_and_large_documents_spread(thread: ThreadPoolExecutor) -> None:
    """Small documents are handed from thread to thread on one processor; whoever moves megabytes may go anywhere."""

    def seen() -> list[set[int]]:
        affinity.gather()
        gathered, inherited = os.sched_getaffinity(0), _where_a_new_thread_runs()
        with affinity.spread(affinity.LARGE - 1):
            small = os.sched_getaffinity(0)
        with affinity.spread(affinity.LARGE):
            large = os.sched_getaffinity(0)
        return [gathered, inherited, small, large, os.sched_getaffinity(0)]

    gathered, inherited, small, large, after = thread.submit(seen).result()
    assert len(gathered) == 1
    assert gathered == inherited == small == after
    assert large == os.sched_getaffinity(0) > gathered
