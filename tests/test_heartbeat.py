"""The watchdog is fed while all moves, and not when anything is stuck; told over a real socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.heartbeat import Heartbeat
from invoice_watcher.service import Supervisor
from tests.support.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1000.0


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Listen, as the manager of a service with WatchdogSec=20."""
    pytest.importorskip("systemd")
    with Manager(tmp_path, watchdog=20.0) as manager:
        for name, value in manager.env.items():
            monkeypatch.setenv(name, value)
        yield manager


@pytest.fixture
def supervisor(manager: Manager) -> Iterator[Supervisor]:
    """Speak to that manager."""
    supervisor = Supervisor()
    yield supervisor
    supervisor.close()


def _heard(manager: Manager, supervisor: Supervisor) -> list[str]:
    """Return what the manager was told by now."""
    supervisor.ready()
    return manager.hears_before("READY=1")[:-1]


def test_a_sign_of_life_comes_twice_in_the_time_that_is_granted(manager: Manager, supervisor: Supervisor) -> None:
    """WatchdogSec=20: a sign every 10 s, however often the loop goes round."""
    heartbeat = Heartbeat(supervisor)
    for moment, expected in [(NOW, ["WATCHDOG=1"]), (NOW + 9.9, []), (NOW + 10, ["WATCHDOG=1"])]:
        heartbeat.beat(moment, {})
        assert _heard(manager, supervisor) == expected
    assert heartbeat.due == NOW + 20


@pytest.mark.parametrize("lateness", [None, -5.0, 0.0, 19.9])
def test_what_is_on_time_or_a_little_late_is_well(
    manager: Manager, supervisor: Supervisor, lateness: float | None
) -> None:
    """What is late by less than the watchdog's time may still come: the service is not restarted for it."""
    Heartbeat(supervisor).beat(NOW, {"a scan": None, "an upload": None if lateness is None else NOW - lateness})
    assert _heard(manager, supervisor) == ["WATCHDOG=1"]


def test_what_is_stuck_stops_the_signs_and_is_named_once(
    manager: Manager, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what hangs before the service is restarted for it."""
    heartbeat = Heartbeat(supervisor)
    for moment in (NOW, NOW + 10, NOW + 20):
        heartbeat.beat(moment, {"a scan": NOW, "an upload": NOW - 20.1})
    assert _heard(manager, supervisor) == []
    told = "an upload does not come to an end; the service manager will start the program anew"
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.CRITICAL, told)]


def test_what_moves_again_is_well_again(manager: Manager, supervisor: Supervisor) -> None:
    """An upload that ends after all, before the manager has lost patience, saves the program."""
    heartbeat = Heartbeat(supervisor)
    heartbeat.beat(NOW, {"an upload": NOW - 100})
    heartbeat.beat(NOW + 10, {"an upload": None})
    assert _heard(manager, supervisor) == ["WATCHDOG=1"]


def test_without_a_watchdog_nothing_is_asked_or_told(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A unit without WatchdogSec=: no wake-ups, and nothing that looks as if somebody would restart it."""
    monkeypatch.delenv("WATCHDOG_USEC")
    supervisor = Supervisor()
    heartbeat = Heartbeat(supervisor)
    assert heartbeat.due == float("inf")
    heartbeat.beat(NOW, {"an upload": 0.0})
    assert _heard(manager, supervisor) == []
    assert caplog.records == []
    supervisor.close()
