"""Reads the directory of a ZIP archive, which several kinds of documents are, and judges whether all of it is there.

The directory comes last (APPNOTE.TXT, 4.3.6). It is read here and not by the zipfile module, because that builds an
object for each member before it says anything: ten hostile megabytes cost a second and 70 MB. As zipfile does, it takes
bytes in front of the archive and behind it, and ZIP64.

Nothing is ever decompressed. At most 10,000 members are looked at, in at most 1 MiB of directory. Pure but for reading;
raises nothing on any bytes.
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.content.finding import CutOffError, Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.content.view import View

MAGICS = (b"PK\x03\x04",)
LOCAL_SIZE = 30  # bytes of the header in front of a member's name

_LOCAL, _CENTRAL, _END, _END64 = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"
_CENTRAL_SIZE, _END_SIZE = 46, 22
# The ZIP64 end record and its locator, as zipfile expects them: right before the end record.
_BOTH64_SIZE = 56 + 20
_IN_ZIP64 = 0xFFFFFFFF
_MOST_DIRECTORY = 1024 * 1024
_MOST_MEMBERS = 10_000
# A ZIP comment's greatest length, and so the furthest that readers look back for the end record.
_SLACK = 0xFFFF


class Archive(NamedTuple):
    """What an archive says of itself.

    Attributes:
        names: of its members, in lower case, with plain slashes.
        is_too_large: there may be more members than could be looked at.
        flaw: what is wrong around the archive, or None.
    """

    names: list[bytes]
    is_too_large: bool
    flaw: Finding | None


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


def read(view: View) -> Archive | Finding:
    """Return the archive that ends the document, or why none can be read there."""
    directory = _directory(view, view.rfind(_END))
    if directory is None:
        return Finding(Verdict.CUT_OFF, "the document (a ZIP archive) ends without its directory")
    try:
        members = [member.name for member in _members(view, directory)]
    except CutOffError as error:
        return Finding(Verdict.CUT_OFF, str(error))
    names = [name.replace(b"\\", b"/").lstrip(b"/").lower() for name in members]
    is_too_large = len(names) == _MOST_MEMBERS or directory.size > _MOST_DIRECTORY
    return Archive(names, is_too_large, _judge_end(view, directory))


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
    if member.packed != _IN_ZIP64 and start + LOCAL_SIZE + member.packed > directory.start:
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
