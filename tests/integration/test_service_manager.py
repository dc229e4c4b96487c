"""What systemd hears of the running program: started, reloaded, stopped, how things stand, and that it is alive."""

from __future__ import annotations

import re
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.audience import Audience
from invoice_watcher.config import Secret, load
from invoice_watcher.mailbox import Mailbox
from invoice_watcher.serve import Settings, deliver_once
from tests.integration.answers import OK, Answer
from tests.integration.place import pdf
from tests.integration.program import API_CODE, until
from tests.support.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

WATCHDOG = 2.0  # seconds; a busy machine may be late by half of it


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Listen, with a watchdog that has little patience."""
    pytest.importorskip("systemd")
    with Manager(tmp_path, watchdog=WATCHDOG) as manager:
        yield manager


def test_a_start_is_over_when_the_folder_is_watched(place: Place, start: Start, manager: Manager) -> None:
    """`systemctl start` returns when what is dropped from then on is taken, without the rescan; a stop is told."""
    place.configure(settle__rescan="1h")
    daemon = start("run", "-c", place.config, **manager.env)
    assert "STOPPING=1" not in manager.hears_before("READY=1")
    assert manager.hears("STATUS=") == "STATUS=nothing waiting; 0 delivered"
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    daemon.stop()
    manager.hears("STOPPING=1")


def test_a_reload_is_no_end(place: Place, start: Start, manager: Manager) -> None:
    """READY, RELOADING, READY; STOPPING comes with the stop alone, or systemd would think that the service ends."""
    daemon = start(**manager.env)
    daemon.send(signal.SIGHUP)
    daemon.says("ready: watching", times=2)
    assert daemon.stop() == 0
    told = [heard.partition("=")[0] for heard in manager.has_heard()]
    assert [kind for kind in told if kind not in {"STATUS", "WATCHDOG"}] == ["READY", "RELOADING", "READY", "STOPPING"]


@pytest.mark.parametrize("how", ["reload", "lost"])
def test_a_stop_while_another_run_is_to_follow_is_told(
    api: StandIn, place: Place, start: Start, manager: Manager, how: str
) -> None:
    """The last upload before a reload, or after the folders went away, is waited for: a stop is told at once."""
    place.configure(settle__rescan="100ms")
    answer = threading.Event()
    api.script("1", Answer(hold=answer))
    daemon = start(**manager.env)
    place.put("1.pdf", pdf())
    api.wait_for(1)
    if how == "reload":
        daemon.send(signal.SIGHUP)
    else:
        place.drop.rename(place.root / "away")
    daemon.says("ending; uploads under way")
    daemon.send(signal.SIGTERM)
    manager.hears("STOPPING=1")
    answer.set()
    assert daemon.wait() == 0


def test_a_reload_is_told_with_its_moment(place: Place, start: Start, manager: Manager) -> None:
    """Type=notify-reload: RELOADING=1 with the monotonic clock in microseconds, and READY=1 when it is over."""
    daemon = start(**manager.env)
    manager.hears("READY=1")
    for text in (place.config.read_text(), "nonsense"):  # also when the new configuration is refused
        place.write_config(text)
        before = time.monotonic_ns() // 1000
        daemon.send(signal.SIGHUP)
        told = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", manager.hears("RELOADING=1"))
        assert told
        assert before <= int(told[1]) <= time.monotonic_ns() // 1000
        assert not [heard for heard in manager.hears_before("READY=1") if heard.startswith("STOPPING")]


def test_a_reload_that_finds_the_folders_gone_is_over_all_the_same(
    place: Place, start: Start, manager: Manager
) -> None:
    """`systemctl reload` does not hang while the folders are waited for; the status line names them."""
    daemon = start(**manager.env)
    manager.hears("READY=1")
    place.drop.rename(place.root / "away")
    daemon.send(signal.SIGHUP)
    manager.hears("STATUS=waiting for the folders")
    manager.hears("READY=1")
    (place.root / "away").rename(place.drop)
    manager.hears("STATUS=nothing waiting")


def test_a_reload_while_the_folders_are_waited_for_is_over_at_once(
    place: Place, start: Start, manager: Manager
) -> None:
    """`systemctl reload` does not hang either when they have been away for long, as the log has said already."""
    place.configure(settle__rescan="100ms")
    daemon = start(**manager.env)
    manager.hears("READY=1")
    place.drop.rename(place.root / "away")
    manager.hears("STATUS=waiting for the folders")
    for _ in range(3):
        daemon.send(signal.SIGHUP)
        manager.hears("RELOADING=1")
        manager.hears("READY=1")


def test_a_stop_while_the_folders_are_waited_for_is_told(place: Place, start: Start, manager: Manager) -> None:
    """`systemctl stop` is answered at once, though no folder is there."""
    place.configure(settle__rescan="100ms")
    daemon = start(**manager.env)
    place.drop.rename(place.root / "away")
    manager.hears("STATUS=waiting for the folders")
    assert daemon.stop() == 0
    manager.hears("STOPPING=1")


def test_a_run_that_ends_by_itself_has_told_so(
    api: StandIn, place: Place, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run --once` as a service of Type=notify: its last word is sent when it returns, and it speaks no more."""
    for name, value in manager.env.items():
        monkeypatch.setenv(name, value)
    place.put("1.pdf", pdf())
    tally = deliver_once(Settings(load(place.config), Secret(API_CODE)), Mailbox(), Audience())
    assert tally.delivered == 1
    assert "sd_notify" not in {thread.name for thread in threading.enumerate()}
    assert manager.hears_before("STOPPING=1")[0] == "READY=1"


