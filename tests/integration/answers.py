"""What the stand-in may be told to answer. Pure values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """What a request is answered.

    Attributes:
        delay: seconds before the answer.
        hold: wait until this is set, before the answer.
        drop: close the connection instead: "early" before the body is read, "late" after it.
        drip: seconds between the bytes of the body.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    hold: threading.Event | None = None
    drop: str = ""
    drip: float = 0.0


OK = Answer()


def refused(code: int, message: str, status: int = 400) -> Answer:
    """Return the API's error object in JSON, as its clients have seen it."""
    return Answer(status, json.dumps({"error": {"code": code, "message": message}}).encode())


def refused_in_xml(code: int, message: str, status: int = 400) -> Answer:
    """Return the same in XML."""
    body = f"<?xml version='1.0'?><InvoiceResponse><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, (body + "</InvoiceResponse>").encode(), {"Content-Type": "text/xml"})
