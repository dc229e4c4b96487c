"""What the demo drops, and where each file has to be in the end.

The acts are played in order on a stage; `EXPECTED` is what makes the demo a test: it ends well only if every file lies
where it should, for the reason that it should, and reached the API whole and once. Raises OSError as files do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from invoice_watcher.demo import documents
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from invoice_watcher.demo.stage import Stage

_SLOWLY = 2.5  # seconds
_OUTAGE = 3.0  # seconds
_PIECES = 5

# Made before the stage hears signals: a ZipFile that one interrupts at its birth complains when it is collected.
_WORD = documents.docx("Invoice 10003")
_WORKBOOK = documents.xlsx()


class Act(Record, frozen=True):
    """One thing that happens: the words that announce it, and what it does."""

    words: str
    play: Callable[[Stage], None]


class Expected(Record, frozen=True):
    """Where a file ends up: `done`, or `failed` for this reason."""

    folder: str
    reason: str | None = None


EXPECTED = {
    "10001.pdf": Expected("done"),
    "10002.doc": Expected("done"),
    "10003.DOCX": Expected("done"),
    "10004.xls": Expected("done"),
    "10005.xlsx": Expected("done"),
    "10006.url": Expected("done"),
    "E103.pdf": Expected("failed", "order_closed"),
    "10007.pdf": Expected("failed", "empty"),
    "Rechnung März.pdf": Expected("failed", "bad_name"),
    "10008.docx": Expected("failed", "content_mismatch"),
    "10009.pdf": Expected("done"),
    "10010.pdf": Expected("done"),
    "10011.pdf": Expected("done"),
    "10012.pdf": Expected("done"),
    "10013.pdf": Expected("done"),
    "10014.pdf": Expected("done"),
    "10015.pdf": Expected("done"),
    "10016.pdf": Expected("done"),
    "10017.pdf": Expected("done"),
    "10001.2.pdf": Expected("done"),
}


def acts() -> Iterator[Act]:
    """Yield the acts in order."""
    yield Act("Accounting software exports an invoice in each format, and a link to one", _each_format)
    yield Act("A clerk drops an invoice for an order that has already left", _shipped)
    yield Act("... an empty file, one with a wrong name, and a PDF that is called .docx", _mistakes)
    yield Act(f"A large invoice is copied slowly, over {_SLOWLY:g} seconds", _slowly)
    yield Act("The API goes down, and eight invoices are dropped", _outage_begins)
    yield Act("The API is back", _outage_ends)
    yield Act("A corrected invoice for an order that already has one", _correction)


def _each_format(stage: Stage) -> None:
    _drop(stage, "10001.pdf", documents.pdf("Invoice 10001"))
    _drop(stage, "10002.doc", documents.doc("Invoice 10002"))
    _drop(stage, "10003.DOCX", _WORD)
    _drop(stage, "10004.xls", documents.xls("Invoice 10004"))
    _drop(stage, "10005.xlsx", _WORKBOOK)
    _drop(stage, "10006.url", documents.shortcut("https://billing.example.com/10006.pdf"))
    _await_filed(stage, 6)


def _shipped(stage: Stage) -> None:
    _drop(stage, "E103.pdf", documents.pdf("Invoice E103"))
    _await_filed(stage, 7)


def _mistakes(stage: Stage) -> None:
    _drop(stage, "10007.pdf", b"")
    _drop(stage, "Rechnung März.pdf", documents.pdf("Rechnung"))
    _drop(stage, "10008.docx", documents.pdf("Invoice 10008"))
    _await_filed(stage, 10)


def _slowly(stage: Stage) -> None:
    content = documents.pdf("Invoice 10009")
    with (stage.drop / "10009.pdf").open("wb", buffering=0) as file:
        for piece in range(_PIECES):
            start, end = (len(content) * step // _PIECES for step in (piece, piece + 1))
            file.write(content[start:end])
            time.sleep(_SLOWLY / _PIECES)
    _await_filed(stage, 11)


def _outage_begins(stage: Stage) -> None:
    stage.set_mode(down=True)
    for order in range(10010, 10018):
        _drop(stage, f"{order}.pdf", documents.pdf(f"Invoice {order}"))
    time.sleep(_OUTAGE)


def _outage_ends(stage: Stage) -> None:
    stage.set_mode()
    _await_filed(stage, 19)


def _correction(stage: Stage) -> None:
    _drop(stage, "10001.pdf", documents.pdf("Invoice 10001, corrected"))
    _await_filed(stage, 20)


def _drop(stage: Stage, name: str, content: bytes) -> None:
    (stage.drop / name).write_bytes(content)


def _await_filed(stage: Stage, count: int, patience: float = 10.0) -> None:
    """Wait until so many documents are filed away; the verdict at the end says it if they never are."""
    end = time.monotonic() + patience
    while time.monotonic() < end and len(filed(stage)) < count:
        time.sleep(0.05)


def filed(stage: Stage) -> dict[str, str]:
    """Return the documents that are filed away, each with its folder."""
    return {
        path.name: folder
        for folder in ("done", "failed")
        for path in (stage.drop / folder).glob("*")
        if path.suffix != ".json"
    }


def waiting(stage: Stage) -> list[str]:
    """Return the documents that still lie in the drop folder."""
    files = sorted(path.name for path in stage.drop.iterdir() if path.is_file())
    return [name for name in files if not name.startswith(".") and name != "status.html"]
