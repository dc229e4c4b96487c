"""An answer as the bytes the API would send: JSON or XML, as the client accepts.

Pure; raises nothing. The shapes are those that clients of the service have seen: `{"error": {"code": ...,
"message": ...}}` in JSON, `<InvoiceResponse>` with `Code` and `Message` in XML. The body of a success is not
documented; here it is the same object with nothing in it.
"""

from __future__ import annotations

import json
from html import escape as escape_markup
from http import HTTPStatus
from typing import NamedTuple

from invoice_watcher.outcome import API_CODES
from invoice_watcher.sandbox.rules import Answer, Shape

XML = "text/xml"
# The API document's four, its default first.
MEDIA_TYPES = (XML, "application/xml", "application/json", "text/json")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PAGE = """<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body>
<form method="post" action="/login"><input name="user"><input name="password" type="password"></form>
</body>
</html>
"""


class Rendered(NamedTuple):
    """An answer ready to be sent; `headers` are those besides Content-Length."""

    status: int
    headers: dict[str, str]
    body: str


def rendered(answer: Answer, media_type: str) -> Rendered:
    """Return `answer`, which is not a dropped connection, in `media_type`, one of MEDIA_TYPES."""
    status = answer.status or 0
    kind, body = _body(answer, media_type)
    headers = {"Content-Type": f"{kind}; charset=utf-8"}
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    if status in _REDIRECTS:
        headers["Location"] = "/login"
    return Rendered(status, headers, body)


def summary(answer: Answer) -> str:
    """Return `answer` in a few words for the access log."""
    if answer.status is None:
        return "closed without an answer"
    if answer.code is None:
        return str(answer.status)
    return f"{answer.status} code {answer.code} {API_CODES[answer.code].message}"


def _body(answer: Answer, media_type: str) -> tuple[str, str]:
    if answer.shape is Shape.PAGE:
        return "text/html", _PAGE
    if answer.shape is Shape.BARE:
        return "text/plain", f"{answer.status} {_phrase(answer.status or 0)}\n"
    in_words = _xml if media_type.endswith("xml") else _json
    return media_type, in_words(answer.code)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _json(code: int | None) -> str:
    return json.dumps({} if code is None else {"error": {"code": code, "message": API_CODES[code].message}})


def _xml(code: int | None) -> str:
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    if code is None:
        return f"{declaration}<InvoiceResponse />"
    message = escape_markup(API_CODES[code].message, quote=False)
    return f"{declaration}<InvoiceResponse><Code>{code}</Code><Message>{message}</Message></InvoiceResponse>"
