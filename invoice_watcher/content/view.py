"""A document's bytes, read in small pieces.

Guarantees that no more than `WINDOW` bytes are held for one search, and that each search is linear in the
size. Reading moves the document's position. What the operating system raises while reading (OSError) passes
through: that is this machine's fault, not the document's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 4096
WINDOW = 256 * 1024
# A sound PDF or ZIP archive has its end mark in here.
_TAIL = 2048
# Longer than anything that is searched for with `windows`.
_OVERLAP = 64


class View:
    """A document of `size` bytes; `head` is its first 4 KiB."""

    __slots__ = ("_document", "head", "size")

    def __init__(self, document: BinaryIO, size: int) -> None:
        self._document = document
        self.size = size
        self.head = self.at(0, HEAD)

    def at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset` on: fewer at the document's end."""
        if not 0 <= offset < self.size:
            return b""
        self._document.seek(offset)
        most = min(length, self.size - offset)
        found = self._document.read(most)
        while len(found) < most and (more := self._document.read(most - len(found))):  # read(2) may give a part (FUSE)
            found += more
        return found

    def tail(self, length: int) -> bytes:
        """Return the last `length` bytes, or all where there are fewer."""
        return self.at(max(0, self.size - length), length)

    def rfind(self, mark: bytes) -> int:
        """Return the offset of the last `mark`, or -1; a mark near the end costs one short read."""
        length, end = _TAIL, self.size
        while end > 0:
            start = max(0, end - length)
            found = self.at(start, end - start + len(mark) - 1).rfind(mark)
            if found >= 0:
                return start + found
            length, end = WINDOW, start
        return -1

    def windows(self, start: int) -> Iterator[bytes]:
        """Yield all bytes from `start` on, each window with the first 64 bytes of the next one."""
        for offset in range(start, self.size, WINDOW):
            yield self.at(offset, WINDOW + _OVERLAP)
