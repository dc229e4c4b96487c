"""Standard output and standard error that cannot harm the work: full, closed, or with nobody at the other end.

What cannot be written is dropped, and remembered; so a printed line decides neither what becomes of an invoice nor
the exit status, and Python has nothing to complain of when it flushes at the end. Guarantees, from `protect` on:
writing to `sys.stdout` and `sys.stderr` raises no OSError, a character that the encoding lacks is shown as an escape,
and the descriptors 0 to 2 are taken, so that no document can ever be opened as one of them. Raises nothing.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

# A reader that has seen enough, as in `| head`, goes away: that is no fault.
_NO_FAULT = errno.EPIPE


class Stream(FileIO):
    """A standard stream that takes whatever is written.

    Attributes:
        fault: why something was not written, the first time; None when all was.
    """

    fault: OSError | None = None

    def write(self, content: ReadableBuffer) -> int:
        """Write what can be written; tell the caller that it was all."""
        size = memoryview(content).nbytes
        try:
            while (written := super().write(content)) is None:  # another program has made it non-blocking
                _wait_for_room(self.fileno())
        except OSError as error:
            self.fault = self.fault or error
            return size
        return written


def protect() -> None:
    """Replace both streams; to be called once, before anything is printed and before any file stays open."""
    for descriptor in (0, 1, 2):
        _take(descriptor)
    sys.stdout = _text_on(1, sys.stdout)
    sys.stderr = _text_on(2, sys.stderr)


def unprinted() -> str | None:
    """Return why standard output lacks something, in the system's words, and forget it; None when nobody misses it."""
    stream = sys.stdout.buffer.raw  # type: ignore[union-attr]  # a Stream, since `protect`
    fault, stream.fault = stream.fault, None
    return fault.strerror if fault and fault.errno != _NO_FAULT else None


def _take(descriptor: int) -> None:
    """Open something in the place of a standard stream that was closed; writing to it fails as it did before."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free


def _text_on(descriptor: int, before: TextIO | None) -> TextIOWrapper:
    encoding = before.encoding if before else "utf-8"
    binary = BufferedWriter(Stream(descriptor, "w", closefd=False))
    return TextIOWrapper(binary, encoding, errors="backslashreplace", line_buffering=True)


def _wait_for_room(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
