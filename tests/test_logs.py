"""The log: one line an event, no secrets, no forged lines, and never in the way of the program."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher import service
from invoice_watcher.logs import formats
from invoice_watcher.logs.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRET = "1f0A9c3e-77b2-4d5f-8a61-2b9e0c4d7f13"  # noqa: S105 - made up
ODD_SECRET = 'pa\'ss "wörd"\\n\t%'  # noqa: S105 - made up

_PREAMBLE = """
import logging, sys
from invoice_watcher import logs
log = logging.getLogger("invoice_watcher.delivery")
"""


def _stderr_of(code: str, check: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - read by name
    done = subprocess.run(
        [sys.executable, "-c", _PREAMBLE + code], check=check, capture_output=True, text=True, timeout=60
    )
    return done.stderr.splitlines()


def _event(message: object, *args: object, fields: Mapping[str, object] | None = None) -> formats.Event:
    record = logging.LogRecord("invoice_watcher.x", logging.INFO, "", 0, message, args, None)
    record.__dict__["fields"] = fields
    record.created = 1795342502.456
    return formats.to_event(record, Redactor([SECRET, ODD_SECRET]))


def test_text_line_is_for_people() -> None:
    """A line has time in UTC, level, message and fields; values with blanks are quoted."""
    event = _event("delivered %s", "1.pdf", fields={"ORDER_ID": "1", "FILE_NAME": "my 1.pdf", "HTTP_STATUS": None})
    assert formats.as_text(event) == '2026-11-22T10:15:02.456Z INFO delivered 1.pdf ORDER_ID=1 FILE_NAME="my 1.pdf"'


def test_json_line_is_for_programs() -> None:
    """A log collector gets every field under the name that it has in the journal."""
    event = _event("delivered", fields={"ORDER_ID": "1", "ATTEMPT": 2, "API_ERROR_CODE": None})
    assert json.loads(formats.as_json(event)) == {
        "time": "2026-11-22T10:15:02.456Z",
        "level": "INFO",
        "logger": "invoice_watcher.x",
        "message": "delivered",
        "ORDER_ID": "1",
        "ATTEMPT": "2",
    }


def test_journal_entry_names_program_and_logger() -> None:
    """`journalctl -t invoice-watcher ORDER_ID=1` tells the file's story."""
    fields = formats.journal_fields(_event("delivered", fields={"ORDER_ID": "1", "ATTEMPT": None}))
    assert fields == {"SYSLOG_IDENTIFIER": "invoice-watcher", "LOGGER": "invoice_watcher.x", "ORDER_ID": "1"}


@given(st.text(st.characters(), max_size=40))
def test_no_text_from_outside_starts_a_line(text: str) -> None:
    """A file name or an answer of the API cannot forge a log line, move the cursor or fail to be written."""
    event = _event("rejected %s", text, fields={"FILE_NAME": text})
    lines = [formats.as_text(event), formats.as_json(event), *formats.journal_fields(event).values(), event.message]
    for line in lines:
        assert line.isprintable()
        line.encode()
    json.loads(formats.as_json(event))


@pytest.mark.parametrize("secret", [SECRET, SECRET.upper(), SECRET.lower(), ODD_SECRET, repr(ODD_SECRET)])
@pytest.mark.parametrize("render", [formats.as_text, formats.as_json, lambda one: repr(formats.journal_fields(one))])
def test_secret_is_never_shown(render: Callable[[formats.Event], str], secret: str) -> None:
    """The API code is in no log, in any letter case or quoting: not in message, arguments or fields."""
    line = render(_event(f"{secret} %s %r", secret, secret, fields={"FILE_NAME": f"a {secret}.pdf"}))
    assert "***" in line
    assert SECRET.lower() not in line.lower()
    assert "wörd" not in line


def test_half_a_secret_is_not_shown() -> None:
    """A text that is too long is shortened after the secret was taken out, never through its middle."""
    text = "x" * 4090 + SECRET + "x" * 10_000
    message = _event(text).message
    assert len(message) < 8300
    assert SECRET[:4] not in message


@pytest.mark.parametrize("form", ["text", "json", "journal"])
def test_traceback_is_one_line_without_secrets(form: str) -> None:
    """A traceback, its cause included, is one line, and no secret is in it."""
    if form == "journal" and os.path.exists(service.JOURNAL_SOCKET):
        pytest.skip("a journal runs here, and takes it")
    lines = _stderr_of(
        f"logs.setup('info', {form!r}, [{SECRET!r}])\n"
        f"code = {SECRET!r}\n"
        "try:\n"
        "    try: open('/nowhere/' + code)\n"
        "    except OSError as error: raise ValueError('with\\nline end ' + code.upper()) from error\n"
        "except ValueError: log.exception('broken')"
    )
    assert len(lines) == 1
    assert "ValueError" in lines[0]
    assert "FileNotFoundError" in lines[0]
    assert SECRET.lower() not in lines[0].lower()
    if form == "json":
        assert "ValueError" in json.loads(lines[0])["exception"]


def test_no_private_value_of_the_configuration_is_shown() -> None:
    """The address of a proxy or of who is told may hold a password: neither is in the log, as little as the code."""
    proxy, mail = "http://user:pass@proxy:3128", "mailto://user:pass@host"
    lines = _stderr_of(f"""
from pathlib import Path
from invoice_watcher.config import Api, Config, Notify, Secret
from invoice_watcher.serve import Settings
config = Config(drop_dir=Path("/"), api=Api(proxy={proxy!r}), notify=Notify(urls=({mail!r},)))
Settings(config, Secret({SECRET!r})).set_up_log()
log.info("%s, %s, %s", {proxy!r}, {mail!r}, {SECRET!r})
""")
    assert [line.split(" INFO ")[1] for line in lines] == ["***, ***, ***"]


