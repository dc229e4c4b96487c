"""The end of the control socket that asks: it finds the program that works on a drop folder, and has one answer of it.

Raises ControlError, whatever the other side does or says, and whoever that is.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from invoice_watcher.control.rendezvous import places, places_of_instances
from invoice_watcher.control.wire import LOOP_PATIENCE, PATIENCE, Answer, Ask, receive, send
from invoice_watcher.errors import ControlError

if TYPE_CHECKING:
    from pathlib import Path

_QUEUEING = 0.02  # seconds between two tries to be let in
_NOBODY = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)  # connect(2): none listens there


def ask(drop: Path, name: str | None = None) -> Answer | None:
    """Ask the program that works on a drop folder; None when there is none to be asked.

    Args:
        drop: the folder.
        name: of a file in it, as `escaping.encodable` writes it.

    Raises:
        ControlError: there is one, and it does not answer; or none was found, and where it might be this user may
            not look.
    """
    shut: ControlError | None = None
    for path in (*places(drop), *places_of_instances(drop)):
        try:
            return _ask_at(path, Ask(name))
        except _NOBODY:
            continue
        except PermissionError as error:
            shut = ControlError(f"{path} may not be asked by this user")
            shut.__cause__ = error
    if shut is not None:
        raise shut
    return None


def _ask_at(path: Path, question: Ask) -> Answer:
    """Ask who listens at a place; where nobody does, or this user may not, the error of connect(2) says so."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            _connect(connection, path)
            send(connection, question)
            return receive(connection, Answer, LOOP_PATIENCE + PATIENCE)
        except (*_NOBODY, PermissionError):
            raise
        except OSError as error:
            raise ControlError(f"the running program does not answer at {path}") from error


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect; where too many others are before us, wait a little: the kernel refuses instead of doing so (unix(7))."""
    connection.settimeout(PATIENCE)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return connection.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(_QUEUEING)
