"""Judges whether an Office Open XML document (.docx, .xlsx and kin) is all there, and is one.

It is a ZIP archive, whose directory comes last (APPNOTE.TXT, 4.3.6), with a member `[Content_Types].xml`
(ECMA-376 part 2). The directory is read here and not by the zipfile module, because that builds
an object for each member before it says anything: ten hostile megabytes cost a second and 70 MB. As zipfile
does, it takes bytes in front of the archive and behind it, and ZIP64.

Nothing is ever decompressed. At most 10,000 members are looked at, in at most 1 MiB of directory. Pure but
for reading; raises nothing on any bytes.
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.content.finding import CutOffError, Finding, Verdict
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.content.view import View

MAGICS = (b"PK\x03\x04",)

_LOCAL, _CENTRAL, _END, _END64 = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"
_LOCAL_SIZE, _CENTRAL_SIZE, _END_SIZE = 30, 46, 22
# The ZIP64 end record and its locator, as zipfile expects them: right before the end record.
_BOTH64_SIZE = 56 + 20
_IN_ZIP64 = 0xFFFFFFFF
_MOST_DIRECTORY = 1024 * 1024
_MOST_MEMBERS = 10_000
# A ZIP comment's greatest length, and so the furthest that readers look back for the end record.
_SLACK = 0xFFFF

_CONTENT_TYPES = b"[content_types].xml"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument"
_FOLDERS = {Kind.DOCX: b"word/", Kind.XLSX: b"xl/"}
_NAMES = {
    Kind.DOC: "a Word document",
    Kind.DOCX: "a Word document",
    Kind.XLS: "an Excel workbook",
    Kind.XLSX: "an Excel workbook",
}
_OTHER = {Kind.DOCX: Kind.XLSX, Kind.XLSX: Kind.DOCX}


class _Directory(NamedTuple):
    """Where an archive's directory lies: `start` and `size` in bytes.

    `shift` is the length of what precedes the archive, `behind` the offset of what follows it.
    """

    start: int
    size: int
    shift: int
    behind: int


class _Member(NamedTuple):
    name: bytes
    offset: int
    packed: int


def begins(head: bytes) -> bool:
    """Whether a document with these first bytes is a ZIP archive with nothing in front."""
    return head.startswith((_LOCAL, _END))


def has_archive(view: View) -> bool:
    """Whether a ZIP archive ends the document, whatever stands in front of it."""
    at = view.rfind(_END)
    if at + _END_SIZE + _SLACK < view.size:
        return False
    directory = _directory(view, at)
    return directory is not None and view.at(directory.start, 4) == _CENTRAL


def judge(view: View, kind: Kind) -> Finding:
    """Return how whole a ZIP archive is, and whether it is what its extension says.

    The old kinds, .doc and .xls, are satisfied with any OOXML document: Office opens it all the same.
    """
    if view.head.startswith(_OPEN_DOCUMENT, _LOCAL_SIZE):
        return Finding(Verdict.MISMATCH, f"the file is an OpenDocument file, not {_NAMES[kind]}")
    directory = _directory(view, view.rfind(_END))
    if directory is None:
        return Finding(Verdict.CUT_OFF, "the document (a ZIP archive) ends without its directory")
    try:
        members = [member.name for member in _members(view, directory)]
    except CutOffError as error:
        return Finding(Verdict.CUT_OFF, str(error))
    names = [name.replace(b"\\", b"/").lstrip(b"/").lower() for name in members]
    if _CONTENT_TYPES not in names and (len(names) == _MOST_MEMBERS or directory.size > _MOST_DIRECTORY):
        return Finding(Verdict.DOUBTFUL, "the document (a ZIP archive) has too many parts to look at")
    return _judge_end(view, directory) or _judge_names(names, kind)


def _directory(view: View, at: int) -> _Directory | None:
    """Return what the end record at `at` says of the directory; None when the record is not all there."""
    record = view.at(at, _END_SIZE)
    if len(record) < _END_SIZE:
        return None
    size, offset, comment = struct.unpack_from("<IIH", record, 12)
    end = at
    record64 = view.at(at - _BOTH64_SIZE, _BOTH64_SIZE)
    if record64.startswith(_END64):
        size, offset = struct.unpack_from("<QQ", record64, 40)
        end = at - _BOTH64_SIZE
    return _Directory(end - size, size, end - size - offset, at + _END_SIZE + comment)


def _members(view: View, directory: _Directory) -> Iterator[_Member]:
    """Yield the members, having seen that each lies where the directory says."""
    if directory.shift < 0:
        raise CutOffError("the document (a ZIP archive) is shorter than its directory says")
    raw = view.at(directory.start, min(directory.size, _MOST_DIRECTORY))
    for member in islice(_entries(raw), _MOST_MEMBERS):
        if member.offset != _IN_ZIP64:
            _check_place(view, directory, member)
        yield member


def _check_place(view: View, directory: _Directory, member: _Member) -> None:
    start = member.offset + directory.shift
    if member.packed != _IN_ZIP64 and start + _LOCAL_SIZE + member.packed > directory.start:
        raise CutOffError("the document (a ZIP archive) lacks bytes of its parts")
    if view.at(start, 4) != _LOCAL:
        raise CutOffError("a part of the document (a ZIP archive) is not where its directory says")


def _entries(raw: bytes) -> Iterator[_Member]:
    """Yield the directory's entries; one that the limit cut through, or less than an entry, ends them."""
    at = 0
    while at + _CENTRAL_SIZE <= len(raw):
        if not raw.startswith(_CENTRAL, at):
            raise CutOffError("the directory of the document (a ZIP archive) cannot be read")
        packed, _, name, extra, comment = struct.unpack_from("<IIHHH", raw, at + 20)
        (offset,) = struct.unpack_from("<I", raw, at + 42)
        yield _Member(raw[at + _CENTRAL_SIZE : at + _CENTRAL_SIZE + name], offset, packed)
        at += _CENTRAL_SIZE + name + extra + comment


def _judge_end(view: View, directory: _Directory) -> Finding | None:
    """Judge what stands around the archive; an embedded archive's end is not the document's own."""
    if any(mark in window for window in view.windows(directory.behind) for mark in (_LOCAL, _CENTRAL)):
        return Finding(Verdict.CUT_OFF, "the document (a ZIP archive) goes on after its directory")
    if directory.shift and view.head.startswith(_LOCAL):
        return Finding(Verdict.DOUBTFUL, "the last directory in the document (a ZIP archive) is not the document's own")
    if not 0 <= view.size - directory.behind <= _SLACK:
        return Finding(Verdict.DOUBTFUL, "the document (a ZIP archive) does not end where it says")
    return None


def _judge_names(names: list[bytes], kind: Kind) -> Finding:
    if _CONTENT_TYPES not in names:
        return Finding(Verdict.MISMATCH, f"the file is a ZIP archive, not {_NAMES[kind]}")
    if kind in _FOLDERS and _holds(names, _OTHER[kind]) and not _holds(names, kind):
        return Finding(Verdict.MISMATCH, f"the file is {_NAMES[_OTHER[kind]]}, not {_NAMES[kind]}")
    return Finding(Verdict.WHOLE, "the document (a ZIP archive) has all parts of its directory")


def _holds(names: list[bytes], kind: Kind) -> bool:
    return any(name.startswith(_FOLDERS[kind]) for name in names)
