"""`status`: how things stand, in every state in which the service can be, for people, in a pipe, and for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.answers import Answer, refused
from tests.integration.place import names, pdf
from tests.integration.program import ROOT, RUNTIME, run, until
from tests.integration.terminal import at_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Finished, Program
    from tests.integration.stand_in import StandIn

DENIED = Answer(401, b"")
KEYS = {
    "version", "program", "state", "running", "paused", "pause", "pid", "drop_dir", "started_at", "as_of", "trouble",
    "advice", "waiting", "oldest", "files", "left_alone", "failed", "failures", "delivered", "rejected",
    "last_delivery",
}  # fmt: skip


def status(place: Place) -> Finished:
    """Ask as a person in a pipe."""
    return run("status", "-c", place.config)


def record(place: Place) -> dict[str, Any]:
    """Ask as a program."""
    finished = run("status", "--json", "-c", place.config)
    assert finished.err == ""
    assert finished.out.isascii()
    told: dict[str, Any] = json.loads(finished.out)
    assert told.keys() == KEYS
    assert finished.status == {"flowing": 0}.get(told["state"], 75)
    return told


def until_told(place: Place, **wanted: object) -> dict[str, Any]:
    """Ask until these are told."""

    def asked() -> dict[str, Any] | None:
        told = record(place)
        return told if wanted.items() <= told.items() else None

    told = until(asked, f"{wanted}")
    assert told is not None
    return told


def test_every_key_is_documented() -> None:
    """The help lists the keys of the JSON object, all and no other, for whoever writes a monitor."""
    listed = run("status", "--help").out.partition("With --json:")[2].partition("Times are")[0]
    without_their_own = re.sub(r"\([^()]*\)", "", listed)
    assert set(re.findall(r"\w+", without_their_own)) - {"and"} == KEYS


def test_before_the_first_start(place: Place) -> None:
    """Nothing runs, and no folder but the drop folder is there: it says so, with the command that mends it."""
    place.put("1.pdf", pdf())
    finished = status(place)
    assert finished.status == 75
    assert finished.out.startswith("NOT RUNNING: nothing is taken\n")
    assert f"start it: invoice-watcher run -c {place.config}" in finished.out
    assert "waiting: 1, the oldest for" in finished.out
    assert "failed: 0\n" in finished.out
    assert os.listdir(place.drop) == ["1.pdf"]
    wanted = {"waiting": 1, "failed": 0, "running": False, "pid": None, "last_delivery": None}
    assert wanted.items() <= record(place).items()


def test_all_is_well(place: Place, start: Start) -> None:
    """The service runs, and has delivered and rejected something: all of it is told, with status 0."""
    daemon = start()
    place.put("1.pdf", pdf())
    place.put("bad name.pdf", pdf())
    place.until_done("1.pdf")
    place.until_failed("bad name.pdf")
    told = until_told(place, delivered=1, rejected=1, waiting=0)
    assert (told["running"], told["paused"], told["state"], told["pid"]) == (True, False, "flowing", daemon.pid)
    assert (told["last_delivery"]["name"], told["last_delivery"]["order_id"]) == ("1.pdf", "1")
    assert (told["failed"], told["failures"][0]["name"], told["failures"][0]["code"]) == (1, "bad name.pdf", 100)
    assert "Rename" in told["failures"][0]["hint"]
    finished = status(place)
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("running: what is dropped is taken\n")
    assert "last delivery: 1.pdf (order 1), at " in finished.out
    assert "failed: bad name.pdf, " in finished.out
    assert daemon.stop() == 0


def test_after_a_stop(place: Place, start: Start) -> None:
    """What was delivered and rejected before is still told, from what lies in the folders."""
    daemon = start()
    place.put("1.pdf", pdf())
    place.put("bad name.pdf", pdf())
    place.until_done("1.pdf")
    place.until_failed("bad name.pdf")
    assert daemon.stop() == 0
    told = record(place)
    assert (told["state"], told["failed"], told["delivered"], told["left_alone"]) == ("stopped", 1, None, None)
    assert (told["last_delivery"]["name"], told["last_delivery"]["order_id"]) == ("1.pdf", "1")


def test_paused(api: StandIn, place: Place, start: Start) -> None:
    """The API refuses the API code: paused, since when, what the administrator has to do, and status 75."""
    place.configure(retry__initial="1h", retry__max="1h")
    api.default = DENIED
    start()
    place.put("1.pdf", pdf())
    told = until_told(place, state="paused", paused=True)
    assert told["pause"]["reason"] == "access_denied"
    assert "API code" in told["pause"]["cure"]
    assert told["pause"]["since"] < told["pause"]["next_try"]
    finished = status(place)
    assert finished.status == 75
    assert finished.out.startswith("PAUSED: nothing is sent\n")
    for text in ("paused: since ", "what to do: Check the API code", "next try: in "):
        assert text in finished.out
    assert "waits: 1.pdf (order 1), for " in finished.out


def test_under_way(api: StandIn, place: Place, start: Start) -> None:
    """While a slow API has an invoice, and another of its order waits, both are told."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    start()
    place.put("1.pdf", pdf())
    api.wait_for(1)
    place.put("1.url", b"[InternetShortcut]\r\nURL=https://example.com/1.pdf\r\n")
    told = until_told(place, waiting=2)
    states = {one["name"]: one["state"] for one in told["files"]}
    assert states == {"1.pdf": "sending", "1.url": "behind"}
    assert re.search(r"waits: 1\.url \(order 1\), for \d+ s: waits behind 1\.pdf", status(place).out)
    hold.set()


