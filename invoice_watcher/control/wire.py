"""What is said over the control socket: a question and its answer, each a line of JSON.

Guarantees: what the other side says is read to a bound, and takes no longer as a whole than the caller has patience.
Raises OSError, of which TimeoutError is one: the other side is gone, is slow, or said what is no message.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from invoice_watcher.standing import Standing, Waiter

if TYPE_CHECKING:
    import socket

PATIENCE = 2.0  # seconds for each part of a conversation
LOOP_PATIENCE = 5.0  # seconds more for an answer; a scan of a million files takes about so long
_LONGEST = 4 * 1024 * 1024  # bytes; a hundred files, with names and messages of nothing but escapes


class Ask(msgspec.Struct, frozen=True):
    """What is asked: how things stand; and how the file of this name stands, unless it is None."""

    name: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What is answered.

    Attributes:
        standing: how things stand; where `busy`, as the daemon told it last.
        file: how the file stands that was asked for; None when the daemon knows of none.
        busy: the daemon did not come to answer.
    """

    standing: Standing
    file: Waiter | None = None
    busy: bool = False


Message = TypeVar("Message", Ask, Answer)


def send(connection: socket.socket, message: Ask | Answer) -> None:
    """Send a message; raises OSError."""
    connection.settimeout(PATIENCE)
    connection.sendall(msgspec.json.encode(message) + b"\n")


def receive(connection: socket.socket, kind: type[Message], patience: float, longest: int = _LONGEST) -> Message:
    """Return the next message; raises OSError.

    Args:
        connection: a connected socket.
        kind: the message that is due.
        patience: seconds for all of it.
        longest: bytes that are read at most.
    """
    line = _line(connection, longest, patience)
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectionError("what was said is no message") from error


def _line(connection: socket.socket, longest: int, patience: float) -> bytes:
    """Return what is received up to a line's end, or all there is; TimeoutError when it takes too long as a whole."""
    received, end = bytearray(), time.monotonic() + patience
    while not received.endswith(b"\n") and len(received) < longest:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        more = connection.recv(65536)
        if not more:
            break
        received += more
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(received)
