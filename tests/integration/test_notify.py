"""Notifications: the real program tells a real mail server and a real web hook, and none of them can hurt it."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, invoices, pdf
from tests.integration.program import EXECUTED, PATIENCE, run

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn
    from tests.support.receivers import Hook, Mailbox

SOON = "100ms"
HOSTILE: list[str | bytes] = [
    "@everyone.pdf",
    "<!channel>.pdf",
    "a\nBcc: x@example.org.pdf",
    "\x1b[31m.pdf",
    "[x](evil).pdf",
    b"\xff.pdf",
]


def test_a_failure_is_told_everyone(place: Place, start: Start, hook: Hook, mailbox: Mailbox) -> None:
    """An invoice that is put aside: each address learns its name, why, and what to do, within seconds."""
    place.configure(notify__urls=[hook.url, mailbox.url], notify__every=SOON)
    start()
    place.put("no invoice.txt", b"x")
    (got,), (mail,) = hook.wait_for(1), mailbox.wait_for(1)
    for subject, text in ((got["title"], got["message"]), (mail["Subject"], mail.get_content())):
        assert subject == "invoice-watcher: 1 invoice failed"
        assert "no invoice.txt" in text
        assert "drop it into the folder again" in re.sub(r"\s+", " ", text)
        assert str(place.drop) in re.sub(r"\s+", "", text)


@pytest.mark.slow  # that a pause is over is told when it stayed so, up to 10 s later
def test_a_pause_is_told_with_its_cure(api: StandIn, place: Place, start: Start, hook: Hook) -> None:
    """The API code is refused: somebody learns of it, and of what to do, and that it flows again."""
    place.configure(notify__urls=[hook.url], notify__every=SOON)
    api.default = Answer(401, b"")
    start()
    place.put("12345.pdf", pdf())
    begin = hook.wait_for(1)[0]
    assert begin["title"] == "invoice-watcher: the queue is paused"
    assert "Check the API code" in begin["message"]
    assert "Files that wait: 1" in begin["message"]
    api.default = OK
    place.until_done("12345.pdf")
    assert hook.wait_for(2)[1]["title"] == "invoice-watcher: the queue flows again"


def test_a_burst_is_one_message(place: Place, start: Start, hook: Hook) -> None:
    """A hundred failures before the message goes out: one message, sent with the program's last words."""
    place.configure(notify__urls=[hook.url])
    program = start()
    names = [f"{number}.txt" for number in range(100)]
    place.put_all(dict.fromkeys(names, b"x"))
    place.until_failed(*names)
    assert program.stop() == 0
    (got,) = hook.arrived
    assert "100 invoices failed" in got["title"]
    assert got["message"].count("- ") == 20
    assert "And 80 more." in got["message"]


def test_hostile_names(api: StandIn, place: Place, start: Start, hook: Hook, mailbox: Mailbox) -> None:
    """File names and API messages call nobody, make no link, no second line of a mail's head, and move no cursor."""
    place.configure(notify__urls=[hook.url, mailbox.url])
    api.script("666", refused(100, "@here <a href=x>\n\x1b[2J **now** https://example.org"))
    program = start()
    for name in HOSTILE:
        place.put(name, b"x")
    place.put("666.pdf", pdf())
    api.wait_for(1)
    assert program.says("rejected", len(HOSTILE) + 1)
    assert program.stop() == 0
    (got,), (mail,) = hook.arrived, mailbox.arrived
    for text in (got["message"], mail.get_content().replace("\r\n", "\n")):
        outside = text[: text.index("Where:")]
        assert not re.search(r"[@<>*\[\]\x1b]", outside)
        assert all(line.isprintable() for line in text.split("\n"))
        assert outside.count("\n- ") == len(HOSTILE) + 1
    assert mail["Bcc"] is None


def test_a_receiver_that_hangs_holds_up_nothing(
    api: StandIn, place: Place, start: Start, hook: Hook, mailbox: Mailbox
) -> None:
    """A mail server that takes the call and says nothing: uploads go on, other addresses are told, a stop is quick.

    What it was not told is named in the log.
    """
    mailbox.hang = True
    place.configure(notify__urls=[f"{mailbox.url}&cto=300", hook.url], notify__every=SOON)
    program = start()
    place.put("no invoice.txt", b"x")
    mailbox.wait_for_calls(1)
    hook.wait_for(1)
    files = place.put_all(invoices(range(20)))
    place.until_done(*files)
    assert len(api.requests) == 20
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < PATIENCE / 2
    assert "notify.urls 1 (mailto://…) may not learn any more" in program.err
    assert "1 invoice failed" in program.err


