"""What is said of bytes that begin as none of the forms that are accepted under their extension.

Either hardly anything of the file was written yet, or it is something else; what it is instead is said where the bytes
give it away. Pure; raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.content import text
from invoice_watcher.content.finding import Finding, Verdict
from invoice_watcher.content.signature import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# No format begins with this many NUL bytes; a file that was given its size before its content does.
_UNWRITTEN = 1024


def refuse(head: bytes, wanted: str, magics: Sequence[bytes], otherwise: str) -> Finding:
    """Say why a file is none of its kind.

    Args:
        head: its first 4 KiB.
        wanted: what its extension says, with its article.
        magics: how the accepted forms begin.
        otherwise: what is said of bytes that nothing is known of.
    """
    if _is_unwritten(head):
        return Finding(Verdict.CUT_OFF, "the file begins with NUL bytes: its content was not written")
    if any(magic.startswith(head.rstrip(b"\0")) for magic in magics):
        return Finding(Verdict.CUT_OFF, "the file holds no more than its first few bytes")
    known = _known(head)
    return Finding(Verdict.MISMATCH, f"the file is {known}, not {wanted}" if known else otherwise)


def is_unheard_of(head: bytes) -> bool:
    """Whether nothing is known that begins like this."""
    return not _known(head) and not _is_unwritten(head)


def _known(head: bytes) -> str | None:
    return name_of(head) or ("an HTML or XML document" if text.is_markup(head) else None)


def _is_unwritten(head: bytes) -> bool:
    return not head[:_UNWRITTEN].strip(b"\0")
