"""Judges what Office opens under its extensions, whatever of its formats lies beneath.

Under .doc and .xls that is nearly everything Office ever wrote; under .docx and .xlsx a ZIP archive (`ooxml`), or an
OLE2 file, for that is what a document under a password is inside ([MS-OFFCRYPTO]). Pure but for reading; raises nothing
on any bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.content import ole2, ooxml, text, zipped
from invoice_watcher.content.refusal import is_unheard_of

if TYPE_CHECKING:
    from invoice_watcher.content.finding import Finding
    from invoice_watcher.content.view import View
    from invoice_watcher.invoice import Kind

MAGICS = (ole2.MAGIC, *zipped.MAGICS)
OLD_MAGICS = (*MAGICS, *text.MAGICS)


def judge(view: View, kind: Kind) -> Finding | None:
    """Judge a .docx or .xlsx; None when it begins as none."""
    if found := _judge_container(view, kind):
        return found
    return ooxml.judge(view, kind) if is_unheard_of(view.head) and zipped.has_archive(view) else None


def judge_old(view: View, kind: Kind) -> Finding | None:
    """Judge a .doc or .xls; None when it begins as none."""
    return _judge_container(view, kind) or text.judge(view, kind)


def _judge_container(view: View, kind: Kind) -> Finding | None:
    if ole2.begins(view.head):
        return ole2.judge(view)
    return ooxml.judge(view, kind) if zipped.begins(view.head) else None