def test_a_receiver_that_is_away_is_told_later(place: Place, start: Start, hook: Hook) -> None:
    """What cannot be sent is kept, said once in the log, and sent when somebody is there again."""
    place.configure(notify__urls=[hook.url], notify__every=SOON)
    hook.status = 503
    program = start()
    place.put("1.txt", b"x")
    program.says("What there is to tell is kept")
    hook.wait_for_calls(3)
    place.put("2.txt", b"x")
    place.until_failed("2.txt")
    hook.status = 200
    (got,) = hook.wait_for(1)
    assert "2 invoices failed" in got["title"]
    program.says("messages are sent again")
    program.stop()
    assert program.err.count("is kept") == 1
    assert "s3cr3t" not in program.err


def test_a_reload_changes_the_address(place: Place, start: Start, hook: Hook, mailbox: Mailbox) -> None:
    """After a reload others are told; what the first ones were still to learn, they learn."""
    place.configure(notify__urls=[hook.url])
    program = start()
    place.put("1.txt", b"x")
    program.says("rejected")
    place.configure(notify__urls=[mailbox.url])
    program.send(signal.SIGHUP)
    (got,) = hook.wait_for(1)
    assert "1.txt" in got["message"]
    program.says("ready: watching", 2)
    place.put("2.txt", b"x")
    program.says("rejected", 2)
    program.stop()
    (mail,) = mailbox.arrived
    assert "2.txt" in mail.get_content()
    assert "1.txt" not in mail.get_content()
    assert len(hook.arrived) == 1


def test_the_secret_is_shown_nowhere(api: StandIn, place: Place, start: Start, hook: Hook, mailbox: Mailbox) -> None:
    """No password and no token of an address stands in the log, however verbose and whatever went wrong.

    Nor in the process list, in `check`, or in a receipt.
    """
    urls = [hook.url, mailbox.url, "slack://s3cr3t", "bogus://s3cr3t:s3cr3t@s3cr3t"]
    mailbox.password = "another"  # noqa: S105 - of a mail server that has no mails
    hook.status = 403
    place.configure(notify__urls=urls, notify__every=SOON, log__level="debug")
    program = start(within=EXECUTED)
    place.put("1.txt", b"x")
    for number in range(1, 5):
        program.says(f"notify.urls {number} (")
    assert b"s3cr3t" not in Path(f"/proc/{program.pid}/cmdline").read_bytes()
    program.stop()
    checked = run("check", "--notify", "-c", place.config)
    assert checked.status == 1
    shown = program.err + program.out + checked.out + checked.err
    assert "s3cr3t" not in shown
    assert all("s3cr3t" not in path.read_text() for path in place.failed.glob("*.json"))


def test_the_test_mode(place: Place, hook: Hook, mailbox: Mailbox) -> None:
    """`check --notify` sends one message to each address, and says of each whether it went, and what to do if not."""
    place.configure(notify__urls=[hook.url, mailbox.url])
    finished = run("check", "--notify", "-c", place.config)
    assert finished.status == 0, finished.out
    assert finished.out.count("a test message was sent") == 2
    assert "This is a test" in hook.arrived[0]["message"]
    assert "This is a test" in mailbox.arrived[0].get_content()
    hook.status = 404
    finished = run("check", "--notify", "-c", place.config)
    assert finished.status == 1
    assert "fault notifications: notify.urls 1 (json://…): it knows no such place (404); check the path" in finished.out


def test_check_finds_an_address_that_cannot_be_used(place: Place, hook: Hook) -> None:
    """A slip in a scheme is found before anything happened that somebody should have been told; nobody is called."""
    place.configure(notify__urls=[hook.url, "mailtoo://u:s3cr3t@example.org"])
    finished = run("check", "-c", place.config)
    assert finished.status == 1
    assert "notify.urls 2 (mailtoo://…): is no address that apprise can use" in finished.out
    assert "notify.urls 1" not in finished.out
    assert hook.calls == 0


def test_without_the_package(place: Place, start: Start, tmp_path: Path) -> None:
    """Where apprise is not installed, log and `check` say what to install, and invoices are delivered all the same."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'apprise' else found(name, *rest)\n"
    )
    place.configure(notify__urls=["json://127.0.0.1/s3cr3t"])
    program = start("run", "-c", place.config, PYTHONPATH=str(hiding))
    assert "install" in program.says("the package apprise is not installed")
    place.put("12345.pdf", pdf())
    place.until_done("12345.pdf")
    assert program.stop() == 0
    finished = run("check", "-c", place.config, env={"PYTHONPATH": str(hiding)})
    assert finished.status == 1
    assert "apprise, which sends, is not installed; install" in finished.out


def test_nobody_is_told_of_what_goes_well(api: StandIn, place: Place, start: Start, hook: Hook) -> None:
    """Deliveries, a hiccup of the API and an orderly stop are no news."""
    api.script("3", Answer(503), OK)
    place.configure(notify__urls=[hook.url])
    program = start()
    place.put_all(invoices(range(5)))
    place.until_done(*(f"{number}.pdf" for number in range(5)))
    assert program.stop() == 0
    assert documents(place.failed) == []
    assert hook.calls == 0
