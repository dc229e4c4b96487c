"""Judges a document's bytes: whole, doubtful, cut off, or surely not what its extension says.

This is what keeps half-written files from being sent. The API itself looks at the extension alone, so
whatever Office opens under that extension is accepted here: old Office documents that are HTML, XML, RTF or
OOXML inside, encrypted ones, PDFs with junk around them. MISMATCH and CUT_OFF are said only where it is
sure.

Guarantees: no bytes make it raise; nothing is decompressed or executed; a sound document is judged by a few
KiB of it (RTF is read through); at most about 1 MiB is held; the time is linear in the size. Raises only
the OSError of a failing read, which is this machine's fault.

One thing no format can tell: a file cut where only padding was left is whole (see each format's module).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from invoice_watcher.content import link, office, ooxml, pdf
from invoice_watcher.content.finding import Finding, Verdict
from invoice_watcher.content.refusal import refuse
from invoice_watcher.content.view import View
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Finding", "Verdict", "inspect"]


class _Format(NamedTuple):
    """What is known of the documents under one extension.

    Attributes:
        name: what people call them, with the article.
        magics: how all forms begin that are accepted; fewer bytes of one were cut off.
        unknown: what is said of bytes of which nothing else can be said.
        judge: returns None for what begins as no accepted form.
    """

    name: str
    magics: tuple[bytes, ...]
    unknown: str
    judge: Callable[[View, Kind], Finding | None]


_FORMATS = {
    Kind.PDF: _Format(
        "a PDF", pdf.MAGICS, "the file does not begin with %PDF-, so it is not a PDF", lambda view, _: pdf.judge(view)
    ),
    Kind.DOC: _Format(
        ooxml.NAMES[Kind.DOC], office.OLD_MAGICS, "the file is neither Word, RTF, HTML nor XML", office.judge_old
    ),
    Kind.DOCX: _Format(ooxml.NAMES[Kind.DOCX], office.MAGICS, "the file is not a Word document", office.judge),
    Kind.XLS: _Format(
        ooxml.NAMES[Kind.XLS],
        office.OLD_MAGICS,
        "the file is neither Excel, RTF, HTML, XML nor a table of text",
        office.judge_old,
    ),
    Kind.XLSX: _Format(ooxml.NAMES[Kind.XLSX], office.MAGICS, "the file is not an Excel workbook", office.judge),
    Kind.URL: _Format("an Internet shortcut", (), "", lambda view, _: link.judge(view)),
}


def inspect(document: BinaryIO, size: int, kind: Kind) -> Finding:
    """Return what the bytes of a document say about it.

    Args:
        document: open for reading, seekable; its position is moved.
        size: its length in bytes, more than 0.
        kind: what its extension says it is.

    Raises:
        OSError: reading failed.
    """
    view = View(document, size)
    wanted = _FORMATS[kind]
    return wanted.judge(view, kind) or refuse(view.head, wanted.name, wanted.magics, wanted.unknown)
