"""`run --once`: deliver what lies there now, say what it came to by the exit status, and leave nothing half."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import Answer, refused
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import PATIENCE, ROOT, redirected, run
from tests.integration.stand_in import StandIn
from tests.integration.terminal import at_a_terminal, terminal

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place


def test_all_well(api: StandIn, place: Place) -> None:
    """`run --once` has delivered everything: status 0, its totals, and the folders are tidy."""
    dropped = [place.put(f"{number}.pdf", pdf(str(number))).name for number in range(10)]
    finished = place.once()
    assert finished.status == 0, finished.err
    assert "10 delivered, 0 rejected, 0 waiting" in finished.err
    assert documents(place.done) == sorted(dropped)
    assert place.waiting() == names(place.work) == names(place.failed) == []


def test_nothing_to_do(place: Place, api: StandIn) -> None:
    """`run --once` on an empty folder: status 0, and the API is not asked anything."""
    assert place.once().status == 0
    assert api.requests == []


def test_a_rejected_invoice(api: StandIn, place: Place) -> None:
    """One of them was rejected: status 1, and the others are delivered all the same."""
    api.script("2", refused(103, "Order is already shipped or cancelled"))
    for number in range(4):
        place.put(f"{number}.pdf", pdf())
    assert place.once().status == 1
    assert documents(place.done) == ["0.pdf", "1.pdf", "3.pdf"]
    assert documents(place.failed) == ["2.pdf"]


def test_a_single_order_of_another_account(api: StandIn, place: Place) -> None:
    """A single "wrong API code", with nothing to compare it with, is the order's fault: status 1."""
    api.default = refused(101, "Wrong API code")
    place.put("12345.pdf", pdf())
    assert place.once().status == 1
    assert sidecar(place.failed / "12345.pdf")["error"]["code"] == 101
    assert len(api.requests) == 1


