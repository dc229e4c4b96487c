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

from typing import TYPE_CHECKING, BinaryIO, assert_never

from invoice_watcher import shortcut
from invoice_watcher.content import ole2, ooxml, pdf, text
from invoice_watcher.content.finding import Finding, Verdict
from invoice_watcher.content.signature import name_of
from invoice_watcher.content.view import View
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Finding", "Verdict", "inspect"]

_WANTED = {
    Kind.PDF: "a PDF",
    Kind.DOC: "a Word document",
    Kind.DOCX: "a Word document",
    Kind.XLS: "an Excel workbook",
    Kind.XLSX: "an Excel workbook",
}
_UNKNOWN = {
    Kind.PDF: "the file does not begin with %PDF-, so it is not a PDF",
    Kind.DOC: "the file is neither Word, RTF, HTML nor XML",
    Kind.DOCX: "the file is not a Word document",
    Kind.XLS: "the file is neither Excel, RTF, HTML, XML nor a table of text",
    Kind.XLSX: "the file is not an Excel workbook",
}
_OFFICE_MAGICS = (ole2.MAGIC, *ooxml.MAGICS)
# No format begins with this many NUL bytes; a file that was given its size before its content does.
_UNWRITTEN = 1024


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
    match kind:
        case Kind.PDF:
            return pdf.judge(view) if pdf.begins(view.head) else _refuse(view, kind, pdf.MAGICS)
        case Kind.DOC | Kind.DOCX | Kind.XLS | Kind.XLSX:
            return _inspect_office(view, kind)
        case Kind.URL:
            return _inspect_shortcut(view)
    assert_never(kind)


def _inspect_office(view: View, kind: Kind) -> Finding:
    """Judge an Office document; a .docx or .xlsx under a password is OLE2 inside ([MS-OFFCRYPTO])."""
    if ole2.begins(view.head):
        return ole2.judge(view)
    if ooxml.begins(view.head):
        return ooxml.judge(view, kind, _WANTED[kind])
    if kind in {Kind.DOC, Kind.XLS}:
        return text.judge(view, kind) or _refuse(view, kind, (*_OFFICE_MAGICS, *text.MAGICS))
    if not _known(view.head) and not _is_unwritten(view.head) and ooxml.has_archive(view):
        return ooxml.judge(view, kind, _WANTED[kind])
    return _refuse(view, kind, _OFFICE_MAGICS)


def _inspect_shortcut(view: View) -> Finding:
    """Judge an Internet shortcut; whether its link is any good is for `shortcut.parse` to say."""
    line = shortcut.url_line(view.at(0, shortcut.LARGEST))
    if line is None:
        return Finding(Verdict.DOUBTFUL, "the shortcut holds no URL= line")
    if not line.is_ended:
        return Finding(Verdict.DOUBTFUL, "the URL= line of the shortcut has no line end")
    return Finding(Verdict.WHOLE, "the shortcut holds a URL= line")


def _refuse(view: View, kind: Kind, magics: Sequence[bytes]) -> Finding:
    """Say why a document is none of its kind: it has hardly begun, or it is something else."""
    if _is_unwritten(view.head):
        return Finding(Verdict.CUT_OFF, "the file begins with NUL bytes: its content was not written")
    if any(magic.startswith(view.head.rstrip(b"\0")) for magic in magics):
        return Finding(Verdict.CUT_OFF, "the file holds no more than its first few bytes")
    known = _known(view.head)
    return Finding(Verdict.MISMATCH, f"the file is {known}, not {_WANTED[kind]}" if known else _UNKNOWN[kind])


def _known(head: bytes) -> str | None:
    return name_of(head) or ("an HTML or XML document" if text.is_markup(head) else None)


def _is_unwritten(head: bytes) -> bool:
    return not head[:_UNWRITTEN].strip(b"\0")
