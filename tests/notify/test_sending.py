"""One address: what arrives there, and what is said when nothing does; real servers, and the real apprise."""

from __future__ import annotations

import logging.handlers
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.notify.digest import Message
from invoice_watcher.notify.sending import Address
from tests.support.receivers import Hook, Mailbox

if TYPE_CHECKING:
    from pathlib import Path

# On loading its plugins, apprise imports what newer Pythons do without.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MESSAGE = Message(
    "invoice-watcher: 1 invoice failed",
    ("The queue flows again <b>&amp;</b>.", "Where: /srv/invoices on host"),
    ("- 12345.pdf: Order ID is wrong.",),
    1,
    (),
    tells_of_wait=False,
)

MUCH = 50 * 1024 * 1024  # bytes; what the system itself holds between two programs is a few megabytes


def test_a_web_hook_gets_it(hook: Hook) -> None:
    """A web hook gets subject and text, as they are."""
    assert Address(hook.url, 1).send(MESSAGE) is None
    (got,) = hook.arrived
    assert got["title"] == MESSAGE.subject
    assert got["message"] == MESSAGE.text(10_000)


def test_a_web_hook_that_never_stops_talking(hook: Hook) -> None:
    """A web hook whose answer has no end has got the message; memory does not fill up with its answer."""
    hook.endless = True
    assert Address(hook.url, 1).send(MESSAGE) is None
    assert hook.sent < MUCH


def test_a_mail_server_that_never_stops_talking(mailbox: Mailbox) -> None:
    """A mail server whose answer has no end has not taken the message; memory does not fill up with it."""
    mailbox.endless = True
    assert "broke the connection off" in str(Address(mailbox.url, 1).send(MESSAGE))
    assert mailbox.sent < MUCH


def test_a_mail_is_plain_text(mailbox: Mailbox) -> None:
    """A mail has one plain part: no HTML that could be made of what strangers wrote, nothing to be loaded."""
    assert Address(mailbox.url, 1).send(MESSAGE) is None
    (mail,) = mailbox.arrived
    assert mail.get_content_type() == "text/plain"
    assert mail["Subject"] == MESSAGE.subject
    assert mail["To"] == "ops@example.org"
    assert mail.get_content().replace("\r\n", "\n").strip() == MESSAGE.text(10_000)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "login"), (404, "no such place"), (429, "notify.every"), (500, "(500)"), (410, "(410)")]
)
def test_a_web_hook_that_refuses(hook: Hook, status: int, said: str) -> None:
    """What it answered is told in words with a cure, and never the token that is part of the address."""
    hook.status = status
    trouble = Address(hook.url, 1).send(MESSAGE)
    assert said in str(trouble)
    assert "s3cr3t" not in str(trouble)


def test_a_wrong_password(mailbox: Mailbox) -> None:
    """A mail server that shows the password in its refusal does not make us show it."""
    url = mailbox.url
    mailbox.password = "another"  # noqa: S105 - of a mail server that has no mails
    trouble = Address(url, 1).send(MESSAGE)
    assert "refused the login" in str(trouble)
    assert "s3cr3t" not in str(trouble)


def test_nobody_is_there() -> None:
    """An address where nothing listens is told apart from one that refuses."""
    with Hook() as hook, Mailbox() as mailbox:
        urls = hook.url, mailbox.url
    for url in urls:
        assert "cannot be reached" in str(Address(url, 1).send(MESSAGE))
    assert "its host is unknown" in str(Address("json://nothing.invalid/s3cr3t", 1).send(MESSAGE))


def test_a_receiver_that_never_answers(hook: Hook) -> None:
    """The time that one attempt takes is bounded, and the address can bound it further."""
    hook.hang = True
    assert "in time" in str(Address(f"{hook.url}?cto=0.2&rto=0.2", 1).send(MESSAGE))


def test_what_is_refused_is_sent_without_names(hook: Hook) -> None:
    """A file with a name that a service does not bear cannot keep people from learning that something failed."""
    hook.refuses = "12345.pdf"
    assert Address(hook.url, 1).send(MESSAGE) is None
    (got,) = hook.arrived
    assert "1 invoice failed" in got["message"]
    assert hook.calls == 2


def test_what_is_no_fault_of_the_message_is_not_sent_twice(hook: Hook) -> None:
    """A service that is not well, or knows no such user, is called once."""
    for status in (500, 401):
        hook.status = status
        assert Address(hook.url, 1).send(MESSAGE)
    assert hook.calls == 2


@pytest.mark.parametrize(
    "url", ["bogus://s3cr3t/s3cr3t", "mailto://s3cr3t", "slack://s3cr3t", "https://s3cr3t.example/x"]
)
def test_an_address_that_cannot_be_used(url: str) -> None:
    """An address that cannot be used is found without calling anybody, and only its scheme is shown."""
    address = Address(url, 3)
    scheme = url.partition(":")[0]
    assert address.name == f"notify.urls 3 ({scheme}://…)"
    assert "apprise can use" in str(address.look())
    assert "s3cr3t" not in str(address.send(MESSAGE))


def test_a_library_that_is_there_in_part(tmp_path: Path) -> None:
    """Where apprise lacks what it needs itself, that is said with its cure; no thread ends, and `check` goes on."""
    (tmp_path / "apprise.py").write_text("import nothing_of_this_name")
    program = f"from {Address.__module__} import Address; print(Address('json://s3cr3t/', 1).look())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "apprise cannot be loaded (ModuleNotFoundError); install" in done.stdout


def test_the_library_says_nothing(hook: Hook, capfd: pytest.CaptureFixture[str]) -> None:
    """The library's own log, which shows parts of addresses, reaches neither the log nor the terminal."""
    hook.status = 500
    log = logging.handlers.BufferingHandler(1000)
    logging.getLogger().addHandler(log)
    for url in (hook.url, "slack://s3cr3t", "bogus://s3cr3t"):
        Address(url, 1).send(MESSAGE)
    logging.getLogger().removeHandler(log)
    assert [record.name for record in log.buffer if record.name.startswith("apprise")] == []
    assert "".join(capfd.readouterr()) == ""
