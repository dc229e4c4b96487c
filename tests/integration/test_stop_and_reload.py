"""Signals: stop in good order, reload without losing anything, and refuse a broken configuration."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import API_CODE, EXECUTED, PATIENCE, lines_with, until
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

STOPS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", STOPS)
def test_an_idle_daemon_stops_at_once(place: Place, daemon: Program, number: signal.Signals) -> None:
    """`systemctl stop`, or Ctrl-C, of a daemon with nothing to do: gone within a moment, status 0."""
    began = time.monotonic()
    assert daemon.stop(number) == 0
    assert time.monotonic() - began < 3


def test_a_stop_at_the_very_moment_of_the_start(place: Place, start: Start) -> None:
    """A signal that comes while the daemon is about to wait is not slept through, whatever the moment."""
    daemons = []
    for number in range(8):
        drop = place.root / f"drop-{number}"
        drop.mkdir()
        place.configure(drop_dir=str(drop))
        daemons.append(start())
        daemons[-1].send(signal.SIGTERM)
    assert [daemon.wait(5) for daemon in daemons] == [0] * 8


@pytest.mark.parametrize(("number", "takes"), [(signal.SIGTERM, 3.0), (signal.SIGINT, 0.5)])
def test_what_is_being_sent_is_finished(
    api: StandIn, place: Place, start: Start, number: signal.Signals, takes: float
) -> None:
    """A stop in mid-upload, whose answer takes seconds: it is waited for and filed, nothing new is begun, status 0."""
    place.configure(api__workers=2)
    api.script("1", Answer(delay=takes))
    daemon = start()
    place.put("1.pdf", pdf("", 2 << 20))
    api.wait_for(1)
    daemon.send(number)
    daemon.says("ending")
    place.put("2.pdf", pdf())
    assert daemon.wait() == 0
    assert documents(place.done) == ["1.pdf"]
    assert sidecar(place.done / "1.pdf")["attempts"] == 1
    assert names(place.drop) == ["2.pdf"]
    assert names(place.work) == []
    assert len(api.requests) == 1


@pytest.mark.slow  # the grace is 20 s
def test_a_server_that_hangs_does_not_hold_up_the_stop(api: StandIn, place: Place, start: Start) -> None:
    """No answer ever: the stop waits for the 20 s of grace, and no longer; the next start delivers, in doubt."""
    api.script("1", Answer(hold=threading.Event()), OK)
    daemon = start()
    place.put("1.pdf", pdf())
    place.put("2.pdf", pdf())
    api.wait_for(2)
    place.until_done("2.pdf")
    began = time.monotonic()
    assert daemon.stop(timeout=60) == 0
    assert 19.5 < time.monotonic() - began < 25
    assert place.waiting() == ["1.pdf"]
    assert documents(place.done) == ["2.pdf"]
    assert names(place.failed) == []
    start()
    place.until_done("1.pdf")
    told = sidecar(place.done / "1.pdf")
    assert (told["in_doubt"], told["attempts"], len(api.of("1"))) == (True, 2, 2)


@pytest.mark.parametrize("number", STOPS)
def test_a_paused_daemon_stops_at_once(place: Place, start: Start, number: signal.Signals) -> None:
    """A stop while the API is away and a long pause has begun: at once, with every file still there."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url, retry__initial="1m", retry__max="5m")
        daemon = start()
        dropped = [place.put(f"{name}.pdf", pdf()).name for name in range(5)]
        daemon.says("paused")
        began = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() - began < 5
    assert place.waiting() == dropped


def test_run_once_is_stopped(api: StandIn, place: Place, start: Start) -> None:
    """SIGTERM during `run --once`: what is under way is finished, the rest stays, and there is no traceback."""
    place.configure(api__workers=1)
    api.default = Answer(delay=0.5)
    for number in range(6):
        place.put(f"{number}.pdf", pdf())
    program = start("run", "--once", "-c", place.config)
    api.wait_for(1)
    assert program.stop() == 0
    assert len(documents(place.done)) == len(api.requests)
    assert sorted(documents(place.done) + place.waiting()) == [f"{number}.pdf" for number in range(6)]
    assert names(place.work) == []


