"""The line in `systemctl status`: what waits, since when, why, and whether anything goes through."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.breaker import Pause
from invoice_watcher.outcome import Fault, Problem, Source
from invoice_watcher.service import Notifier
from invoice_watcher.standing import Standing, Tally
from tests.support.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
HOUR = 3600.0
PAUSE = Pause(Problem(Source.HTTP, None, "access_denied", "The API does not accept the API code", ""), Fault.WORLD, 0.0)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Listen."""
    pytest.importorskip("systemd")
    with Manager(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.env["NOTIFY_SOCKET"])
        yield manager


@pytest.fixture
def standing(manager: Manager) -> Iterator[Standing]:
    """Speak to that manager."""
    notifier = Notifier()
    yield Standing(notifier)
    notifier.close()


def test_a_quiet_day() -> None:
    """Nothing waits: the line says so, what was delivered, and when the last time."""
    tally = Tally(delivered=40, delivered_at=NOON - 3 * HOUR)
    assert tally.sentence(None, None, 0.0, NOON) == "nothing waiting; 40 delivered, last at 09:00"


def test_a_bad_day() -> None:
    """Things wait: how many, since when the oldest, and why."""
    tally = Tally(delivered=1, rejected=2, waiting=3, delivered_at=NOON - 27 * HOUR)
    assert tally.sentence(12.3, PAUSE, NOON - 2 * HOUR, NOON) == (
        "3 waiting, oldest 12 s; paused since 10:00: The API does not accept the API code; "
        "1 delivered, last at 2026-11-21 09:00; 2 rejected"
    )


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (0.0, "0 s"),
        (1.99, "1 s"),
        (119.9, "119 s"),
        (120.0, "2 min"),
        (2 * HOUR - 1, "119 min"),
        (2 * HOUR, "2 h"),
        (47.9 * HOUR, "47 h"),
        (100 * HOUR, "4 days"),
    ],
)
def test_an_age_is_told_as_people_tell_it(age: float, words: str) -> None:
    """Seconds, minutes, hours or days, whatever there are two of."""
    assert Tally(waiting=1).sentence(age, None, 0.0, NOON) == f"1 waiting, oldest {words}; 0 delivered"


def _tells(standing: Standing, now: float, waiting: int = 0, age: float = 0.0, pause: Pause | None = None) -> None:
    arrived = int((time.time() - age) * 1e9)
    standing.tell(Tally(waiting=waiting), pause, now, lambda: arrived)


def test_a_storm_of_changes_is_told_once_a_second(manager: Manager, standing: Standing) -> None:
    """A burst of a thousand files costs the service manager a message a second, and the last state is not lost."""
    _tells(standing, 100.0, 1)
    assert manager.hears("STATUS").startswith("STATUS=1 waiting")
    for number in range(2, 12):
        _tells(standing, 99.9 + number / 10, number)
        assert standing.due == 101 or number == 11
    assert manager.hears("STATUS").startswith("STATUS=11 waiting")


def test_an_age_goes_on_without_any_event(manager: Manager, standing: Standing) -> None:
    """A file that waits for minutes is told anew every minute; where nothing waits nobody is woken."""
    _tells(standing, 100.0, 1, age=500)  # 8 min, and 20 s
    assert 100 < standing.due <= 140
    assert manager.hears("STATUS") == "STATUS=1 waiting, oldest 8 min; 0 delivered"
    _tells(standing, standing.due, 1, age=541)
    assert manager.hears("STATUS") == "STATUS=1 waiting, oldest 9 min; 0 delivered"
    _tells(standing, 200.0)
    assert standing.due == float("inf")
    assert manager.hears("STATUS") == "STATUS=nothing waiting; 0 delivered"


def test_a_pause_is_told_with_its_beginning(manager: Manager, standing: Standing) -> None:
    """`paused since` is the moment at which the pause began, also while its reason is told again and again."""
    began = time.strftime("%H:%M")
    _tells(standing, 100.0, 1, pause=PAUSE)
    _tells(standing, 200.0, 2, pause=PAUSE)
    heard = manager.hears("STATUS=2 waiting")
    assert began <= heard.partition("paused since ")[2][:5] <= time.strftime("%H:%M") or time.strftime("%H:%M") < began


def test_an_arrival_in_the_future_is_no_age_below_zero(manager: Manager, standing: Standing) -> None:
    """A clock that was set back shows no nonsense."""
    _tells(standing, 100.0, 1, age=-500)
    assert manager.hears("STATUS") == "STATUS=1 waiting, oldest 0 s; 0 delivered"
