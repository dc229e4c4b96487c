"""What web services and mail servers answer, as far as anybody reads it.

requests and smtplib take in an answer whole, and no timeout ends one that goes on and on: memory would, and with it the
program. Guarantees: beyond 1 MiB, or 30 seconds, the rest of a web service's answer is left unread, and what came until
then is the answer; a mail server that says more than 1 MiB is hung up on. Raises what the two raise.
"""

from __future__ import annotations

import smtplib
import time
from contextlib import closing, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

from requests import sessions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from typing import BinaryIO

    from requests import PreparedRequest, Response

_LARGEST = 1024 * 1024
_LONGEST = 30.0  # seconds
_CHUNK = 8 * 1024


def bound() -> None:
    """Let all sessions of requests and smtplib that begin from now on be so bounded; the uploader has neither.

    apprise's plugins make theirs by these names, and cannot be given others. To be called once.
    """
    sessions.HTTPAdapter = _Brief
    whole = smtplib.SMTP.getreply

    def reply(self: smtplib.SMTP) -> tuple[int, bytes]:
        if self.file is None:  # as `getreply` does, for a new connection, and when TLS has begun
            self.file = _Lines(self.sock.makefile("rb"))  # type: ignore[union-attr,unused-ignore]  # it is connected
        return whole(self)

    smtplib.SMTP.getreply = reply  # type: ignore[method-assign]


class _Brief(HTTPAdapter):
    """Hands on the beginning of a body in the place of the connection."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - passed on
        response = super().send(request, *args, **kwargs)
        with closing(response.raw) as raw:
            response.raw = BytesIO(_beginning(raw))
        return response


def _beginning(raw: Any) -> bytes:  # noqa: ANN401 - urllib3's, for which requests has no type
    body, end = bytearray(), time.monotonic() + _LONGEST
    with suppress(HTTPError):  # it broke off: the status and what came is what there is
        while len(body) < _LARGEST and time.monotonic() < end:
            if not (piece := raw.read1(_CHUNK, decode_content=True)):
                break
            body += piece
    return bytes(body)


class _Lines:
    """The lines of one connection to a mail server."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _LARGEST

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("it never stops talking")  # which smtplib takes for a connection that broke
        return line

    def close(self) -> None:
        self._file.close()
