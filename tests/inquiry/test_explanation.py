"""Why a file still waits, in sentences: what the running program says, and what can be seen, put together."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from invoice_watcher.config import Config
from invoice_watcher.config.sections import Settle
from invoice_watcher.control import Control
from invoice_watcher.errors import ExitStatus
from invoice_watcher.inquiry.explanation import Explanation, explain
from invoice_watcher.outcome import Source
from invoice_watcher.receipt import Error, encode, timestamp
from invoice_watcher.standing import Paused, Standing, Waiter
from tests.support.box import Box, receipt
from tests.support.children import NOBODY, in_child, needs_root
from tests.support.standings import standing, waiter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.control import Question

pytestmark = pytest.mark.usefixtures("runtime")

PROBLEM = Error(Source.API, 105, "link_unreachable", "The link cannot be reached", "Look at it")


@contextmanager
def telling(
    box: Box, told: Standing, of_file: Waiter | None = None, *, hanging: bool = False
) -> Iterator[list[str | None]]:
    """Let a program tell this, and this of each file; yields the names that it was asked about."""
    asked: list[str | None] = []

    def post(question: Question) -> None:
        asked.append(question.name)
        if not hanging:
            question.answer(told, of_file)

    control = Control(box.drop, post)
    control.hear(told)
    yield asked
    control.close()


def explained(box: Box, asked: str) -> list[Explanation]:
    """Explain it."""
    config = Config(drop_dir=box.drop, settle=Settle(quiet=0.0))
    return list(explain(config, Path("/etc/invoice-watcher/config.yaml"), asked))


def only(box: Box, asked: str) -> Explanation:
    """Explain what lies in one place."""
    (one,) = explained(box, asked)
    return one


def in_(seconds: float) -> str:
    """Return that moment."""
    return timestamp(time.time() + seconds)


def test_the_programs_word_comes_first(box: Box) -> None:
    """What the program says of the file, then what the last attempt came to, then what else can be seen."""
    box.put("12345.pdf")
    of_file = waiter("12345.pdf", state="deferred", text="is sent again by itself", next_try=in_(200))
    of_file = msgspec.structs.replace(of_file, attempts=3, problem=PROBLEM)
    with telling(box, standing(), of_file):
        what, sentences, status = only(box, "12345.pdf")
    assert what == f"{box.drop / '12345.pdf'}, in the drop folder"
    assert sentences[0].startswith("It is sent again by itself: in 3 min, at ")
    assert sentences[1] == "It was tried 3 times, and the last attempt came to: The link cannot be reached (code 105)."
    assert sentences[2].startswith("It has ")
    assert status == ExitStatus.OK


def test_a_pause_is_explained(box: Box) -> None:
    """While nothing flows it is said why, and when one file is tried: at once, later, or just now."""
    box.put("12345.pdf")
    pause = Paused(
        reason="tls", message="No", hint="h", cure="Mend it", fault="ours", since=in_(-5), next_try=in_(9000)
    )
    with telling(box, standing(pause=pause), waiter("12345.pdf")):
        sentences = only(box, "12345.pdf").sentences
    assert sentences[1].endswith(": No. Mend it")
    assert sentences[2].startswith("One file is tried in 2 h, at ")
    with telling(box, standing(pause=msgspec.structs.replace(pause, next_try=None)), waiter("12345.pdf")):
        assert "One file is being tried now." in only(box, "12345.pdf").sentences


@pytest.mark.slow
def test_a_busy_program(box: Box) -> None:
    """A loop that does not come to look: what can be seen is told, and that it is to be asked again; status 75."""
    box.put("12345.pdf")
    with telling(box, standing(), hanging=True):
        found = only(box, "12345.pdf")
    assert any("it is busy" in sentence for sentence in found.sentences)
    assert found.status == ExitStatus.WAITING


def test_a_name_that_no_text_can_hold(box: Box) -> None:
    """The program is asked about a file by its name as it writes it, whatever bytes are in it."""
    box.put("1\udcff.pdf")
    with telling(box, standing()) as asked:
        assert "The service has not come to look at it yet." not in only(box, "1\udcff.pdf").sentences
    assert asked == [r"1\xff.pdf"]


def test_a_fit_file_that_the_program_has_not_seen(box: Box) -> None:
    """Nothing is wrong, and nobody knows of it yet: that is said."""
    box.put("12345.pdf")
    with telling(box, standing()):
        sentences = only(box, "12345.pdf").sentences
    assert sentences[:2] == (
        "Nothing about the file itself keeps it from being sent.",
        "The service has not come to look at it yet.",
    )


def test_a_file_that_only_the_program_sees(box: Box) -> None:
    """Where the work folder may not be searched, the program's word is enough."""
    claimed = waiter("12345.pdf", folder="work", state="sending", text="is being sent")
    with telling(box, standing(), claimed):
        found = only(box, "12345.pdf")
    assert found == Explanation("12345.pdf, claimed, in the work folder", ("It is being sent.",), ExitStatus.OK)