def test_what_is_left_alone(place: Place, start: Start) -> None:
    """Folders and links that were dropped are named, with what to do, in a pipe, on a terminal and to programs."""
    place.configure(settle__rescan="100ms")
    start()
    assert until_told(place, left_alone=[])["state"] == "flowing"
    assert "left alone" not in status(place).out
    (place.drop / "scans").mkdir()
    (place.drop / "a\x1b[2J").symlink_to("nowhere")
    told = until_told(place, left_alone=["a\x1b[2J", "scans"])
    assert (told["state"], told["waiting"]) == ("flowing", 0)
    text = "only files are taken; move what is in it into the drop folder itself"
    assert f"left alone: 2: a\\x1b[2J, scans; {text}\n" in status(place).out
    assert "left alone" in (shown := _on_a_terminal(place, columns=200))
    assert text in shown
    assert "\x1b[2J" not in shown
    for number in range(100):
        (place.drop / f"{number:03}").mkdir()
    until(lambda: len(record(place)["left_alone"]) == 100, "a hundred names")
    assert re.search(r"left alone: 100 or more: ([^,]+, ){5}…; only", status(place).out)


def test_the_folders_are_away(place: Place, start: Start) -> None:
    """The folders were moved away: the service waits for them, and says so; status 75."""
    place.configure(settle__rescan="100ms")
    daemon = start()
    away = place.root / "away"
    place.drop.rename(away)
    daemon.says("waiting for the folders")
    told = until_told(place, state="folders_away", running=True)
    assert str(place.drop) in told["trouble"][0]
    assert told["waiting"] is None
    assert "WAITING for its folders" in status(place).out
    away.rename(place.drop)
    until_told(place, state="flowing")


def test_no_drop_folder_and_no_service(place: Place) -> None:
    """There is not even a drop folder: status 78, also for a program, which is told all the same."""
    place.drop.rmdir()
    finished = status(place)
    assert finished.status == 78
    assert f"{place.drop} does not exist; create it" in finished.out
    as_json = run("status", "--json", "-c", place.config)
    assert (as_json.status, json.loads(as_json.out)["waiting"]) == (78, None)
    place.drop.mkdir()


def test_a_broken_configuration(place: Place) -> None:
    """`status` with a configuration that cannot be read ends with 78, and tells the line."""
    place.write_config("drop_dir: [")
    finished = status(place)
    assert finished.status == 78
    assert f"{place.config}:1: " in finished.err


def test_no_api_code_is_needed(place: Place) -> None:
    """Somebody on call, who may not read the API code, may ask."""
    place.configure(api__api_code=None)
    assert "NOT RUNNING" in status(place).out


def test_killed(place: Place, start: Start) -> None:
    """The service was killed: its socket is still there, and it is told that nothing runs."""
    daemon = start()
    daemon.send(signal.SIGKILL)
    daemon.wait()
    assert record(place)["state"] == "stopped"


@pytest.mark.slow  # an answer may take more than 5 s
def test_hanging(place: Place, start: Start) -> None:
    """The service does not answer, though it is there: that is told, with its process, and what waits is counted."""
    daemon = start()
    daemon.send(signal.SIGSTOP)
    place.put("1.pdf", pdf())
    told = record(place)
    daemon.send(signal.SIGCONT)
    assert (told["state"], told["running"], told["pid"], told["waiting"]) == ("hanging", True, daemon.pid, 1)
    assert told["started_at"] is not None
    place.until_done("1.pdf")


