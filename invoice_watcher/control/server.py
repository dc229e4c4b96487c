"""The end of the control socket that answers: a conversation with each who asks, in a thread of its own.

Guarantees: nobody is let in whom the socket's folder keeps out; one user has a bounded number of conversations, and so
have all together; each of them ends in time. Raises nothing: where no socket can be had, the log says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from invoice_watcher.control.question import Loop
from invoice_watcher.control.rendezvous import make_folder, places
from invoice_watcher.control.wire import PATIENCE, Answer, Ask, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.control.question import Question
    from invoice_watcher.standing import Standing

_PACE = 0.002  # seconds between two connections: a flood of them must not take the processor from uploads
_BREATH = 0.5  # seconds, when a connection could not be taken, for want of descriptors
_LONGEST_QUESTION = 4096
_MOST_OF_ONE = 16  # conversations with one user at once
_MOST = 64  # with all of them
_CREDENTIALS = struct.Struct("3i")  # process, user, group; unix(7), SO_PEERCRED

_log = logging.getLogger(__name__)


class Control:
    """The end that answers; hears the standing."""

    def __init__(self, drop: Path, post: Callable[[Question], None]) -> None:
        """Listen; where that cannot be had, say so in the log and do nothing.

        Args:
            drop: the drop folder, locked by this program.
            post: hands a question to the loop; must not block or raise.
        """
        self._loop = Loop(post)
        self._standing: Standing | None = None
        self._closed = threading.Event()
        self._guests: Counter[int] = Counter()
        self._counting = threading.Lock()
        self._path, self._inode, self._socket = _listen(drop)
        if self._socket is None:
            _log.info("no control socket: `status` and `explain` have to do without this program's own word")
            return
        threading.Thread(target=self._serve, args=(self._socket,), name="control", daemon=True).start()

    def hear(self, standing: Standing) -> None:
        """Take the newest."""
        self._standing = standing

    def close(self) -> None:
        """Listen no longer."""
        self._closed.set()
        self._loop.close()
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:  # else it is that of the next program by now
                os.unlink(self._path)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._socket.close()
        self._socket = None

    def _serve(self, listening: socket.socket) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                self._closed.wait(_BREATH)
            else:
                with contextlib.suppress(OSError):
                    self._welcome(connection)
                self._closed.wait(_PACE)

    def _welcome(self, connection: socket.socket) -> None:
        """Begin a conversation; one too many, by who asks, is ended at once."""
        uid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1]
        with self._counting:
            is_welcome = self._guests[uid] < _MOST_OF_ONE and self._guests.total() < _MOST
            self._guests[uid] += is_welcome
        if not is_welcome:
            connection.close()
            return
        try:
            threading.Thread(target=self._converse, args=(connection, uid), name="question", daemon=True).start()
        except RuntimeError:  # this machine has no room for a thread
            self._see_off(connection, uid)

    def _converse(self, connection: socket.socket, uid: int) -> None:
        try:
            asked = receive(connection, Ask, PATIENCE, _LONGEST_QUESTION)
            if (answer := self._answer(asked.name)) is not None:
                send(connection, answer)
        except OSError:
            pass  # who is gone, or talks nonsense, gets no answer
        finally:
            self._see_off(connection, uid)

    def _see_off(self, connection: socket.socket, uid: int) -> None:
        connection.close()
        with self._counting:
            self._guests[uid] -= 1

    def _answer(self, name: str | None) -> Answer | None:
        """Return what the loop says, or else what it told last; None when it never told anything."""
        try:
            return self._loop.ask(name)
        except TimeoutError:
            return None if self._standing is None else Answer(self._standing, busy=True)


def _listen(drop: Path) -> tuple[Path, int, socket.socket | None]:
    """Listen at the first place that can be had; returns it, its inode, and the socket: None where there is none."""
    for path in places(drop):
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            make_folder(path.parent)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # of a program that died: the folder's lock is ours
            listening.bind(str(path))
            os.chmod(path, 0o660)
            listening.listen(128)
            return path, os.stat(path).st_ino, listening
        except OSError:
            listening.close()
    return Path(), 0, None
