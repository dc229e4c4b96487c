"""Reading what the API said, liberally: JSON or XML, any letter case, flat or nested, an error inside a 200.

The API document leaves the shape of an answer open, so this module looks for a *code* and a *message* wherever
they may stand, and says how much the body proves. Guarantees: any bytes give an `Answer`; a body that is cut
off, a web page, or a mixture is never read as success, nor is one that says two things; the message can be
written as UTF-8. Pure; raises nothing.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from invoice_watcher.escaping import encodable
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_MAX_DEPTH = 64
_LONGEST_CODE = 5  # digits
_CODE_NAMES = frozenset({"code", "errorcode", "error_code"})
_MESSAGE_NAMES = frozenset({"message", "errormessage", "error_message", "description"})
_ERROR_NAMES = frozenset({"error", "errors", "errormessage", "error_message"})
_DENIALS = frozenset({("success", "false"), ("status", "error"), ("status", "fail"), ("status", "failed")})
_SUCCESS_CODES = frozenset({0, 200})
_SUCCESS_WORDS = frozenset({"ok", "success"})
# What a page of HTML, or a piece of one, begins with.
_PAGE_ROOTS = "html|head|body|title|meta|script|style|iframe|h[1-6]|p|div|pre|center|form|table"
_WEB_PAGE = re.compile(rf"<(?:!doctype\s+html|{_PAGE_ROOTS})\b".encode(), re.IGNORECASE)
_HEAD = 1024  # where a web page shows what it is, comments before it included

# A leaf of the answer: the case-folded name it stands under, and its text or number.
_Leaf: TypeAlias = "tuple[str, object]"


class Body(Enum):
    """What an answer's body is."""

    EMPTY = "empty"
    CLEAN = "clean"  # complete JSON or XML that holds no error
    ERROR = "error"  # complete JSON or XML that holds an error
    WEB_PAGE = "web page"  # a login page or a proxy's, never the API
    UNCLEAR = "unclear"  # anything else: cut off, plain text, garbage


class Answer(Record, frozen=True):
    """What the body said. `code` and `message` are None where it named none."""

    body: Body
    code: int | None = None
    message: str | None = None


def read_answer(raw: bytes) -> Answer:
    """Read the body of an answer, whatever its Content-Type claims."""
    try:
        raw = _as_utf8(raw)
        if not raw:
            return Answer(Body.EMPTY)
        leaves = list(_xml_leaves(raw) if raw.startswith(b"<") else _json_leaves(raw))
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        is_page = raw.startswith(b"<") and _WEB_PAGE.search(raw[:_HEAD])
        return Answer(Body.WEB_PAGE if is_page else Body.UNCLEAR)
    return _judge(leaves)


def _as_utf8(raw: bytes) -> bytes:
    """Take off the byte order mark and white space; the API's platform (.NET) also writes UTF-16."""
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raw = raw.decode("utf-16").encode()
    return raw.removeprefix(BOM_UTF8).strip()


def _judge(leaves: list[_Leaf]) -> Answer:
    codes = [_as_code(value) for name, value in leaves if name in _CODE_NAMES and _says_something(value)]
    errors = [value for name, value in leaves if name in _ERROR_NAMES and _says_something(value)]
    message = _message(leaves, errors)
    if code := next((code for code in codes if code is not None and code not in _SUCCESS_CODES), None):
        return Answer(Body.ERROR, code, message)
    # The API's errors have a code and a message; a code of another kind alone may be a currency's in a success.
    if errors or (None in codes and message) or _denied(leaves):
        return Answer(Body.ERROR, None, message)
    return Answer(Body.CLEAN, None, message)


def _message(leaves: list[_Leaf], errors: list[object]) -> str | None:
    messages = [value for name, value in leaves if name in _MESSAGE_NAMES]
    texts = (encodable(str(value)).strip() for value in (*messages, *errors) if not _is_mere_sign(value))
    return next(filter(None, texts), None)


def _denied(leaves: list[_Leaf]) -> bool:
    return any((name, str(value).strip().lower()) in _DENIALS for name, value in leaves)


def _is_mere_sign(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _says_something(value: object) -> bool:
    return str(value).strip().lower() not in {"", "none", "null", "false", "0"}


def _as_code(value: object) -> int | None:
    """A code as number or as text; None for what can be no code: longer than one, or a word for an error."""
    text = str(value).strip().lower().removesuffix(".0")
    if text in _SUCCESS_WORDS:
        return 0
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_CODE else None


def _json_leaves(raw: bytes) -> Iterator[_Leaf]:
    """Decode strictly: RFC 8259, so no NaN and nothing behind the value; then walk.

    A lone string, number or null is no answer of this API: it is told apart by having no name at all.
    """
    value = json.loads(raw.decode(), object_pairs_hook=_Members, parse_constant=_refused)
    if not isinstance(value, list):
        raise ValueError("a lone value")  # noqa: TRY004 - a type of the answer's, not of an argument
    return _walk("", value, 0)


class _Members(list["tuple[str, object]"]):
    """A JSON object, with all of a name that stands twice: the second must not hide an error in the first."""


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _walk(name: str, value: object, depth: int) -> Iterator[_Leaf]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, _Members):
        if name in _ERROR_NAMES and value:
            yield name, True
        for key, inner in value:
            yield from _walk(key.lower(), inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(name, inner, depth + 1)
    else:
        yield name, value


def _xml_leaves(raw: bytes) -> Iterator[_Leaf]:
    """Parse without entities or DTD (defusedxml); names lose their namespace, attributes count as leaves.

    What is UTF-8 is read as UTF-8, for .NET declares UTF-16 in documents that it then sends in UTF-8.
    """
    try:
        root = fromstring(raw.decode(), forbid_dtd=True)
    except UnicodeDecodeError:
        root = fromstring(raw, forbid_dtd=True)
    if re.fullmatch(_PAGE_ROOTS, _local(root.tag)):
        raise ValueError("a web page")
    return _walk_element(root)


def _walk_element(root: Element) -> Iterator[_Leaf]:
    for element in root.iter():
        name = _local(element.tag)
        if name in _ERROR_NAMES and len(element):
            yield name, True
        else:
            yield name, (element.text or "").strip()
        yield from ((_local(key), value) for key, value in element.attrib.items())


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2].lower()
