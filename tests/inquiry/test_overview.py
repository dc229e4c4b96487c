"""How things stand, out of the running program's own word and a look at the folders."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.config import Config
from invoice_watcher.control import Control
from invoice_watcher.errors import ExitStatus
from invoice_watcher.inquiry.overview import Overview, encode, overview
from invoice_watcher.inquiry.word import advice_for
from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Paused, Sent, Standing
from tests.support.box import Box, written
from tests.support.children import NOBODY, in_child, needs_root
from tests.support.standings import standing, waiter

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("runtime")

CONFIG = Path("/etc/invoice-watcher/config.yaml")


@contextmanager
def telling(box: Box, told: Standing) -> Iterator[None]:
    """Let a program tell this."""
    control = Control(box.drop, lambda question: question.answer(told, None))
    control.hear(told)
    yield
    control.close()


def seen(box: Box) -> Overview:
    """Gather all of it."""
    return overview(Config(drop_dir=box.drop), CONFIG)


def test_the_programs_own_word(box: Box) -> None:
    """What the running program tells is told on, and not counted anew."""
    box.put("1.pdf")
    with telling(box, standing(waiting=3, delivered=7, rejected=2, files=(waiter("x.pdf"),), program="9.9")):
        found = seen(box)
    assert (found.state, found.waiting, found.delivered, found.rejected) == ("flowing", 3, 7, 2)
    assert ([one.name for one in found.files], found.program, found.advice) == (["x.pdf"], "9.9", None)
    assert found.exit_status == ExitStatus.OK


def test_a_program_that_has_not_moved(box: Box) -> None:
    """A program whose loop hangs still answers; by the time of its word it is seen that it has not moved since."""
    with telling(box, standing(as_of=timestamp(time.time() - 100), waiting=3)):
        found = seen(box)
    assert (found.state, found.running, found.waiting) == ("hanging", True, 3)
    assert "has not moved since" in found.trouble[0]
    assert found.advice == "look at its log (journalctl -u invoice-watcher), then: systemctl restart invoice-watcher"
    assert found.exit_status == ExitStatus.WAITING


def test_a_program_that_has_ended(box: Box) -> None:
    """While its process is not quite gone, it is told as stopped: nothing is taken any more."""
    with telling(box, standing(is_over=True)):
        assert seen(box).state == "stopped"


def test_a_pause(box: Box) -> None:
    """A pause is told as the program tells it."""
    now = timestamp(time.time())
    pause = Paused(reason="tls", message="m", hint="h", cure="c", fault="operator", since=now, next_try=None)
    with telling(box, standing(pause=pause)):
        found = seen(box)
    assert (found.state, found.paused, found.pause, found.exit_status) == ("paused", True, pause, ExitStatus.WAITING)


def test_the_last_delivery(box: Box) -> None:
    """The last delivery is told, by this run or by an earlier one, as what lies in done tells."""
    box.put("done/12345.pdf")
    (box.done / "12345.pdf.json").write_bytes(written("done"))
    told = seen(box).last_delivery
    assert told == Sent("2026-11-22T10:15:02.456Z", "12345", "12345.pdf")
    with telling(box, standing(recent=(Sent(timestamp(time.time()), "7", "7.pdf"),))):
        newer = seen(box).last_delivery
    assert newer is not None
    assert newer.name == "7.pdf"


def test_something_else_has_the_lock(box: Box) -> None:
    """Where nobody answers and the folder is locked, it is told that something works there, and which process."""
    found = seen(box)
    assert (found.state, found.running, found.pid) == ("silent", True, os.getpid())
    box.folders.close()
    assert (seen(box).state, seen(box).running) == ("stopped", False)


@needs_root
def test_a_user_who_may_not_ask(runtime: Path) -> None:
    """Somebody outside of the group learns that it runs, that it may not be asked, and what can be counted."""
    with tempfile.TemporaryDirectory() as root, Box(Path(root)) as box:
        box.drop.chmod(0o755)
        runtime.chmod(0o755)
        box.put("1.pdf")
        with telling(box, standing(waiting=5)):
            found = in_child(lambda: seen(box), uid=NOBODY)
    assert (found.state, found.running, found.waiting) == ("silent", True, 1)
    assert "may not be asked by this user" in found.trouble[0]
    assert found.advice is not None
    assert "as root" in found.advice


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/etc/invoice-watcher/config.yaml", "systemctl start invoice-watcher"),
        ("/etc/invoice-watcher/shop.yaml", "systemctl start invoice-watcher@shop"),
        ("/home/anna/iw.yaml", "invoice-watcher run -c /home/anna/iw.yaml"),
        ("/etc/invoice-watcher/odd name.yaml", "invoice-watcher run -c '/etc/invoice-watcher/odd name.yaml'"),
    ],
)
def test_how_it_is_started(path: str, start: str) -> None:
    """The command that starts it follows from where its configuration lies, and can be copied into a shell."""
    assert advice_for("stopped", Path(path)) == f"start it: {start}"


def test_the_json_is_plain(box: Box) -> None:
    """Nothing in the JSON moves a cursor, in whatever text; it is read back as it was."""
    name = "a\x1b\x7f\u202e\x9b\n\U0001f600"
    with telling(box, standing(files=(waiter(name),), drop_dir=name)):
        text = encode(seen(box))
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["files"][0]["name"] == name


def test_folders_that_cannot_be_read(box: Box) -> None:
    """What stands in the place of a folder is said once, and what is in it is unknown, not nought."""
    box.folders.close()
    box.failed.rmdir()
    box.failed.write_text("a file")
    found = seen(box)
    assert found.failed is None
    assert [text for text in found.trouble if "failed" in text] == [f"{box.failed} is not a folder"]