def test_a_changed_configuration_is_applied(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP with another address: later files go there, by the same process."""
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    with StandIn() as other:
        place.configure(api__base_url=other.base_url)
        daemon.send(signal.SIGHUP)
        daemon.says("ready: watching", times=2)
        place.put("2.pdf", pdf())
        place.until_done("2.pdf")
        assert [request.order_id for request in other.requests] == ["2"]
        assert daemon.stop() == 0
    assert [request.order_id for request in api.requests] == ["1"]


def test_a_changed_api_code_is_applied(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP after the API code was changed: the next invoice goes out with the new one; the old is still a secret."""
    other = API_CODE.replace("5ec2e7c0", "0de10de1")
    place.configure(api__api_code=other)
    daemon.send(signal.SIGHUP)
    daemon.says("ready: watching", times=2)
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert api.requests[0].api_code == other
    assert other not in daemon.err


def test_a_broken_configuration_is_refused(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP with a mistake in the file: the log says what and where, and the old configuration stays at work."""
    place.write_config(f"drop_dir: {place.drop}\nsettle:\n  quite: 5\napi:\n  workers: many\n")
    daemon.send(signal.SIGHUP)
    assert f"{place.config}:3: settle.quite" in daemon.says("settle.quite")
    assert f"{place.config}:5: api.workers" in daemon.says("api.workers")
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert len(api.requests) == 1


def test_a_reload_in_the_midst_of_an_upload(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP while something is being sent: it is finished, sent only once, and the daemon goes on."""
    api.script("1", Answer(delay=0.5))
    place.put("1.pdf", pdf())
    api.wait_for(1)
    daemon.send(signal.SIGHUP)
    place.put("2.pdf", pdf())
    place.until_done("1.pdf", "2.pdf")
    assert len(api.of("1")) == len(api.of("2")) == 1
    assert sidecar(place.done / "1.pdf")["in_doubt"] is False
    assert daemon.stop() == 0


def test_a_stop_while_a_reload_finishes_an_upload(api: StandIn, place: Place, daemon: Program) -> None:
    """`systemctl stop` right after `systemctl reload`: the upload is filed, and the program ends, come what may."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    place.put("1.pdf", pdf())
    api.wait_for(1)
    daemon.send(signal.SIGHUP)
    daemon.says("read anew")
    daemon.send(signal.SIGTERM)
    daemon.send(signal.SIGHUP)
    hold.set()
    assert daemon.wait() == 0
    assert documents(place.done) == ["1.pdf"]
    assert len(api.requests) == 1
    assert len(lines_with("ready: watching", daemon.lines)) == 1, "it began anew instead of ending"


def test_a_second_reload_while_the_first_finishes_an_upload(api: StandIn, place: Place, daemon: Program) -> None:
    """Two changes of the configuration in a row: the second counts, though it came while the first was under way."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    place.put("1.pdf", pdf())
    api.wait_for(1)
    daemon.send(signal.SIGHUP)
    daemon.says("read anew")
    with StandIn() as other:
        place.configure(api__base_url=other.base_url)
        daemon.send(signal.SIGHUP)
        hold.set()
        daemon.says("read anew", times=2)
        daemon.says("ready: watching", times=3)
        place.put("2.pdf", pdf())
        place.until_done("1.pdf", "2.pdf")
        assert [request.order_id for request in other.requests] == ["2"]
        assert daemon.stop() == 0


UNUSABLE = {"nowhere": "does not exist", "a file": "is not a folder", "in use": "another invoice-watcher"}


@pytest.mark.parametrize("wrong", UNUSABLE)
def test_a_reload_to_folders_that_cannot_be_used(api: StandIn, place: Place, daemon: Program, wrong: str) -> None:
    """SIGHUP with a mistyped or a taken drop folder: what is wrong is said, and the old configuration stays at work."""
    other = place.root / "other"
    if wrong == "a file":
        other.write_bytes(b"")
    if wrong == "in use":
        other.mkdir()
    place.configure(drop_dir=str(other))
    with ExitStack() as taken:
        if wrong == "in use":
            descriptor = os.open(other, os.O_RDONLY)
            taken.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        daemon.send(signal.SIGHUP)
        said = daemon.says("the new configuration is not used")
        assert str(other) in said
        assert UNUSABLE[wrong] in said
        daemon.says(f"ready: watching {place.drop}", times=2)
        place.put("1.pdf", pdf())
        place.until_done("1.pdf")
    assert other.exists() is (wrong != "nowhere"), "it was made"
    assert daemon.stop() == 0


def test_a_configuration_that_is_refused_does_not_change_the_log(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP with a mistyped drop folder and another log: what is delivered is still told, in the old format."""
    place.configure(drop_dir=str(place.root / "nowhere"), log__level="error", log__format="json")
    daemon.send(signal.SIGHUP)
    assert " ERROR " in daemon.says("the new configuration is not used")
    daemon.says("ready: watching", times=2)
    place.put("1.pdf", pdf())
    assert " INFO delivered" in daemon.says("ORDER_ID=1")


def test_a_reload_changes_the_log(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP with another log.format: from then on each line is in that."""
    place.configure(log__format="json")
    daemon.send(signal.SIGHUP)
    assert json.loads(daemon.says('"ready: watching'))["level"] == "INFO"
    place.put("1.pdf", pdf())
    assert json.loads(daemon.says("delivered"))["ORDER_ID"] == "1"


def test_a_reload_to_a_done_folder_that_is_to_be_made(api: StandIn, place: Place, daemon: Program) -> None:
    """SIGHUP with another done folder: made as at a start, and used from then on."""
    archive = place.root / "archive"
    place.configure(done_dir=str(archive))
    daemon.send(signal.SIGHUP)
    daemon.says("ready: watching", times=2)
    place.put("1.pdf", pdf())
    until(lambda: "1.pdf" in names(archive), "the invoice in the new done folder")
    assert daemon.stop() == 0


def test_somebody_takes_the_lock_during_a_reload(api: StandIn, place: Place, daemon: Program) -> None:
    """A lock on the drop folder that another program grabs just then is waited for, and is no reason to end."""
    with subprocess.Popen(["flock", place.drop, "-c", "echo locked; exec cat"], stdin=PIPE, stdout=PIPE) as other:
        try:
            until(lambda: _is_locked_by(other, daemon), "the lock in other hands")
            daemon.says("waiting for the folders")
            place.put("1.pdf", pdf())
        finally:
            other.kill()
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def _is_locked_by(other: subprocess.Popen[bytes], daemon: Program) -> bool:
    """Tell whether flock(1) has got the lock, which each reload of the daemon lets go of for a moment."""
    if select.select([other.stdout], [], [], 0.2)[0]:  # type: ignore[type-var]
        return True
    daemon.send(signal.SIGHUP)
    return False


@pytest.mark.parametrize("command", [("run",), ("run", "--once")], ids=["run", "once"])
def test_stops_that_come_to_the_very_end(place: Place, start: Start, command: tuple[str, ...]) -> None:
    """However often somebody asks, and until when: it ends as it would have after the first time."""
    place.put("bad name.pdf", pdf())
    latest = time.monotonic() + PATIENCE
    for _ in range(5):
        daemon = start(*command, "-c", place.config, within=EXECUTED)
        if command == ("run",):
            daemon.says("ready: watching")
        else:
            until(lambda: daemon.process.poll() is not None or "ready: watching" in daemon.err)  # noqa: B023
        while daemon.process.poll() is None:
            assert time.monotonic() < latest, "it never ends"
            daemon.send(signal.SIGTERM)
            daemon.send(signal.SIGHUP)
        assert daemon.wait() in {0, 1}
