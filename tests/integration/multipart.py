"""Reads a multipart/form-data body the hard way: whatever RFC 7578 and RFC 2046 do not allow is a ValueError.

A server that forgives would hide what the client does wrong. Pure; raises ValueError, whose fault is the client's.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import cached_property

_HEADERS = BytesHeaderParser()


@dataclass(frozen=True)
class Part:
    """One part of a body; `file_name` is None for a plain field."""

    name: str
    file_name: str | None
    content_type: str | None
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """The content's digest, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def parts_of(content_type: str, body: bytes) -> tuple[Part, ...]:
    """Return the parts of a body.

    Args:
        content_type: the request's header.
        body: all of it.

    Raises:
        ValueError: it is not framed exactly as it has to be.
    """
    media = _HEADERS.parsebytes(b"Content-Type: " + content_type.encode("ascii") + b"\r\n\r\n")
    boundary = media.get_boundary()
    if media.get_content_type() != "multipart/form-data" or not boundary:
        raise ValueError(f"not multipart/form-data with a boundary: {content_type}")
    mark = b"--" + boundary.encode("ascii")
    first, *middle, last = (b"\r\n" + body).split(b"\r\n" + mark)
    if first or last not in {b"--", b"--\r\n"} or not middle:
        raise ValueError("the body does not begin and end with its boundary")
    return tuple(_part(piece) for piece in middle)


def _part(piece: bytes) -> Part:
    if not piece.startswith(b"\r\n") or b"\r\n\r\n" not in piece:
        raise ValueError("a part without its headers")
    head, _, content = piece[2:].partition(b"\r\n\r\n")
    headers = _HEADERS.parsebytes(head + b"\r\n\r\n")
    if headers.get_content_disposition() != "form-data":
        raise ValueError("a part that is no form-data")
    name, file_name = (_parameter(head, name) for name in (b"name", b"filename"))
    if name is None:
        raise ValueError("a part without a name")
    content_type = headers["content-type"]
    return Part(name, file_name, None if content_type is None else str(content_type), content)


def _parameter(head: bytes, name: bytes) -> str | None:
    """Return a quoted parameter of Content-Disposition: raw UTF-8, for RFC 7578 (4.2) forbids `filename*`."""
    found = re.findall(rb"(?im)^content-disposition:.*; *" + name + rb'="([^"]*)"', head)
    if len(found) > 1 or b"*=" in head:
        raise ValueError("a parameter that is there twice, or in the encoding that is forbidden here")
    return bytes(found[0]).decode() if found else None
