"""Judges whether an Internet shortcut (.url) has its link, whole.

Whether the link is any good is for `shortcut.parse` to say. Pure but for reading; raises nothing on any bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher import shortcut
from invoice_watcher.content.finding import Finding, Verdict

if TYPE_CHECKING:
    from invoice_watcher.content.view import View


def judge(view: View) -> Finding:
    """Return how whole a shortcut is."""
    line = shortcut.url_line(view.at(0, shortcut.LARGEST))
    if line is None:
        return Finding(Verdict.DOUBTFUL, "the shortcut holds no URL= line")
    if not line.is_ended:
        return Finding(Verdict.DOUBTFUL, "the URL= line of the shortcut has no line end")
    return Finding(Verdict.WHOLE, "the shortcut holds a URL= line")
