"""A program that is started as a service, with programs that do what services do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.imports import bare, loaded
from tests.benchmarks.load import VoidError
from tests.benchmarks.service import started

if TYPE_CHECKING:
    from pathlib import Path


def test_the_daemon_s_modules_are_listed_and_loaded_by_a_bare_process(tmp_path: Path) -> None:
    """The bare process of a ratio has loaded what the daemon has, none of its own, and what came after READY apart."""
    lists = loaded(tmp_path)
    ready, end = lists.when_ready.read_text().split(), lists.in_the_end.read_text().split()
    assert {"watchdog.observers.inotify", "requests.adapters", "urllib3", "tenacity", "yaml", "msgspec"} <= {*ready}
    assert not [name for name in end if name.startswith("invoice_watcher")]
    assert "jinja2" in {*end} - {*ready}
    with bare(lists.nothing) as less, bare(lists.in_the_end) as more:
        less.await_ready()
        more.await_ready()
        assert more.inside.resident() > 2 * less.inside.resident()


def test_a_service_that_ends_by_itself_is_void_with_its_last_words(tmp_path: Path) -> None:
    """A maintainer reads why there is no figure."""
    with (
        started([sys.executable, "-c", "raise SystemExit('no such folder')"], tmp_path / "log") as service,
        pytest.raises(VoidError, match=r"^it ended by itself with status 1: no such folder$"),
    ):
        service.await_ready()


def test_a_service_that_ends_badly_when_asked_is_void(tmp_path: Path) -> None:
    """What is killed by the very signal that asks it to end did not end in good order."""
    (tmp_path / "nothing").touch()
    with bare(tmp_path / "nothing") as service:
        service.await_ready()
        with pytest.raises(VoidError, match="it ended with status -15"):
            service.stop()
