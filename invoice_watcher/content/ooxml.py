"""Judges whether an Office Open XML document (.docx, .xlsx and kin) is all there, and is one.

It is a ZIP archive (`zipped`) with a member `[Content_Types].xml` (ECMA-376 part 2). Pure but for reading; raises
nothing on any bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.content import zipped
from invoice_watcher.content.finding import Finding, Verdict
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from invoice_watcher.content.view import View

_CONTENT_TYPES = b"[content_types].xml"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument"
_FOLDERS = {Kind.DOCX: b"word/", Kind.XLSX: b"xl/"}
NAMES = {
    Kind.DOC: "a Word document",
    Kind.DOCX: "a Word document",
    Kind.XLS: "an Excel workbook",
    Kind.XLSX: "an Excel workbook",
}
_OTHER = {Kind.DOCX: Kind.XLSX, Kind.XLSX: Kind.DOCX}


def judge(view: View, kind: Kind) -> Finding:
    """Return how whole a ZIP archive is, and whether it is what its extension says.

    The old kinds, .doc and .xls, are satisfied with any OOXML document: Office opens it all the same.
    """
    if view.head.startswith(_OPEN_DOCUMENT, zipped.LOCAL_SIZE):
        return Finding(Verdict.MISMATCH, f"the file is an OpenDocument file, not {NAMES[kind]}")
    archive = zipped.read(view)
    if isinstance(archive, Finding):
        return archive
    if _CONTENT_TYPES not in archive.names and archive.is_too_large:
        return Finding(Verdict.DOUBTFUL, "the document (a ZIP archive) has too many parts to look at")
    return archive.flaw or _judge_names(archive.names, kind)


def _judge_names(names: list[bytes], kind: Kind) -> Finding:
    if _CONTENT_TYPES not in names:
        return Finding(Verdict.MISMATCH, f"the file is a ZIP archive, not {NAMES[kind]}")
    if kind in _FOLDERS and _holds(names, _OTHER[kind]) and not _holds(names, kind):
        return Finding(Verdict.MISMATCH, f"the file is {NAMES[_OTHER[kind]]}, not {NAMES[kind]}")
    return Finding(Verdict.WHOLE, "the document (a ZIP archive) has all parts of its directory")


def _holds(names: list[bytes], kind: Kind) -> bool:
    return any(name.startswith(_FOLDERS[kind]) for name in names)
