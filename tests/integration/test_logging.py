"""The log: each event one line, with the fields by which a file's whole story is found, and none is forged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import pdf
from tests.integration.program import ROOT, lines_with

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) \S.*")


def _three_fates(api: StandIn, place: Place) -> None:
    """Have one delivered, one deferred and then delivered, and one rejected."""
    api.script("2", Answer(500, b""), OK)
    api.script("3", refused(103, "Order is already shipped or cancelled"))
    for number in (1, 2, 3):
        place.put(f"{number}.pdf", pdf())
    place.until_done("1.pdf", "2.pdf")
    place.until_failed("3.pdf")


def _events(daemon: Program) -> list[dict[str, Any]]:
    daemon.stop()
    return [json.loads(line) for line in daemon.lines]


def test_json_lines_carry_the_fields(api: StandIn, place: Place, start: Start) -> None:
    """log.format json: every line an object; an invoice's lines carry order, file, outcome, codes and attempt."""
    place.configure(log__format="json")
    daemon = start()
    _three_fates(api, place)
    events = _events(daemon)
    assert all({"time", "level", "message"} <= event.keys() for event in events)
    fields = ("ORDER_ID", "FILE_NAME", "OUTCOME", "API_ERROR_CODE", "HTTP_STATUS", "ATTEMPT")
    told = {tuple(event.get(field) for field in fields) for event in events if "OUTCOME" in event}
    assert told == {
        ("1", "1.pdf", "delivered", None, "200", "1"),
        ("2", "2.pdf", "deferred", None, "500", "1"),
        ("2", "2.pdf", "delivered", None, "200", "2"),
        ("3", "3.pdf", "rejected", "103", "400", "1"),
    }


def test_one_event_is_one_line(api: StandIn, place: Place, daemon: Program) -> None:
    """Text: time, level and sentence, and as many lines about invoices as there were attempts."""
    _three_fates(api, place)
    daemon.stop()
    assert all(_TEXT.fullmatch(line) for line in daemon.lines), daemon.err
    assert len(lines_with("ORDER_ID=2 ", daemon.lines)) == 2
    assert len(lines_with("OUTCOME=", daemon.lines)) == 4


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_name_cannot_forge_a_line(api: StandIn, place: Place, start: Start, form: str) -> None:
    """A file name with line breaks, escapes and reversed text stays within its own line, escaped."""
    place.configure(log__format=form)
    daemon = start()
    place.put("1\n2026-11-22T00:00:00.000Z INFO delivered 2.pdf\x1b[2K\u202e.pdf", pdf())
    line = daemon.says("rejected")
    text = json.loads(line)["message"] if form == "json" else line
    assert r"rejected 1\n2026-11-22T00:00:00.000Z INFO delivered 2.pdf\x1b[2K\u202e.pdf" in text
    daemon.stop()
    assert len(lines_with("00:00:00.000Z INFO delivered", daemon.lines)) == 1


def test_the_level_is_obeyed(api: StandIn, place: Place, start: Start) -> None:
    """log.level warning: a quiet day leaves nothing; what is wrong is told all the same."""
    place.configure(log__level="warning")
    daemon = start("run", "-c", place.config)
    _three_fates(api, place)
    daemon.says("rejected 3.pdf")
    daemon.stop()
    assert all(" WARNING " in line for line in daemon.lines)
    assert len(daemon.lines) == 2


def test_debug_shows_no_secret_and_no_foreign_chatter(api: StandIn, place: Place, start: Start) -> None:
    """log.level debug: more of our own, nothing of the libraries', and never the API code (each line is looked at)."""
    place.configure(log__level="debug", log__format="json")
    daemon = start()
    _three_fates(api, place)
    assert all(event["logger"].startswith("invoice_watcher") for event in _events(daemon))


def test_a_pause_is_told_once(api: StandIn, place: Place, daemon: Program) -> None:
    """An outage is one line at its beginning and one at its end, however many probes there were."""
    api.default = Answer(503, b"")
    for number in range(10):
        place.put(f"{number}.pdf", pdf())
    api.wait_for(15)
    api.default = OK
    place.until_done(*(f"{number}.pdf" for number in range(10)))
    daemon.stop()
    assert len(lines_with("the queue is paused", daemon.lines)) == 1
    assert len(lines_with("the queue flows", daemon.lines)) == 1


def test_a_log_that_nobody_reads_holds_up_no_invoice(api: StandIn, place: Place) -> None:
    """The log goes into a pipe that is full: invoices are delivered all the same, and the daemon can be stopped."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 4096):
            continue
    except BlockingIOError:
        os.set_blocking(writing, True)
    command = [sys.executable, "-m", "invoice_watcher", "run", "-c", str(place.config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=writing) as process:
        dropped = [place.put(f"{number}.pdf", pdf()).name for number in range(20)]
        place.until_done(*dropped)
        process.terminate()
        assert process.wait(30) == 0
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 | true"])
def test_a_log_that_cannot_be_written_harms_no_invoice(api: StandIn, place: Place, redirection: str) -> None:
    """Standard error is closed, full, or its reader is gone: the daemon delivers, reloads, and stops with status 0."""
    pid = place.root / "pid"
    script = f'set -o pipefail; sh -c \'echo $$ >"$0"; exec "$@"\' "$@" {redirection}'
    command = [
        "bash",
        "-c",
        script,
        "-",
        str(pid),
        sys.executable,
        "-m",
        "invoice_watcher",
        "run",
        "-c",
        str(place.config),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shell:
        place.put("1.pdf", pdf())
        place.until_done("1.pdf")
        os.kill(int(pid.read_text()), signal.SIGHUP)
        place.put("2.pdf", pdf())
        place.until_done("2.pdf")
        os.kill(int(pid.read_text()), signal.SIGTERM)
        assert shell.communicate(timeout=30) == (b"", b"")
        assert shell.returncode == 0


def test_a_kernel_without_watches_is_told_once(api: StandIn, place: Place) -> None:
    """No watch is left: one line says so and what mends it, the rescan delivers, one line says that it is over."""
    place.configure(settle__rescan="100ms")
    limit = "/proc/sys/user/max_inotify_instances"
    program = (
        f'{sys.executable} -m invoice_watcher run -c "$0" & read line; echo 9 >{limit}; read line; kill $!; wait $!'
    )
    command = ["unshare", "--map-root-user", "sh", "-c", f"echo 0 >{limit} || exit 77; {program}", str(place.config)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shell:
        assert shell.stdin
        assert shell.stderr
        lines = [shell.stderr.readline()]
        if shell.poll() == 77 or "unshare" in lines[0]:
            pytest.skip("no user namespaces here")
        for number in range(5):  # each is found by another rescan
            place.put(f"{number}.pdf", pdf())
            place.until_done(f"{number}.pdf")
        shell.stdin.write("enough\n")
        shell.stdin.flush()
        while "hints again" not in lines[-1]:
            lines.append(shell.stderr.readline())
            assert lines[-1], lines
        _, rest = shell.communicate("enough\n", timeout=30)
    told = [
        line.split(" ", 2)[2]
        for line in [*lines, *rest.splitlines(keepends=True)]
        if "WARNING" in line or "ERROR" in line
    ]
    remedy = "; raise fs.inotify.max_user_instances with sysctl(8), or this program's limit of open files\n"
    assert told == [
        "no hints from the kernel (inotify instance limit reached): new files are found by the rescan alone" + remedy,
        "the kernel gives hints again\n",
    ]
