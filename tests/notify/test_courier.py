"""Messages go their way beside the program: nobody waits for them, and what does not arrive is said."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.notify import Notify, look
from tests.integration.program import until
from tests.notify.test_digest import failed, paused, standing
from tests.support.receivers import Hook

if TYPE_CHECKING:
    from collections.abc import Iterator

DROP = Path("/srv/invoices")
DAY = 86_400.0

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as in test_sending


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Serve a web hook, until whoever still waits for its answer has had its last word: it would be the next test's."""
    with Hook() as hook:
        yield hook
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("notify ")], "the last courier")


def test_nobody_waits_for_one_that_hangs(hook: Hook) -> None:
    """While a receiver takes the call and says nothing, the program goes on, and other receivers are told."""
    with Hook() as other:
        hook.hang = True
        notify = Notify([hook.url, other.url], 0.05, DROP)
        notify.attempted(failed("0.pdf"))
        hook.wait_for_calls(1)
        for number in range(1, 100):
            notify.attempted(failed(f"{number}.pdf"))
            notify.hear(standing(float(number)))
        other.wait_for(2)
        assert hook.arrived == []
        notify.close(patience=0.01)


def test_the_last_words(hook: Hook) -> None:
    """What was gathered when the program stops is sent then, long before its time."""
    notify = Notify([hook.url], DAY, DROP)
    notify.hear(standing(0.0, pause=paused()))
    notify.attempted(failed("12345.pdf"))
    notify.close(patience=30.0)
    (got,) = hook.arrived
    assert got["title"] == "invoice-watcher: the queue is paused, 1 invoice failed"


@pytest.mark.slow
def test_last_words_that_nobody_hears(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be sent at the end, because nobody is there or nobody answers, is named in the log."""
    away = Hook()
    away.server_close()
    hook.hang = True
    urls = [away.url, f"{hook.url}?rto=60"]
    assert [trouble for _, trouble in look(urls)] == [None, None]  # by now the library is loaded
    notify = Notify(urls, DAY, DROP)
    notify.attempted(failed("12345.pdf"))
    with caplog.at_level(logging.WARNING, logger="invoice_watcher"):
        notify.close(patience=3.0)
    ours = (record for record in caplog.records if record.name.startswith("invoice_watcher"))
    first, second = sorted(record.getMessage() for record in ours)
    assert first.startswith("notify.urls 1 (json://…): it cannot be reached")
    assert first.endswith("It was not told: invoice-watcher: 1 invoice failed")
    assert second.startswith("notify.urls 2 (json://…) may not learn any more")
    assert "s3cr3t" not in first + second


def test_nothing_to_say(hook: Hook) -> None:
    """A program that stops after a good day says nothing."""
    notify = Notify([hook.url], DAY, DROP)
    notify.hear(standing(0.0, delivered=5))
    notify.hear(standing(1.0, is_over=True))
    notify.close()
    assert hook.calls == 0
