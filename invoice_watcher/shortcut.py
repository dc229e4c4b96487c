"""The link in a Windows Internet shortcut (.url): what is sent as `FileUrl`.

A shortcut is an INI file with a line `URL=` in its section `[InternetShortcut]`. Browsers and Windows write
it in whatever encoding they please; this module takes ASCII, UTF-8, UTF-16 (big-endian only with its mark)
and cp1252.

Only links to the web are let through, and none with a user name or password in it: that would hand a secret
to a stranger. Nothing is ever fetched. Pure; raises ShortcutError, whose fault is the file's (API code
104).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

LARGEST = 64 * 1024  # a shortcut is a few lines; whatever is larger is none
LONGEST_LINK = 2048

_SECTION = "[internetshortcut]"
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
# A drive letter or a share: `C:\invoices`, `\\server\invoices`.
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_NOT_IN_HOST = re.compile(r"""[\\"<>^`{|}%*!$&'()+,;=]""")


class ShortcutError(ValueError):
    """The shortcut holds no link that can be sent; the text is one phrase that says why, without the link."""


class UrlLine(NamedTuple):
    """The line with the link: its value, and whether a line end follows it."""

    value: str
    is_ended: bool


def parse(raw: bytes) -> str:
    """Return the link that a shortcut's bytes hold.

    The link is given back as it stands there, non-ASCII characters and all: at most 2,048 characters, http or
    https, with a host name.

    Raises:
        ShortcutError: there is none, or none that may be sent.
    """
    if len(raw) > LARGEST:
        raise ShortcutError("the file is larger than 64 KiB, too large for an Internet shortcut")
    line = url_line(raw)
    if line is None:
        raise ShortcutError("the shortcut holds no URL= line")
    _check(line.value)
    return line.value


def url_line(raw: bytes) -> UrlLine | None:
    """Return the first `URL=` line of the section `[InternetShortcut]`, in any letter case, or None."""
    is_inside = False
    for text, end in _LINE.findall(_decoded(raw)):
        line = text.strip()
        if line.startswith("["):
            is_inside = line.lower() == _SECTION
        key, equals, value = line.partition("=")
        if is_inside and equals and key.rstrip().lower() == "url":
            return UrlLine(_unquoted(value.strip()), bool(end))
    return None


def _decoded(raw: bytes) -> str:
    if raw.startswith(b"\xff\xfe") or re.match(rb"[^\0]\0[^\0]\0", raw):
        text = raw.decode("utf-16-le", "replace")
    elif raw.startswith(b"\xfe\xff"):
        text = raw.decode("utf-16-be", "replace")
    else:
        text = _decoded_bytes(raw)
    return text.removeprefix("\ufeff").rstrip("\0")


def _decoded_bytes(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _unquoted(value: str) -> str:
    """Return `value` without one pair of quotes, which GetPrivateProfileString drops as well."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value


def _check(link: str) -> None:
    if not link:
        raise ShortcutError("the URL= line of the shortcut is empty")
    if len(link) > LONGEST_LINK:
        raise ShortcutError("the link is longer than 2,048 characters")
    if " " in link or "\ufffd" in link or not link.isprintable():
        raise ShortcutError("the link holds a space, a control character or bytes that are no text")
    _check_scheme(link)
    parts = _split(link)
    if "@" in parts.netloc:
        raise ShortcutError("the link holds a user name or password, which must not be passed on")
    if not parts.hostname or _NOT_IN_HOST.search(parts.hostname):
        raise ShortcutError("the link names no web server")


def _check_scheme(link: str) -> None:
    scheme = _SCHEME.match(link)
    if _WINDOWS_PATH.match(link) or (scheme and scheme[0].lower() == "file"):
        raise ShortcutError("the link leads to a file on a computer or share, not to the web")
    if scheme is None:
        raise ShortcutError("the link does not begin with http:// or https://")
    if scheme[0].lower() not in {"http", "https"}:
        raise ShortcutError(f"the link begins with {scheme[0][:20].lower()}:, not with http:// or https://")


def _split(link: str) -> SplitResult:
    """Return the parts of a link; urlsplit raises for stray brackets, and `port` for impossible ports."""
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        raise ShortcutError("the link is malformed") from None
    return parts
