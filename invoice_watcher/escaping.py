r"""Text from outside, made safe to show.

File names and API answers come from strangers. Wherever they are shown (log, terminal, sidecar) they pass
through here: nothing that is left can start a new line, move a cursor, or reverse the reading direction.
Pure; raises nothing.
"""

from __future__ import annotations

import re

# Surrogates stand for bytes of a file name that are not UTF-8 (PEP 383).
_SURROGATES = re.compile("[\ud800-\udfff]")


def escape(text: str) -> str:
    r"""Return `text` with every character that is not printable as a Python escape: `\n`, `\x1b`, `\u202e`.

    Printable is what `str.isprintable` says: control, format (bidirectional marks among them), surrogate and
    unassigned characters are not, nor is any white space but the plain blank.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def encodable(text: str) -> str:
    r"""Return `text` with only what UTF-8 cannot hold escaped: a byte 0xff of a file name becomes `\xff`."""
    if text.isascii():
        return text
    return _SURROGATES.sub(lambda match: _escaped(match[0]), text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - the range that PEP 383 gives to bytes
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