def test_once(api: StandIn, place: Place, start: Start) -> None:
    """While `run --once` works there is nobody to ask, but the lock tells that something works on the folder."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    place.put("1.pdf", pdf())
    once = start("run", "--once", "-c", place.config)
    api.wait_for(1)
    told = record(place)
    assert (told["state"], told["running"], told["pid"]) == ("silent", True, once.pid)
    hold.set()
    assert once.wait() == 0


def test_nobody_is_disturbed(place: Place, start: Start) -> None:
    """Asking changes nothing, not even a time in the folders, and the service starts afterwards as ever."""
    place.put("1.pdf", pdf())
    before = {path: path.lstat().st_ctime_ns for path in place.root.rglob("*")}
    status(place)
    assert {path: path.lstat().st_ctime_ns for path in place.root.rglob("*")} == before
    start()
    place.until_done("1.pdf")


HOSTILE = "a\x1b[2J\n\u202egnp\udcff.pdf"


def _on_a_terminal(place: Place, columns: int = 80, **env: str) -> str:
    return at_a_terminal("status", "-c", place.config, piped=False, COLUMNS=str(columns), **env).terminal


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_a_terminal(place: Place, columns: int) -> None:
    """On a terminal there are colours and tables, as wide as it is; nothing hostile gets through, in any width."""
    place.put(HOSTILE.encode("utf-8", "surrogateescape"), pdf())
    place.put("[bold]1[", pdf())
    shown = _on_a_terminal(place, columns=columns)
    assert "\x1b[1;31mNOT RUNNING" in shown
    assert "│" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    if columns > 30:  # where the names are in one piece
        assert "[bold]1[" in shown
        assert "\\x1b" in shown
    plain = _on_a_terminal(place, columns=columns, NO_COLOR="1")
    assert set(re.findall(r"\x1b\[[^m]*m", plain)) <= {"\x1b[0m", "\x1b[1m"}  # bold is no colour
    assert max(len(re.sub(r"\x1b\[[^m]*m", "", line)) for line in plain.splitlines()) <= columns
    assert "\x1b" not in _on_a_terminal(place, columns=columns, TERM="dumb")


def test_a_pipe(place: Place, start: Start) -> None:
    """In a pipe each file is one line, without colours and drawn lines; what is hostile is escaped, also in JSON."""
    place.put(HOSTILE.encode("utf-8", "surrogateescape"), pdf())
    name = r"a\x1b[2J\n\u202egnp\xff.pdf"
    finished = run("status", "-c", place.config, env={"TERM": "xterm-256color"})
    assert f"waits: {name}, for " in finished.out
    assert not any(char in finished.out for char in "│┃━\x1b")
    start()
    until(lambda: names(place.failed), "a failure")
    assert f"failed: {name}, " in status(place).out
    assert [one["name"] for one in record(place)["failures"]] == [HOSTILE.replace("\udcff", r"\xff")]


def test_hostile_answers_of_the_api(api: StandIn, place: Place, start: Start) -> None:
    """What the API says about an order is shown as text, in a pipe and on a terminal."""
    api.default = refused(103, "closed\x1b[2J\n\u202e[red]")
    start()
    place.put("1.pdf", pdf())
    place.until_failed("1.pdf")
    assert r"closed\x1b[2J\n\u202e[red]" in status(place).out
    shown = _on_a_terminal(place, columns=200)
    assert r"closed\x1b[2J" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_more_than_fit(place: Place) -> None:
    """Twenty of those that wait are shown, and it is said that there are more."""
    for number in range(50):
        place.put(f"{number}.pdf", pdf())
    out = status(place).out
    assert out.count("waits: ") == 20
    assert "waiting: 50" in out
    assert "the first 20 are shown" in out
    assert len(record(place)["files"]) == 50


def test_more_failed_than_fit(place: Place) -> None:
    """Ten of those that failed are shown, and it is said that there are more; where all are shown, nothing is."""
    place.failed.mkdir(parents=True)
    for number in range(10):
        (place.failed / f"{number}.pdf").write_bytes(pdf())
    assert "failed: 10\n" in status(place).out
    (place.failed / "10.pdf").write_bytes(pdf())
    out = status(place).out
    assert out.count("failed: ") == 1 + 10
    assert "failed: 11; the newest 10 are shown\n" in out


def test_what_a_monitor_runs(place: Place, daemon: Program, tmp_path: Path) -> None:
    """`status || alert` is quiet while all is well, and not when the service has ended."""
    script = '"$0" -m invoice_watcher status -c "$1" >/dev/null || touch "$2"'
    command = ["sh", "-c", script, sys.executable, str(place.config), str(tmp_path / "alert")]
    environment = {**os.environ, "RUNTIME_DIRECTORY": RUNTIME}
    subprocess.run(command, cwd=ROOT, check=True, timeout=60, env=environment)
    assert not (tmp_path / "alert").exists()
    daemon.stop()
    subprocess.run(command, cwd=ROOT, check=True, timeout=60, env=environment)
    assert (tmp_path / "alert").exists()


def test_lost_receipts(place: Place, start: Start) -> None:
    """Receipts and documents that somebody removed do no harm to what is told."""
    daemon = start()
    for name in ("bad 1.pdf", "bad 2.pdf"):
        place.put(name, pdf())
    place.until_failed("bad 1.pdf", "bad 2.pdf")
    daemon.stop()
    (place.failed / "bad 1.pdf").unlink()
    (place.failed / "bad 2.pdf.json").unlink()
    told = record(place)
    assert (told["failed"], told["failures"][0]["name"], told["failures"][0]["message"]) == (1, "bad 2.pdf", None)
    assert "failed: bad 2.pdf" in status(place).out
    shutil.rmtree(place.failed)
    assert record(place)["failed"] == 0


def test_invoices_without_receipts(place: Place) -> None:
    """Somebody put documents there, or removed the receipts: programs still learn the orders, from the names."""
    for folder, name in ((place.failed, "12345.pdf"), (place.done, "67890.pdf")):
        folder.mkdir()
        (folder / name).write_bytes(pdf())
    told = record(place)
    assert told["failures"][0]["order_id"] == "12345"
    assert told["last_delivery"]["order_id"] == "67890"
