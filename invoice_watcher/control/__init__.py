"""The control socket: other commands ask the running program how things stand.

One connection, one question, one answer, each a line of JSON. `{"name": null}` asks for the standing, and
`{"name": "12345.pdf"}` for one file's as well. The socket lies in the runtime directory, under a name made of the drop
folder's path, and whoever may look into that folder by its group may ask. It only tells: nothing can be changed through
it, and no secret is known to it. Guarantees: whoever asks, and then neither writes nor reads, holds up the daemon not
at all, and other users' questions neither; all questions together are at most one message at a time for the loop, and
twenty a second, or fewer where so much waits that an answer takes long. Raises nothing where it serves; `ask` raises
ControlError, whatever is answered.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from invoice_watcher.control.rendezvous import make_folder, places, places_of_instances
from invoice_watcher.errors import ControlError
from invoice_watcher.standing import Standing, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 2.0  # seconds for each part of a conversation
_SPACING = 0.05  # seconds between two questions to the loop
_LOOP_PATIENCE = 5.0  # seconds; a scan of a million files takes about so long
_REST = 4  # times as long as an answer took, until the next question to the loop;
_LONGEST_REST = 1.0  # but not more seconds, for who asks is a person
_PACE = 0.002  # seconds between two connections: a flood of them must not take the processor from uploads
_BREATH = 0.5  # seconds, when a connection could not be taken, for want of descriptors
_QUEUEING = 0.02  # seconds between two tries to be let in
_LONGEST_QUESTION = 4096
_LONGEST_ANSWER = 4 * 1024 * 1024  # a hundred files, with names and messages of nothing but escapes
_MOST_OF_ONE = 16  # conversations with one user at once
_MOST = 64  # with all of them
_CREDENTIALS = struct.Struct("3i")  # process, user, group; unix(7), SO_PEERCRED
_NONSENSE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_log = logging.getLogger(__name__)


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


class Question:
    """A question, which only the loop can answer."""

    def __init__(self, name: str | None) -> None:
        """Ask how things stand, and about the file of this name, unless it is None."""
        self.name = name
        self._answered = threading.Event()
        self._answer: Answer | None = None

    def answer(self, standing: Standing, waiter: Waiter | None) -> None:
        """Answer it, once."""
        self._answer = Answer(standing, waiter)
        self._answered.set()

    def wait(self, timeout: float) -> Answer:
        """Return the answer; TimeoutError when none comes."""
        if not self._answered.wait(timeout) or self._answer is None:
            raise TimeoutError
        return self._answer


class Control:
    """The end that answers; hears the standing."""

    def __init__(self, drop: Path, post: Callable[[Question], None]) -> None:
        """Listen; where that cannot be had, say so in the log and do nothing.

        Args:
            drop: the drop folder, locked by this program.
            post: hands a question to the loop; must not block or raise.
        """
        self._post = post
        self._standing: Standing | None = None
        self._closed = threading.Event()
        self._loops_turn = threading.Lock()
        self._asked: Question | None = None  # the last one
        self._not_before = float("-inf")  # the next one
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
            ask = msgspec.json.decode(_line(connection, _LONGEST_QUESTION, _PATIENCE), type=Ask)
            if (answer := self._answer(ask.name)) is not None:
                connection.settimeout(_PATIENCE)
                connection.sendall(msgspec.json.encode(answer) + b"\n")
        except (OSError, *_NONSENSE):
            pass
        finally:
            self._see_off(connection, uid)

    def _see_off(self, connection: socket.socket, uid: int) -> None:
        connection.close()
        with self._counting:
            self._guests[uid] -= 1

    def _answer(self, name: str | None) -> Answer | None:
        """Return what the loop says, or else what it told last; None when it never told anything."""
        end = time.monotonic() + _LOOP_PATIENCE
        if self._loops_turn.acquire(timeout=_LOOP_PATIENCE):
            try:
                return self._answer_of_loop(name, end)
            except TimeoutError:
                pass
            finally:
                self._loops_turn.release()
        return None if self._standing is None else Answer(self._standing, busy=True)

    def _answer_of_loop(self, name: str | None, end: float) -> Answer:
        """Ask the loop, once it has answered the question before; TimeoutError when that is not so by `end`."""
        if self._asked is not None:
            self._asked.wait(max(0.0, end - time.monotonic()))
        self._closed.wait(max(0.0, self._not_before - time.monotonic()))
        self._asked, asked_at = Question(name), time.monotonic()
        self._post(self._asked)
        try:
            return self._asked.wait(max(0.0, end - time.monotonic()))
        finally:
            now = time.monotonic()
            self._not_before = now + min(max(_REST * (now - asked_at), _SPACING), _LONGEST_REST)


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
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                _connect(connection, path)
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                continue
            except PermissionError as error:
                shut = ControlError(f"{path} may not be asked by this user")
                shut.__cause__ = error
                continue
            except OSError as error:
                raise ControlError(f"the running program does not answer at {path}") from error
            return _conversation(connection, Ask(name), path)
    if shut is not None:
        raise shut
    return None


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect; where too many others are before us, wait a little: the kernel refuses instead of doing so (unix(7))."""
    connection.settimeout(_PATIENCE)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return connection.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(_QUEUEING)


def _conversation(connection: socket.socket, ask: Ask, path: Path) -> Answer:
    try:
        connection.sendall(msgspec.json.encode(ask) + b"\n")
        raw = _line(connection, _LONGEST_ANSWER, _LOOP_PATIENCE + _PATIENCE)
        return msgspec.json.decode(raw, type=Answer)
    except (OSError, *_NONSENSE) as error:
        raise ControlError(f"the running program does not answer at {path}") from error


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