@needs_root
def test_folders_that_are_shut() -> None:
    """Who may not look into a folder is not told that the file does not exist, only that it was not found."""
    with tempfile.TemporaryDirectory() as root, Box(Path(root)) as box:
        box.drop.chmod(0o755)
        box.put("failed/12345.pdf")
        config = Config(drop_dir=box.drop)
        assert "No such file was found." not in only(box, "nothing.pdf").sentences  # root may look everywhere
        (found,) = in_child(lambda: list(explain(config, Path("c.yaml"), "12345.pdf")), uid=NOBODY)
    assert found.sentences[0] == "No such file was found."
    assert f"{box.failed} may not be searched by this user; it may lie there." in found.sentences
    assert found.status == ExitStatus.FAILED


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("waiting", "It is sent again as soon as the service runs."),
        ("done", "What became of it is decided (done), and it is put there as soon as the service runs."),
    ],
)
def test_a_claimed_file_without_a_program(box: Box, state: str, text: str) -> None:
    """What was claimed is explained from its note."""
    box.put(".processing/12345.pdf")
    note = msgspec.structs.replace(receipt("waiting"), state=state, in_doubt=True)
    (box.work / "12345.pdf.json").write_bytes(encode(note))
    box.folders.close()
    found = only(box, "12345.pdf")
    assert found.sentences[0] == text
    assert found.sentences[-1].endswith("start it: systemctl start invoice-watcher")
    assert any("may have reached the API" in one for one in found.sentences) == (state == "waiting")


def test_a_claimed_file_without_a_note(box: Box) -> None:
    """What was being sent when the program died has no note yet."""
    box.put(".processing/12345.pdf")
    box.folders.close()
    assert "about to be sent when the service stopped" in only(box, "12345.pdf").sentences[0]


def test_an_order_of_many_files(box: Box) -> None:
    """Each file of an order is explained, also where what works on the folder cannot be asked."""
    for kind in ("pdf", "doc", "xls"):
        box.put(f"12345.{kind}")
    found = explained(box, "12345")  # the box itself holds the lock, and does not answer
    assert len(found) == 3
    assert {one.status for one in found} == {ExitStatus.OK}
    assert all(any("cannot be asked" in text for text in one.sentences) for one in found)


def test_a_changed_document(box: Box) -> None:
    """A delivered document that somebody wrote over is no longer what was sent, and that is told."""
    box.put("done/12345.pdf", b"another")
    (box.done / "12345.pdf.json").write_bytes(encode(receipt("done")))
    assert "The document was changed since then" in only(box, "12345.pdf").sentences[-1]


def test_a_receipt_that_is_not_believed(box: Box) -> None:
    """A receipt that is damaged tells nothing, and that is told."""
    box.put("failed/12345.pdf")
    (box.failed / "12345.pdf.json").write_bytes(b"{")
    assert "its receipt is damaged" in only(box, "12345.pdf").sentences[1]