def test_the_api_cannot_be_reached(place: Place) -> None:
    """The API is away: status 75 before long, and every file is still there for the next time."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        for number in range(8):
            place.put(f"{number}.pdf", pdf(str(number)))
        finished = place.once()
        assert finished.status == 75, finished.err
        assert place.waiting() == [f"{number}.pdf" for number in range(8)]
        assert names(place.failed) == []
        assert all(sidecar(place.work / name)["state"] == "waiting" for name in documents(place.work))
        away.listen()
        assert place.once().status == 0
    assert documents(place.done) == [f"{number}.pdf" for number in range(8)]


NOT_NOW = (
    Answer(401, b""),
    Answer(302, b"", {"Location": "/login"}),
    Answer(429, b"", {"Retry-After": "3600"}),
    Answer(500, b""),
    refused(101, "Wrong API code"),
)


@pytest.mark.parametrize("answer", NOT_NOW)
def test_what_cannot_be_sent_now_is_left_waiting(api: StandIn, place: Place, answer: Answer) -> None:
    """The API code is refused, or the API is ill or busy: status 75 before long, and no file is called failed."""
    api.default = answer
    dropped = [place.put(f"{number}.pdf", pdf()).name for number in range(6)]
    finished = place.once()
    assert finished.status == 75, finished.err
    assert place.waiting() == dropped
    assert names(place.failed) == names(place.done) == []


def test_one_file_that_keeps_failing(api: StandIn, place: Place) -> None:
    """The API cannot bear one of them: the others are delivered, that one is left waiting, and it ends: status 75."""
    api.script("2", Answer(500, b""))
    for number in range(5):
        place.put(f"{number}.pdf", pdf())
    finished = place.once()
    assert finished.status == 75, finished.err
    assert documents(place.done) == ["0.pdf", "1.pdf", "3.pdf", "4.pdf"]
    assert place.waiting() == ["2.pdf"]


def test_another_instance_runs(place: Place, start: Start) -> None:
    """The daemon works on the folder already: status 75, a sentence that says so, and nothing is sent twice."""
    daemon = start()
    finished = place.once()
    assert finished.status == 75
    assert f"another invoice-watcher works on {place.drop}" in finished.err
    assert daemon.process.poll() is None


def test_a_second_instance_by_another_path(place: Place, start: Start) -> None:
    """A folder by another path (over a symbolic link) is the same folder: a second instance is refused there too."""
    start()
    (place.root / "alias").symlink_to(place.root)
    place.configure(drop_dir=str(place.root / "alias" / "drop"))
    finished = place.once()
    assert (finished.status, "another invoice-watcher works on" in finished.err) == (75, True)


def test_the_configuration_is_wrong(place: Place) -> None:
    """A configuration that cannot be used: status 78, with the line."""
    place.write_config("drop_dir: /srv\nno_such_key: 1\n")
    finished = place.once()
    assert finished.status == 78
    assert f"{place.config}:2: no_such_key" in finished.err


def test_no_configuration_at_all(place: Place) -> None:
    """A configuration that is not there: status 78, and its name."""
    finished = run("run", "--once", "-c", place.root / "none.yaml")
    assert finished.status == 78
    assert "none.yaml" in finished.err


@pytest.mark.parametrize("command", [("run", "--once"), ("run",)])
def test_the_drop_folder_is_missing(place: Place, command: tuple[str, ...]) -> None:
    """A drop folder that is not there is a missing mount or a typing mistake: status 78, and it is not made."""
    place.drop.rmdir()
    finished = run(*command, "-c", place.config)
    assert finished.status == 78
    assert f"{place.drop} does not exist" in finished.err
    assert not place.drop.exists()


@pytest.mark.parametrize("arguments", [("run", "--twice"), ("runs",), ("run", "surplus"), ("run", "-c")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """A command line that means nothing: status 2, with a word on what is wrong."""
    finished = run(*arguments)
    assert (finished.status, "Error:" in finished.err) == (2, True)


def test_a_file_that_settles_meanwhile_is_delivered(place: Place) -> None:
    """A file that was copied an instant ago lies there now: it is waited for until it is quiet."""
    place.configure(settle__quiet="500ms")
    place.put("12345.pdf", pdf(), "copy")
    assert place.once().status == 0
    assert documents(place.done) == ["12345.pdf"]


def test_a_file_that_somebody_keeps_open_is_not_waited_for_without_end(api: StandIn, place: Place) -> None:
    """A file still open for writing is left alone and named, and the command ends all the same: status 75."""
    place.configure(settle__incomplete_after="1s")
    with open(place.drop / "12345.pdf", "wb") as writing:
        writing.write(pdf())
        writing.flush()
        began = time.monotonic()
        finished = place.once()
        assert time.monotonic() - began < 10
    assert finished.status == 75, finished.err
    assert names(place.drop) == ["12345.pdf"]
    assert api.requests == []


def test_a_terminal_shows_a_progress_bar(api: StandIn, place: Place) -> None:
    """Somebody who watches sees how far it is; a log file or a pipe gets plain lines."""
    api.default = Answer(delay=0.3)
    for number in range(6):
        place.put(f"{number}.pdf", pdf())
    status, shown, _ = at_a_terminal("run", "--once", "-c", place.config)
    assert status == 0
    assert "\x1b[" in shown
    assert "6/6" in shown
    assert "6 delivered" in shown
    lines = [line.rpartition("\x1b[2K")[2] for line in shown.split("\r\n") if " INFO " in line]
    assert len(lines) == 7  # the log's lines stand above the bar, and none in it
    assert all(re.fullmatch(r"\d{4}-\S+Z INFO (ready: watching|delivered) [^\x1b\r]+", line) for line in lines), lines
    assert shown.rpartition("\x1b[2K")[2] == "6 delivered, 0 rejected, 0 waiting\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_at_a_terminal(api: StandIn, place: Place, number: signal.Signals) -> None:
    """Ctrl-C while the bar is shown: what is being sent is finished and filed, the rest stays, and the status is 0."""
    place.configure(api__workers=1)
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    place.put_after(place.put("1.pdf", pdf()), "2.pdf", pdf())
    command = [sys.executable, "-m", "invoice_watcher", "run", "--once", "-c", str(place.config)]
    with terminal() as (end, _), subprocess.Popen(command, cwd=ROOT, stderr=end) as program:
        api.wait_for(1)
        program.send_signal(number)
        hold.set()
        assert program.wait(PATIENCE) == 0
    assert documents(place.done) == ["1.pdf"]
    assert names(place.drop) == ["2.pdf"]
    assert names(place.work) == []


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", ">&- 2>&- <&-", "2>&1 | true"])
def test_without_anywhere_to_say_it_all_is_done(api: StandIn, place: Place, streams: str) -> None:
    """Standard error is closed, full, or read by nobody: every invoice is delivered, and the status is right."""
    api.script("2", refused(103, "Order is already shipped or cancelled"))
    for number in range(1, 4):
        place.put(f"{number}.pdf", pdf())
    finished = redirected(streams, "run", "--once", "-c", place.config)
    assert (finished.status, finished.out, finished.err) == (1, "", "")
    assert documents(place.done) == ["1.pdf", "3.pdf"]
    assert documents(place.failed) == ["2.pdf"]


def test_a_claimed_document_that_is_held_open_is_not_waited_for_without_end(api: StandIn, place: Place) -> None:
    """Somebody keeps the document of an earlier run open for writing: the rest is delivered, and status 75 tells."""
    place.configure(settle__incomplete_after="1s")
    place.work.mkdir()
    (place.work / "1.pdf").write_bytes(pdf())
    place.put("2.pdf", pdf())
    with open(place.work / "1.pdf", "ab"):
        finished = place.once()
    assert finished.status == 75, finished.err
    assert documents(place.done) == ["2.pdf"]
    assert documents(place.work) == ["1.pdf"]
    assert place.once().status == 0
    assert sidecar(place.done / "1.pdf")["in_doubt"] is True
