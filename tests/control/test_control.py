"""The control socket: whoever may ask gets an answer, whatever others do to it; whatever answers, nothing breaks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from invoice_watcher.control import Control, Question, ask
from invoice_watcher.control.rendezvous import places
from invoice_watcher.errors import ControlError, ExitStatus
from tests.integration.program import until
from tests.support.children import NOBODY, in_child, needs_root
from tests.support.standings import standing, waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30.0


@pytest.fixture
def drop(tmp_path: Path, runtime: Path) -> Path:
    """Give a drop folder."""
    return tmp_path


class Loop:
    """A daemon's loop that knows of one file."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.waiting = 3
        self.is_hanging = False

    def post(self, question: Question) -> None:
        """Answer at once, or never."""
        self.asked.append(question.name)
        if not self.is_hanging:
            known = waiter("12345.pdf") if question.name == "12345.pdf" else None
            question.answer(standing(waiting=self.waiting), known)


@pytest.fixture
def loop() -> Loop:
    """Give one that answers."""
    return Loop()


@pytest.fixture
def control(drop: Path, loop: Loop) -> Iterator[Control]:
    """Serve, with something to tell."""
    control = Control(drop, loop.post)
    control.hear(standing(waiting=3))
    yield control
    control.close()


def connected(drop: Path) -> socket.socket:
    """Connect as a stranger would, with no manners."""
    connection = socket.socket(socket.AF_UNIX)
    until(lambda: connection.connect_ex(str(next(places(drop)))) == 0, "a connection")
    connection.settimeout(PATIENCE)
    return connection


def received(connection: socket.socket) -> bytes:
    """Return all that comes, to the end."""
    raw = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            raw += more
    return raw


def waiting_for(drop: Path) -> int:
    """Ask, and return how many files wait."""
    answer = ask(drop)
    assert answer is not None
    return answer.standing.waiting


def test_how_things_stand(drop: Path, control: Control, loop: Loop) -> None:
    """`status` is told how things stand in this moment, whatever was told before."""
    assert waiting_for(drop) == 3
    loop.waiting = 4
    assert waiting_for(drop) == 4


@pytest.mark.parametrize("name", ["12345.pdf", "nothing.pdf"])
def test_how_one_file_stands(drop: Path, control: Control, loop: Loop, name: str) -> None:
    """`explain` is told of the one file it asks about; of one that is not known, nothing."""
    answer = ask(drop, name)
    assert answer is not None
    assert (answer.file and answer.file.name, answer.busy) == ("12345.pdf" if name == "12345.pdf" else None, False)
    assert loop.asked == [name]


def test_nobody_is_there(drop: Path) -> None:
    """Without a running program there is no answer, and no error."""
    assert ask(drop) is None


def test_a_program_that_was_killed(drop: Path, control: Control, loop: Loop) -> None:
    """The socket of a program that died answers nobody, and is in nobody's way: the next program takes its place."""
    path = next(places(drop))
    control.close()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert ask(drop) is None
    control, loop.waiting = Control(drop, loop.post), 7
    assert waiting_for(drop) == 7
    control.close()
    assert ask(drop) is None
    assert not path.exists()


def test_the_next_program_keeps_its_socket(drop: Path, control: Control, loop: Loop) -> None:
    """A program that ends late does not take the socket of the next one with it."""
    successor, loop.waiting = Control(drop, loop.post), 8
    control.close()
    assert waiting_for(drop) == 8
    successor.close()


def test_a_program_that_has_only_just_begun(drop: Path, loop: Loop) -> None:
    """Who asks before there is anything to tell is told as soon as there is."""
    questions: list[Question] = []
    control = Control(drop, questions.append)
    asking = threading.Thread(target=lambda: found.append(waiting_for(drop)))
    found: list[int] = []
    asking.start()
    until(lambda: questions, "the question")
    questions[0].answer(standing(waiting=5), None)
    asking.join(PATIENCE)
    assert found == [5]
    control.close()


@pytest.mark.slow
def test_a_loop_that_hangs(drop: Path, control: Control, loop: Loop) -> None:
    """Where the loop does not come to look, the rest is told all the same, and that it did not."""
    loop.is_hanging = True
    answer = ask(drop, "12345.pdf")
    assert answer is not None
    assert (answer.standing.waiting, answer.file, answer.busy) == (3, None, True)


