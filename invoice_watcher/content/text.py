"""Judges what else Office opens as .doc or .xls: RTF, HTML, XML, MHTML, tables of text, old streams.

Accounting software writes these under the old extensions, and the API takes them. Text has no certain end,
so the worst verdict here is DOUBTFUL. Cut just behind a `>` or a line end, a fragment of HTML or a table
looks whole; RTF (all braces closed), XML, `<html>` and MHTML do not. Pure but for reading; raises nothing
on any bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.content.finding import Finding, Verdict
from invoice_watcher.content.signature import name_of
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.content.view import View

# Enough for a document this short to be the beginning of one of these formats.
MAGICS = (b"{\\rtf", b"MIME-Version:", b"\xef\xbb\xbf", b"\xff\xfe<", b"\xfe\xff\0<")

_TAIL = 4096
_NUL_RUN = 64
_BLANK = " \t\r\n\f\v\0\x1a"  # 0x1a: the end of file of CP/M and DOS

# A text that ends with its first `<`, or within the character behind it, is not yet anything else.
_MARKUP = re.compile(r"\s*<(?:[A-Za-z!?]|\ufffd?\Z)")
_PROLOG = re.compile(r"\s*(?:<\?.{0,2000}?\?>|<!--.{0,2000}?-->)", re.DOTALL)
_ROOT = re.compile(r"\s*<([^\s<>/!?]{1,100})([^<>]*)")
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_MIME = re.compile(rb"\s{0,16}(?:[\w-]+:[^\n]*\n|[ \t][^\n]*\n)*?MIME-Version:", re.IGNORECASE)
_BOUNDARY = re.compile(rb"""boundary=(?:"([^"\r\n]{1,70})"|([^\s";]{1,70}))""", re.IGNORECASE)
_NO_TEXT = re.compile("[\0-\x08\x0b\x0e-\x19\x1b-\x1f\x7f\ufffd]")
_DELIMITER = re.compile(r"[\t;,]")
# BOF of BIFF2 to BIFF5/8 ([MS-XLS] 2.4.21, and the formats before it): its number, then its length.
_BIFF = re.compile(rb"\x09[\x00\x02\x04\x08][\x04-\x10]\x00")
_BIFF_END = b"\x0a\x00\x00\x00"
_OLD_WORD = (b"\xdb\xa5", b"\x31\xbe", b"\xfe\x37")


class _Form(NamedTuple):
    """A format: the kinds that may hold it, how to recognise it, how to judge it."""

    kinds: frozenset[Kind]
    begins: Callable[[bytes], bool]
    judge: Callable[[View], Finding]


def judge(view: View, kind: Kind) -> Finding | None:
    """Return how whole a document of the old `kind` is; None when it is none of these formats."""
    form = next((form for form in _FORMS if kind in form.kinds and form.begins(view.head)), None)
    if form is None:
        return None
    finding = form.judge(view)
    if finding.verdict is Verdict.WHOLE and not view.tail(_NUL_RUN).strip(b"\0"):
        return Finding(Verdict.DOUBTFUL, "the file ends in NUL bytes")
    return finding


def is_markup(head: bytes) -> bool:
    """Whether a document with these first bytes is HTML, XML or the like."""
    return _MARKUP.match(_decoded(head)) is not None


def is_table(head: bytes) -> bool:
    """Whether these first bytes are text with delimiters in it, and of no other known type."""
    if name_of(head):
        return False
    text = _decoded(head)
    # The head may end within a character of two bytes.
    return not _NO_TEXT.search(text[:-1]) and _DELIMITER.search(text) is not None


def _judged(what: str, *, whole: bool) -> Finding:
    """Return WHOLE when the mark at the end that `what` names is there, else DOUBTFUL."""
    if whole:
        return Finding(Verdict.WHOLE, f"the file has {what}")
    return Finding(Verdict.DOUBTFUL, f"the file lacks {what}")


def _codec(head: bytes) -> str:
    """Return the codec of a text; Latin-1 stands for all with a byte per character, as only ASCII matters."""
    if head.startswith(b"\xff\xfe") or head[1:2] == b"\0":
        return "utf-16-le"
    if head.startswith((b"\xfe\xff", b"\0")):
        return "utf-16-be"
    return "latin-1"


def _decoded(head: bytes) -> str:
    return head.removeprefix(b"\xef\xbb\xbf").decode(_codec(head), "replace").removeprefix("\ufeff").rstrip("\0")


def _ending(view: View) -> str:
    """Return the text's last 4 KiB without the padding; gibberish where UTF-16 ends within a character."""
    return view.tail(_TAIL).decode(_codec(view.head), "replace").rstrip("\0\x1a")