def test_the_status_line_tells_of_a_pause_and_its_end(
    api: StandIn, place: Place, start: Start, manager: Manager
) -> None:
    """How many wait, since when, why; and when the last one went through, also after a reload."""
    api.default = Answer(401, b"")
    daemon = start(**manager.env)
    for number in range(3):
        place.put(f"{number}.pdf", pdf(str(number)))
    pause = r"STATUS=3 waiting, oldest \d+ s; paused since \d\d:\d\d: The API does not accept the API code; 0 delivered"
    until(lambda: re.fullmatch(pause, manager.hears("STATUS=3 waiting")), pause)
    api.default = OK
    end = r"STATUS=nothing waiting; {} delivered, last at \d\d:\d\d"
    until(lambda: re.fullmatch(end.format(3), manager.hears("STATUS=nothing")), end)
    daemon.send(signal.SIGHUP)
    manager.hears("RELOADING=1")
    place.put("3.pdf", pdf("3"))
    until(lambda: re.fullmatch(end.format(4), manager.hears("STATUS=nothing")), "it forgot what it had delivered")


def test_an_idle_program_is_alive(place: Place, start: Start, manager: Manager) -> None:
    """Nothing to do for hours is no reason to be restarted: each time that the watchdog allows holds a sign of life."""
    start(**manager.env)
    manager.goes_on_hearing("WATCHDOG=1", 3, WATCHDOG)


@pytest.mark.slow  # a sign of life may be a second late, and several are awaited, twice
def test_a_long_upload_is_alive(api: StandIn, place: Place, start: Start, manager: Manager) -> None:
    """An upload may take as long as api.deadline says; nor is a stop in good order, which waits for it, cut short."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    daemon = start(**manager.env)
    place.put("1.pdf", pdf())
    api.wait_for(1)
    manager.goes_on_hearing("WATCHDOG=1", 3, WATCHDOG)
    daemon.send(signal.SIGHUP)
    manager.hears("RELOADING=1")
    manager.goes_on_hearing("WATCHDOG=1", 3, WATCHDOG)
    hold.set()
    manager.hears("READY=1")
    place.until_done("1.pdf")


def test_a_program_that_waits_for_its_folders_is_alive(place: Place, start: Start, manager: Manager) -> None:
    """A disk that is away for a night does not have the service restarted all night."""
    place.configure(settle__rescan="100ms")
    start(**manager.env)
    place.drop.rename(place.root / "away")
    manager.hears("STATUS=waiting for the folders")
    manager.goes_on_hearing("WATCHDOG=1", 3, WATCHDOG)