@pytest.mark.slow
def test_the_loop_gets_one_question_at_a_time(drop: Path, control: Control, loop: Loop) -> None:
    """However many ask about files, the loop has one question to answer, and uploads go on."""
    loop.is_hanging = True
    threads = [threading.Thread(target=ask, args=(drop, f"{number}.pdf")) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(loop.asked) == 1


@pytest.mark.slow
def test_questions_that_take_the_loop_long(drop: Path) -> None:
    """Where an answer takes the loop long, for very much waits, there is time for uploads before the next one."""
    times: list[float] = []

    def post(question: Question) -> None:
        times.append(time.monotonic())
        threading.Event().wait(0.1)  # as long as it takes
        times.append(time.monotonic())
        question.answer(standing(), None)

    control = Control(drop, post)
    waiting_for(drop), waiting_for(drop)
    control.close()
    assert times[2] - times[1] >= 0.4


@pytest.mark.slow
def test_a_flood_of_connections(drop: Path, control: Control) -> None:
    """Whoever connects again and again is let in so often, and not as often as the processor can do it."""
    began = time.monotonic()
    for _ in range(300):
        with connected(drop) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert received(connection) == b""
    assert time.monotonic() - began >= 0.5


NONSENSE = [
    b"\n",
    b"nonsense\n",
    b"[]\n",
    b'{"name": 1}\n',
    b'{"name": "\\ud800"}\n',
    b"[" * 4000 + b"\n",
    b'{"name": "' + b"x" * 4100,
    b"\xff\xfe\n",
]


@pytest.mark.parametrize("question", NONSENSE)
def test_nonsense_is_not_answered(drop: Path, control: Control, question: bytes) -> None:
    """Whoever sends no question gets no answer, and the next one gets theirs."""
    with connected(drop) as connection:
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(question)
        assert received(connection) == b""
    assert waiting_for(drop) == 3


def test_two_questions_at_once(drop: Path, control: Control) -> None:
    """A conversation is one question, and one answer at most: what follows the question is not answered."""
    with connected(drop) as connection:
        connection.sendall(b'{"name": null}\n' * 2)
        assert len(received(connection).splitlines()) <= 1
    assert waiting_for(drop) == 3


@pytest.mark.slow
def test_silent_guests(drop: Path, control: Control) -> None:
    """Of a hundred that connect and say nothing each is shown the door, and the next question is answered."""
    silent = [connected(drop) for _ in range(100)]
    for connection in silent:
        assert received(connection) == b""
        connection.close()
    assert waiting_for(drop) == 3


@needs_root
def test_the_silent_guests_of_another_user(
    drop: Path, runtime: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One user who keeps all conversations that he is given does not keep root from asking, not even for moments."""
    monkeypatch.setattr("invoice_watcher.control.server.PATIENCE", 20.0)
    runtime.chmod(0o755)
    path = next(places(drop))
    path.chmod(0o666)
    end_reading, end = os.pipe()
    ready, tell_ready = os.pipe()

    def crowd() -> None:
        guests = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        for guest in guests:
            guest.connect(str(path))
        os.write(tell_ready, b"x")
        os.read(end_reading, 1)

    thread = threading.Thread(target=lambda: in_child(crowd, uid=NOBODY))
    thread.start()
    os.read(ready, 1)
    began = time.monotonic()
    assert waiting_for(drop) == 3
    took = time.monotonic() - began
    os.write(end, b"x")
    thread.join(PATIENCE)
    for descriptor in (end_reading, end, ready, tell_ready):
        os.close(descriptor)
    assert took < 10, "waited for those who are silent"


@needs_root
def test_who_may_not_ask(drop: Path, runtime: Path, control: Control) -> None:
    """Somebody who is neither root nor in the service's group is told so."""
    runtime.chmod(0o755)
    Path(drop).chmod(0o755)

    def refused() -> str:
        try:
            return str(ask(drop))
        except ControlError as error:
            return str(error)

    assert "may not be asked by this user" in in_child(refused, uid=NOBODY)
    os.chown(next(places(drop)), 0, 4242)
    assert "waiting=3" in in_child(refused, uid=NOBODY, groups=[4242])


@contextlib.contextmanager
def stranger(drop: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve something else at the place of the socket, for one connection."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(next(places(drop))))
    listening.listen()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join(PATIENCE)
    listening.close()


ODD_ANSWERS = [
    b"",
    b"\n",
    b"{}\n",
    b"null\n",
    b'{"standing": 1}\n',
    b"\xff\n",
    b"[" * 100_000 + b"\n",
    b'{"standing": {"pid": "x", "drop_dir": [], "started_at": 1, "as_of": null}}\n',
    b" " * (5 * 1024 * 1024),
]


@pytest.mark.parametrize("raw", ODD_ANSWERS, ids=lambda raw: repr(raw[:20]))
def test_odd_answers(drop: Path, raw: bytes) -> None:
    """Whatever answers, however much: one sentence that the program does not answer, and status 75."""
    with stranger(drop, lambda connection: connection.sendall(raw)), pytest.raises(ControlError) as caught:
        ask(drop)
    assert "does not answer" in str(caught.value)
    assert caught.value.exit_status == ExitStatus.WAITING


@pytest.mark.slow
def test_an_answer_that_never_ends(drop: Path) -> None:
    """Something that sends a byte now and then is given up, however long it would go on."""

    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    with stranger(drop, drip), pytest.raises(ControlError, match="does not answer"):
        ask(drop)


def test_a_newer_program(drop: Path) -> None:
    """A program of a later version tells more than this one knows: what is known of it is shown."""
    told = json.loads(msgspec.json.encode(standing(waiting=9)))
    raw = json.dumps({"standing": {**told, "mood": "good"}, "more": [1]}).encode() + b"\n"
    with stranger(drop, lambda connection: connection.sendall(raw)):
        assert waiting_for(drop) == 9


@needs_root
def test_no_place_for_a_socket(drop: Path, monkeypatch: pytest.MonkeyPatch, loop: Loop) -> None:
    """Where no socket can be had, because somebody else was quicker in /tmp, the program works without one."""
    stranger = 100_000 + os.getpid()  # nobody's; the folder's name is made of it
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/proc/nowhere")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    taken = Path(f"/tmp/invoice-watcher-{stranger}")  # noqa: S108 - the very name
    taken.mkdir()

    def serve() -> bool:
        control = Control(drop, loop.post)
        control.hear(standing())
        with contextlib.suppress(ControlError):  # where the system's own directory is shut
            assert ask(drop) is None
        control.close()
        return True

    try:
        assert in_child(serve, uid=stranger)
        assert list(taken.iterdir()) == []
    finally:
        taken.rmdir()
