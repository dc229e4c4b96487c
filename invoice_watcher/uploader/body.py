"""The multipart body: of a document in memory at once, of one in a file while it is sent.

Guarantees: no second copy is held but of a document in memory, which has 1 MiB at most; exactly one part, `File` or
`FileUrl` (the API document), or neither where there is no document; no byte more than was announced, though the file
grows meanwhile; `is_through` only after all of it was handed to the connection. Raises UnreadableCopyError, or OSError
before anything is sent, when the document cannot be read, or has become shorter: this machine's fault, nobody else's.
"""

from __future__ import annotations

import errno
import secrets
from hashlib import blake2b
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any

from urllib3.filepost import encode_multipart_formdata

if TYPE_CHECKING:
    from typing import BinaryIO

    from invoice_watcher.validation import Document

_TYPE = "application/octet-stream"  # as in the example of the API document
# Who writes a document must not be able to guess its boundary; asked of the kernel once, not for each.
_KEY = secrets.token_bytes(32)
_serial = count()
_NO_DOCUMENT = {"Check": ""}  # a form of no parts at all would be malformed (RFC 2046 section 5.1.1)


class UnreadableCopyError(Exception):
    """What is being sent cannot be read on; no OSError, which urllib3 would take for one of the network."""


class Body:
    """What requests reads, and sends piece by piece.

    Attributes:
        content_type: with the boundary.
        len: bytes, the frame included; the name is the one that requests looks for.
        is_through: all of it was handed to the connection, so the API may have it.
    """

    def __init__(self, document: Document | None) -> None:
        """Frame a document, from its beginning; None frames a form without one."""
        self.is_through = False
        if document is None:
            self._frame(_NO_DOCUMENT)
            return
        name, file = document.invoice.sent_name, document.file
        if document.link is not None:
            self._frame({"FileUrl": document.link})
        elif isinstance(file, BytesIO):
            self._frame({"File": (name, file.getvalue(), _TYPE)})
        else:
            self._frame({"File": (name, b"", _TYPE)}, _Part(file, document.size))

    def _frame(self, part: dict[str, Any], file: _Part | None = None) -> None:
        """Frame one part; with a file, it stands where the part ends."""
        boundary = _boundary()
        whole, self.content_type = encode_multipart_formdata(part, boundary)
        self.len = len(whole)
        self._pieces: list[BytesIO | _Part] = [BytesIO(whole)]
        if file is not None:
            tail = f"\r\n--{boundary}--\r\n".encode()  # RFC 2046 section 5.1.1
            self.len += file.left
            self._pieces = [BytesIO(whole.removesuffix(tail)), file, BytesIO(tail)]

    def read(self, size: int = -1) -> bytes:
        """Return the next piece; the empty one, which ends it, is asked for when the last has been sent."""
        while self._pieces:
            if piece := self._pieces[0].read(size):
                return piece
            self._pieces.pop(0)
        self.is_through = True
        return b""


class _Part:
    """The bytes of a file that were announced, from its beginning: whoever sends by hand may still write to it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.left = file, size
        file.seek(0)

    def read(self, size: int) -> bytes:
        if not self.left:
            return b""
        piece = self._read(self.left if size < 0 else min(size, self.left))
        self.left -= len(piece)
        return piece

    def _read(self, size: int) -> bytes:
        try:
            piece = self._file.read(size)
        except OSError as error:
            raise UnreadableCopyError(*error.args) from error
        if not piece:
            raise UnreadableCopyError(errno.EIO, "it became shorter while it was being sent")
        return piece


def _boundary() -> str:
    return blake2b(next(_serial).to_bytes(8, "big"), key=_KEY, digest_size=16).hexdigest()
