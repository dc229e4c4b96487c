"""The multipart body: made while it is sent, so that no second copy of a document is held.

Guarantees: exactly one part, `File` or `FileUrl` (the API document); `is_through` only after all of it was handed to
the connection. Raises OSError when the document cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests_toolbelt import MultipartEncoder

if TYPE_CHECKING:
    from invoice_watcher.validation import Document


class Body:
    """What requests reads, and sends piece by piece.

    Attributes:
        content_type: with the boundary.
        len: bytes, the frame included; the name is the one that requests looks for.
        is_through: all of it was handed to the connection, so the API may have it.
    """

    def __init__(self, document: Document) -> None:
        """Frame a document, from its beginning."""
        document.file.seek(0)
        if document.link is None:
            part = {"File": (document.invoice.sent_name, document.file, "application/octet-stream")}
            self._encoder = MultipartEncoder(part)
        else:
            self._encoder = MultipartEncoder({"FileUrl": document.link})
        self.content_type: str = self._encoder.content_type
        self.len: int = self._encoder.len
        self.is_through = False

    def read(self, size: int = -1) -> bytes:
        """Return the next piece; the empty one, which ends it, is asked for when the last has been sent."""
        piece: bytes = self._encoder.read(size)
        self.is_through = self.is_through or not piece
        return piece
