"""Judges whether a PDF is all there.

A PDF ends with `startxref`, an offset, and `%%EOF` (ISO 32000-1, 7.5.5). A copy that was cut off lacks
them, or, if the file was updated or linearized, has those of an earlier part with more objects behind.
Acrobat takes bytes in front of the header (within the first 1,024) and behind the end (likewise); so does
this module.

What it cannot see: an updated PDF cut exactly behind an earlier revision is that whole earlier revision.
Pure but for reading; raises nothing on any bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoice_watcher.content.finding import Finding, Verdict

if TYPE_CHECKING:
    from invoice_watcher.content.view import View

MAGICS = (b"%PDF-",)

# How far Acrobat looks for the header and for the end (PDF Reference 1.7, appendix H.3, notes 13 and 18).
_SLACK = 1024
_HEADER = re.compile(rb"%PDF-|%!PS-Adobe-\d\.\d PDF-\d")
_END = b"%%EOF"
_LINEARIZED_LENGTH = re.compile(rb"/L\s+(\d{1,15})")
# Each begins with plain bytes, which keeps the search fast. A web page behind the PDF must not match: it may
# hold `<object` and `octet-stream`.
_BODY = (
    re.compile(rb"obj(?<=\d\sobj)(?=[\s\0<\[(/]|\Z)"),
    re.compile(rb"endobj"),
    re.compile(rb"endstream"),
    re.compile(rb"xref\s\s?\d"),
)
# The first bytes of `12 0 obj` or `xref`, with the rest not written yet.
_BODY_BEGUN = re.compile(rb"[\s\0]*(?:\d{1,10}(?:\s{1,2}\d{0,5}(?:\s{1,2}o?b?j?)?)?|xr?e?f?)[\s\0]*")
# A missing line end behind the last mark is harmless, though a linearized file counts it.
_LINE_END = 2


def judge(view: View) -> Finding | None:
    """Return how whole a PDF is; None for what does not begin as one."""
    header = _HEADER.search(view.head[:_SLACK])
    if header is None:
        return None
    end = view.rfind(_END)
    if end < 0:
        return Finding(Verdict.CUT_OFF, "the PDF ends without %%EOF")
    if _announced_length(view, header.start()) > view.size + _LINE_END:
        return Finding(Verdict.CUT_OFF, "the PDF is shorter than its beginning says")
    behind = end + len(_END)
    if any(mark.search(window) for window in view.windows(behind) for mark in _BODY):
        return Finding(Verdict.CUT_OFF, "the PDF goes on after its last %%EOF and then ends without one")
    return _judge_end(view, end, view.at(behind, _SLACK + 1))


def _judge_end(view: View, end: int, behind: bytes) -> Finding:
    if len(behind) > _SLACK:
        return Finding(Verdict.DOUBTFUL, "the PDF is followed by more than 1 KiB that is not PDF")
    if _BODY_BEGUN.fullmatch(behind):
        return Finding(Verdict.DOUBTFUL, "the PDF seems to go on after its last %%EOF")
    before = view.at(max(0, end - _SLACK), min(end, _SLACK))
    if b"startxref" not in before and behind.strip(b"\0\t\n\f\r "):
        return Finding(Verdict.DOUBTFUL, "the PDF has no startxref before its last %%EOF, and more behind it")
    return Finding(Verdict.WHOLE, "the PDF ends with %%EOF")


def _announced_length(view: View, start: int) -> int:
    """Return the length that a linearized file tells of itself (ISO 32000-1, table F.1), or 0.

    What stands in front of the header, `start` bytes, is not counted there, and is added here.
    """
    first_object = view.head[start : start + _SLACK].partition(b"endobj")[0]
    length = _LINEARIZED_LENGTH.search(first_object)
    return start + int(length[1]) if length and b"/Linearized" in first_object else 0
