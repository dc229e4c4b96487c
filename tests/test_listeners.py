"""A reload begins anew what it changes, and only that; what it ends leaves nothing behind."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.config import Config, Notify
from invoice_watcher.control.rendezvous import places
from invoice_watcher.listeners import Listeners
from invoice_watcher.service import Supervisor
from tests.integration.program import until
from tests.notify.test_digest import failed
from tests.support.receivers import Hook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.control import Question

DAY = 86_400.0

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as in notify/test_sending


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Serve a web hook."""
    pytest.importorskip("apprise")
    with Hook() as hook:
        yield hook


@pytest.fixture
def listeners(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listeners]:
    """Give all who listen, with a runtime directory of this test's own."""
    runtime = Path(tempfile.mkdtemp(prefix="iw-"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    questions: list[Question] = []
    listeners = Listeners(Supervisor(), questions.append)
    yield listeners
    listeners.close()
    shutil.rmtree(runtime)


def running(begin: str) -> int:
    """Return how many threads of this sort there are."""
    return sum(thread.name.startswith(begin) for thread in threading.enumerate())


def config(drop: Path, *urls: str) -> Config:
    """Return a configuration that tells people at these addresses, at the end of the day."""
    return Config(drop_dir=drop, status_page=None, notify=Notify(urls=urls, every=DAY))


def test_another_drop_folder(listeners: Listeners, tmp_path: Path) -> None:
    """The old folder's socket goes with its thread, and the new one's is there to be asked."""
    here, there = tmp_path / "here", tmp_path / "there"
    for _ in range(3):
        listeners.follow(config(here))
        listeners.follow(config(there))
    assert (next(places(here)).exists(), next(places(there)).exists()) == (False, True)
    until(lambda: running("control") == 1, "the end of the other threads")


def test_other_addresses(listeners: Listeners, tmp_path: Path, hook: Hook) -> None:
    """Who is told no more hears what there was to tell until then, at once; what comes then the new ones hear."""
    with Hook() as other:
        listeners.follow(config(tmp_path, hook.url))
        listeners.audience.attempted(failed("1.pdf"))
        listeners.follow(config(tmp_path, other.url))
        listeners.audience.attempted(failed("2.pdf"))
        assert "1.pdf" in hook.wait_for(1)[0]["message"]
        until(lambda: running("notify notify.urls") == 1, "the end of the old address")
        listeners.close()
        (last,) = other.wait_for(1)
        assert "2.pdf" in last["message"]
        assert "1.pdf" not in last["message"]


def test_a_reload_that_changes_nothing(listeners: Listeners, tmp_path: Path, hook: Hook) -> None:
    """What is to be told is gathered on: people get one message, and not one for each reload."""
    for name in ("1.pdf", "2.pdf"):
        listeners.follow(config(tmp_path, hook.url))
        listeners.audience.attempted(failed(name))
    listeners.close()
    assert hook.wait_for(1)[0]["title"] == "invoice-watcher: 2 invoices failed"
    assert hook.calls == 1