def _judge_rtf(view: View) -> Finding:
    """Judge by the braces: the first one opens the document, so its end closes them all."""
    if not view.tail(_TAIL).rstrip(_BLANK.encode()).endswith(b"}"):
        return _judged("the closing brace of RTF", whole=False)
    return _judged("a closing brace for each one opened in the RTF", whole=_open_braces(view) <= 0)


def _open_braces(view: View) -> int:
    depth, start, carried = 0, 0, b""
    while chunk := view.at(start, 64 * 1024):
        start += len(chunk)
        text = (carried + chunk).replace(rb"\\", b"")
        carried = b"\\" if text.endswith(b"\\") else b""
        text = text.replace(rb"\{", b"").replace(rb"\}", b"")
        depth += text.count(b"{") - text.count(b"}")
    return depth


def _judge_markup(view: View) -> Finding:
    ending = _ending(view).rstrip()
    if not ending.endswith(">"):
        return _judged("a closing > at its end", whole=False)
    closing = _closing_tag(_decoded(view.head))
    if closing is None or not re.search(closing, ending, re.IGNORECASE):
        return _judged("the closing tag of its root", whole=False)
    return _judged("a closing > at its end", whole=True)


def _closing_tag(text: str) -> str | None:
    """Return the pattern of the closing tag due; empty for a fragment of HTML, None without a root."""
    is_xml = text.lstrip().startswith("<?xml")
    for _ in range(16):
        prolog = _PROLOG.match(text)
        text = text[prolog.end() :] if prolog else text
    if _HTML.match(text):
        return r"</html\s*>"
    root = _ROOT.match(text)
    if root and (is_xml or "xmlns" in root[2]):
        return rf"</{re.escape(root[1])}\s*>"
    return None if is_xml else ""


def _judge_mhtml(view: View) -> Finding:
    found = _BOUNDARY.search(view.head)
    closing = b"--" + (found[1] or found[2]) + b"--" if found else None
    return _judged("the closing boundary of MHTML", whole=closing is not None and closing in view.tail(_TAIL))


def _judge_table(view: View) -> Finding:
    lines = _decoded(view.head).replace("\r", "\n").split("\n")
    if sum(_DELIMITER.search(line) is not None for line in lines) <= 1:
        return _judged("a second line of the table", whole=False)
    return _judged("a line end after its last line", whole=_ending(view).endswith(("\n", "\r")))


def _judge_biff(view: View) -> Finding:
    return _judged("the EOF record of Excel", whole=view.tail(len(_BIFF_END)) == _BIFF_END)


def _judge_old_word(_: View) -> Finding:
    return _judged("a mark that would tell its end: it is of a very old Word", whole=False)


_BOTH, _DOC, _XLS = frozenset({Kind.DOC, Kind.XLS}), frozenset({Kind.DOC}), frozenset({Kind.XLS})
# In this order: what is less certain comes last.
_FORMS = (
    _Form(_BOTH, lambda head: head.startswith(b"{\\rtf"), _judge_rtf),
    _Form(_BOTH, lambda head: _MIME.match(head) is not None, _judge_mhtml),
    _Form(_XLS, lambda head: _BIFF.match(head) is not None, _judge_biff),
    _Form(_DOC, lambda head: head.startswith(_OLD_WORD), _judge_old_word),
    _Form(_BOTH, is_markup, _judge_markup),
    _Form(_XLS, is_table, _judge_table),
)
