"""What can be seen of one file in the drop folder, by the daemon's own rules."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.config import Config
from invoice_watcher.config.sections import Settle
from invoice_watcher.inquiry.examination import Examined, examine
from tests.support.box import Box, written
from tests.support.children import NOBODY, in_child, needs_root

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = Settle(quiet=0.0)


def seen(box: Box, name: str, **keys: object) -> Examined:
    """Look at a file in the drop folder."""
    return examine(box.drop / name, Config(drop_dir=box.drop, settle=QUICK, **keys))  # type: ignore[arg-type]


def test_a_file_that_is_fit(box: Box) -> None:
    """Of a whole document nothing is complained; its size, its owner and its age are told."""
    path = box.put("12345.pdf")
    found = seen(box, "12345.pdf")
    assert (found.left_alone, found.obstacles) == ((), ())
    assert found.facts[0].startswith(f"It has {path.stat().st_size} bytes, belongs to {path.owner()}, ")


@pytest.mark.parametrize(
    ("name", "ignore", "pattern"),
    [
        ("Thumbs.DB", (), "Thumbs.db"),
        (".~lock.1.odt#", (), ".*"),
        ("12345.PART", (), "*.part"),
        ("draft 1.pdf", ("DRAFT*",), "DRAFT*"),
        ("STATUS.html", (), "status_page"),
    ],
)
def test_the_pattern_that_fits(box: Box, name: str, ignore: tuple[str, ...], pattern: str) -> None:
    """The pattern is told as it stands in the configuration or the manual, in whatever case the name is."""
    box.put(name)
    found = seen(box, name, ignore=ignore)
    assert pattern in found.left_alone[0]
    assert found.obstacles == ()


@pytest.mark.parametrize("put_there", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/shadow", path)])
def test_a_file_that_is_replaced_meanwhile(
    box: Box, monkeypatch: pytest.MonkeyPatch, put_there: Callable[[Path], None]
) -> None:
    """Somebody puts something else in its place while it is looked at: that is said, and that is not read."""
    path, opens = box.put("12345.pdf"), os.open

    def replaced(*args: object, **kwargs: object) -> int:
        path.unlink()
        put_there(path)
        return opens(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", replaced)
    (obstacle,) = seen(box, "12345.pdf").obstacles
    assert "replaced in this very moment" in obstacle or "cannot be looked at" in obstacle


def test_a_pipe_is_not_opened(box: Box) -> None:
    """Looking at a pipe does not wait for its writer, and wakes none."""
    os.mkfifo(box.drop / "12345.pdf")
    writer = threading.Thread(target=lambda: os.close(os.open(box.drop / "12345.pdf", os.O_WRONLY)))
    writer.start()
    assert "a pipe (FIFO)" in seen(box, "12345.pdf").left_alone[0]
    writer.join(0.05)
    assert writer.is_alive()
    os.close(os.open(box.drop / "12345.pdf", os.O_RDONLY | os.O_NONBLOCK))
    writer.join(30)


def test_a_numbered_name(box: Box) -> None:
    """A file that was moved back from failed keeps its order, by its receipt; without one its name is none."""
    box.put("12345.2.pdf")
    assert "The file's name is not an order ID" in seen(box, "12345.2.pdf").obstacles[0]
    (box.failed / "12345.2.pdf.json").write_bytes(written("failed", "12345.2.pdf"))
    assert seen(box, "12345.2.pdf").obstacles == ()


def test_a_file_that_is_gone(box: Box) -> None:
    """A file that was taken in this very moment is said to be gone."""
    assert "No such file" in seen(box, "12345.pdf").obstacles[0]


def test_an_empty_file(box: Box) -> None:
    """An empty file is given a moment to fill."""
    box.put("12345.pdf", b"")
    assert "It is still empty. If it stays so, it is rejected in" in seen(box, "12345.pdf").obstacles[0]


@pytest.mark.parametrize(
    ("name", "content", "end"),
    [
        ("12345.xls", b"<html><table><tr><td>Order", "sent as it is"),
        ("12345.url", b"[InternetShortcut]\r\nURL=https://example.com/1.pdf", "sent as it is"),
        ("12345.url", b"[InternetShortcut]\r\nURL=ftp://example.com/1.pdf", "rejected"),
        ("12345.pdf", b"%PDF-1.4\n", "rejected"),
    ],
)
def test_a_document_that_may_be_unfinished(box: Box, name: str, content: bytes, end: str) -> None:
    """What becomes of it is told as it will be: what is surely cut off is rejected, what may be whole is sent."""
    box.put(name, content)
    (obstacle,) = seen(box, name).obstacles
    assert obstacle.startswith("It seems unfinished: ")
    assert f". If it stays so, it is {end} in " in obstacle


@needs_root
def test_a_file_that_this_user_may_not_read() -> None:
    """What this user may not look at is said; the service may see more."""
    with tempfile.TemporaryDirectory() as root, Box(Path(root)) as box:
        box.drop.chmod(0o755)
        box.put("12345.pdf").chmod(0)
        found = in_child(lambda: seen(box, "12345.pdf"), uid=NOBODY)
    assert found.obstacles == ("Its content cannot be looked at by this user: Permission denied.",)
    assert "As root it can be seen" in found.facts[-1]
