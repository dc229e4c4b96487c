"""The control socket: other commands ask the running program how things stand.

One connection, one question, one answer, each a line of JSON. `{"name": null}` asks for the standing, and
`{"name": "12345.pdf"}` for one file's as well. The socket lies in the runtime directory, under a name made of the drop
folder's path, and whoever may look into that folder by its group may ask. It only tells: nothing can be changed through
it, and no secret is known to it. Guarantees: whoever asks, and then neither writes nor reads, holds up other questions
for moments and the daemon not at all. Raises nothing where it serves; `ask` raises ControlError.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from invoice_watcher.errors import ControlError
from invoice_watcher.standing import Standing, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SYSTEM = Path("/run/invoice-watcher")
_PATIENCE = 2.0  # seconds for each part of a conversation
_LOOP_PATIENCE = 5.0  # seconds; a scan of a million files takes about so long
_LONGEST_QUESTION = 4096
_LONGEST_ANSWER = 1024 * 1024

_log = logging.getLogger(__name__)


class Ask(msgspec.Struct, frozen=True):
    """What is asked: how things stand; and how the file of this name stands, unless it is None."""

    name: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What is answered.

    Attributes:
        standing: the newest that was told.
        file: how the file stands that was asked for; None when the daemon knows of none.
        busy: the daemon did not come to look for it.
    """

    standing: Standing
    file: Waiter | None = None
    busy: bool = False


class Question:
    """A question about one file, which only the loop can answer."""

    def __init__(self, name: str) -> None:
        """Ask about the file of this name."""
        self.name = name
        self._answered = threading.Event()
        self._waiter: Waiter | None = None

    def answer(self, waiter: Waiter | None) -> None:
        """Answer it, once."""
        self._waiter = waiter
        self._answered.set()

    def wait(self, timeout: float) -> Waiter | None:
        """Return the answer; TimeoutError when none comes."""
        if not self._answered.wait(timeout):
            raise TimeoutError
        return self._waiter


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
        self._socket: socket.socket | None = None
        self._path = _path_to_serve(drop)
        if self._path is not None:
            self._socket = _listen(self._path)
        if self._socket is None:
            _log.info("no control socket: `status` and `explain` have to do without this program's own word")
            return
        threading.Thread(target=self._serve, args=(self._socket,), name="control", daemon=True).start()

    def hear(self, standing: Standing) -> None:
        """Take the newest."""
        self._standing = standing

    def close(self) -> None:
        """Listen no longer."""
        if self._socket is not None and self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            self._socket.close()
            self._socket = None

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, msgspec.MsgspecError):
                connection.settimeout(_PATIENCE)
                ask = msgspec.json.decode(_line(connection, _LONGEST_QUESTION), type=Ask)
                if (standing := self._standing) is not None:
                    connection.sendall(msgspec.json.encode(self._answer(ask, standing)) + b"\n")

    def _answer(self, ask: Ask, standing: Standing) -> Answer:
        if ask.name is None:
            return Answer(standing)
        question = Question(ask.name)
        self._post(question)
        try:
            return Answer(standing, question.wait(_LOOP_PATIENCE))
        except TimeoutError:
            return Answer(standing, busy=True)


def ask(drop: Path, name: str | None = None) -> Answer | None:
    """Ask the program that works on a drop folder; None when there is none to be asked.

    Args:
        drop: the folder.
        name: of a file in it, as `escaping.encodable` writes it.

    Raises:
        ControlError: there is one, and it may not be asked by this user, or does not answer.
    """
    for path in _places(drop):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_LOOP_PATIENCE + _PATIENCE)
            try:
                connection.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                continue
            except OSError as error:
                raise ControlError(f"{path} may not be asked: {error.strerror or 'it does not answer'}") from error
            return _conversation(connection, Ask(name), path)
    return None


def _conversation(connection: socket.socket, ask: Ask, path: Path) -> Answer:
    try:
        connection.sendall(msgspec.json.encode(ask) + b"\n")
        return msgspec.json.decode(_line(connection, _LONGEST_ANSWER), type=Answer)
    except (OSError, msgspec.MsgspecError) as error:
        raise ControlError(f"the running program does not answer at {path}") from error


def _line(connection: socket.socket, longest: int) -> bytes:
    received = b""
    while not received.endswith(b"\n") and len(received) < longest and (more := connection.recv(65536)):
        received += more
    return received


def _listen(path: Path) -> socket.socket | None:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of a program that died: the folder's lock is ours
        listening.bind(str(path))
        os.chmod(path, 0o660)
        listening.listen(16)
    except OSError:
        listening.close()
        return None
    return listening


def _places(drop: Path) -> Iterator[Path]:
    name = hashlib.sha256(os.fsencode(os.path.realpath(drop))).hexdigest()[:16] + ".sock"
    return (folder / name for folder in _folders())


def _folders() -> Iterator[Path]:
    """Yield where the socket may lie: systemd's runtime directory, the system's own, and that of this user."""
    if given := os.environ.get("RUNTIME_DIRECTORY"):  # systemd.exec(5); several are separated by colons
        yield Path(given.partition(":")[0])
    yield _SYSTEM
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(session) / "invoice-watcher"
    private = Path(f"/tmp/invoice-watcher-{os.geteuid()}")  # noqa: S108 - used only when it is nobody else's, see below
    if not private.exists() or _is_private(private):
        yield private


def _path_to_serve(drop: Path) -> Path | None:
    for path in _places(drop):
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700 if path.parent != _SYSTEM else 0o755, exist_ok=True)
            if os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
                return path
    return None


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
