"""The type of a file that its first bytes give away.

Knows only signatures that are long enough not to come about by chance; two letters (`BM`, `MZ`) count only
together with a second sign, since a table of text may begin with them. Pure; raises nothing.
"""

from __future__ import annotations

import re

# The offset, the bytes there, and the name to tell people. The bytes are those that file(1) goes by.
_SIGNATURES = (
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (such as .doc or .xls)"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document (such as .docx or .xlsx)"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"8BPS\0\1", "a Photoshop image"),
    (8, b"WEBPVP8", "a WebP image"),
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftyp", "an MP4 video"),
    (0, b"\x1f\x8b\x08", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\xfd7zXZ\0", "an xz archive"),
    (0, b"BZh91AY&SY", "a bzip2 archive"),
    (0, b"%!PS-Adobe", "a PostScript file"),
    (0, b"\xffWPC", "a WordPerfect document"),
    (0, b"\x7fELF", "a Linux program"),
    (0, b"L\0\0\0\x01\x14\x02\0", "a Windows shortcut to a file (.lnk)"),
    (0, b"\x78\x9f\x3e\x22", "an Outlook attachment (winmail.dat)"),
    (0, b"[InternetShortcut]", "an Internet shortcut (.url)"),
)
_PDF = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,16}%PDF-")
# A bitmap's file header: the file's size, two reserved zeros, and the offset of the pixels (below 64 KiB).
_BITMAP = re.compile(rb"BM.{4}\0{4}.{2}\0\0", re.DOTALL)
# The DOS header keeps the offset of the PE header at 0x3c.
_PE_OFFSET = slice(0x3C, 0x40)


def name_of(head: bytes) -> str | None:
    """Return the name of the type that a file with these first 4 KiB surely is, or None."""
    if _PDF.match(head):
        return "a PDF"
    if _BITMAP.match(head):
        return "a bitmap image (.bmp)"
    if _is_windows_program(head):
        return "a Windows program"
    return next((name for offset, mark, name in _SIGNATURES if head.startswith(mark, offset)), None)


def _is_windows_program(head: bytes) -> bool:
    offset = int.from_bytes(head[_PE_OFFSET], "little")
    return head.startswith(b"MZ") and head.startswith(b"PE\0\0", offset)