def test_bad_log_call_shows_no_secret() -> None:
    """A log call whose arguments do not fit is one clean line: `logging` would print them raw."""
    lines = _stderr_of(f"logs.setup('info', 'text', [{SECRET!r}])\nlog.info('%d ' + {SECRET!r}, {SECRET!r}, 2)")
    assert len(lines) == 1
    assert lines[0].endswith("INFO %d *** (its arguments do not fit)")


def test_second_setup_replaces_the_first() -> None:
    """After a reload each line comes once, in the new format and level, and the old secret stays secret."""
    lines = _stderr_of(
        f"logs.setup('debug', 'text', [{SECRET!r}])\nlog.debug('one')\n"
        f"logs.setup('info', 'json', ['another'])\nlog.debug('no')\nlog.info('two %s', {SECRET!r})"
    )
    assert lines[0].endswith("DEBUG one") or json.loads(lines[0])["message"] == "one"
    assert [json.loads(line)["message"] for line in lines[1:]] == ["two ***"]


def test_other_libraries_are_quiet_and_clean() -> None:
    """At level debug urllib3 does not write its request lines; its warnings come as lines of ours."""
    lines = _stderr_of(
        f"logs.setup('debug', 'text', [{SECRET!r}])\n"
        "pool = logging.getLogger('urllib3.connectionpool')\n"
        f"pool.debug('GET'); pool.warning('retry\\n%s', {SECRET!r})"
    )
    assert [line.split(" ", 1)[1] for line in lines] == [r"WARNING retry\n***"]


def test_journal_format_without_a_journal_carries_priorities() -> None:
    """Where journald does not take entries, stderr's lines say their priority as sd-daemon(3) describes."""
    if os.path.exists(service.JOURNAL_SOCKET):
        pytest.skip("a journal runs here")
    calls = "log.debug('a'); log.info('a'); log.warning('a'); log.error('a'); log.critical('a'); log.log(25, 'a')"
    lines = _stderr_of(f"logs.setup('debug', 'journal')\n{calls}")
    assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", "<3>", "<2>", "<5>"]


def test_auto_is_text_outside_systemd() -> None:
    """Started from a shell the log is for people."""
    assert _stderr_of("logs.setup('info', 'auto')\nlog.info('hello')")[0].endswith("Z INFO hello")


def test_end_of_program_loses_nothing() -> None:
    """The last lines are written also when the program ends by itself or by an error, each of them once."""
    lines = _stderr_of(
        "logs.setup('info', 'text')\nfor n in range(5000): log.info('%d', n)\nlogs.shutdown()\nsys.exit(3)",
        check=False,
    )
    assert [line.split()[-1] for line in lines] == [str(number) for number in range(5000)]


@pytest.mark.slow
def test_blocked_stderr_holds_nothing_up() -> None:
    """A terminal or pipe that nobody reads stops neither the work nor the end of the program."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    code = "logs.setup('info', 'text')\nfor n in range(30000): log.info('line %d', n)\nprint('worked')"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _PREAMBLE + code], stderr=write, stdout=subprocess.PIPE, check=True, timeout=60
    )
    took = time.monotonic() - began
    os.close(write)
    os.close(read)
    assert done.stdout == b"worked\n"
    assert took < 15


@pytest.mark.slow
@pytest.mark.parametrize("blocking", [True, False])
def test_lost_lines_are_counted(blocking: bool) -> None:  # noqa: FBT001 - parametrized
    """Once a jammed log moves again it says how many lines it lost; what waited comes whole and in order."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, blocking)
    code = "logs.setup('info', 'text')\nfor n in range(12000): log.info('line %d', n)\nprint('.', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + code],
        stderr=write, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as program:  # fmt: skip
        os.close(write)
        assert program.stdin
        assert program.stdout
        program.stdout.readline()
        with open(read, encoding="utf-8") as log:
            lines = [log.readline().split() for _ in range(10_000)]
            while lines[-1][-1] != "lost":
                lines.append(log.readline().split())
        program.stdin.close()
    numbers = [int(line[-1]) for line in lines[:-1]]
    assert numbers == list(range(len(numbers)))
    assert int(lines[-1][2]) == 12_000 - len(numbers)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 | true"])
def test_broken_stderr_is_ignored(redirection: str) -> None:
    """A closed, full or broken standard error changes nothing about the work or the exit status."""
    code = _PREAMBLE + "logs.setup('info', 'text')\nfor n in range(2000): log.info('%d', n)\nlogs.shutdown()"
    command = ["bash", "-o", "pipefail", "-c", f'"$0" -c "$1" {redirection}', sys.executable, code]
    assert subprocess.run(command, check=True, capture_output=True, timeout=60).stderr == b""


def test_closed_stderr_writes_into_no_document() -> None:
    """When descriptor 2 was closed at the start and a document got its number, no log line lands in it."""
    code = _PREAMBLE + (
        "import os, tempfile\n"
        "document = tempfile.TemporaryFile()\n"
        "assert document.fileno() == 2, document.fileno()\n"
        "logs.setup('info', 'text'); log.warning('hello'); logs.shutdown()\n"
        "assert os.fstat(2).st_size == 0"
    )
    subprocess.run(["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code], check=True, timeout=60)
