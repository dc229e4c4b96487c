"""A stand-in for the API that has moods, and remembers what each document was answered.

A mood is how the API as a whole is at the moment; while it is well, single orders may be refused or ailing. The history
is what the machine's promises are judged by. Guarantees: while connections are refused, the port stays this one's.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.answers import OK, Answer, refused
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from tests.integration.stand_in import Request

FINE = "fine"
REFUSING = "refusing connections"
HOLDING = "holding its answers back"
_PAGE = {"Content-Type": "text/html"}
MOODS = {
    "500": Answer(500, b"oops"),
    "503": Answer(503, b""),
    "503, call in a second": Answer(503, b"", {"Retry-After": "1"}),
    "504": Answer(504, b""),
    "401": Answer(401, b""),
    "302": Answer(302, b"", {"Location": "/elsewhere"}),
    "resetting before the body": Answer(drop="early"),
    "resetting after the body": Answer(drop="late"),
    "showing a web page": Answer(200, b"<!DOCTYPE html><html><body>Welcome</body></html>", _PAGE),
    "talking nonsense": Answer(200, b"\x00\x01 nonsense"),
    HOLDING: OK,
    REFUSING: OK,
}
WHIMS = {
    "refused 103": refused(103, "Order is already shipped or cancelled"),
    "refused 101": refused(101, "Wrong API code"),
    "refused 413": Answer(413, b""),
    "refused 400": Answer(400, b""),
    "ailing 105": refused(105, "Document cannot be downloaded or timeout"),
    "ailing 500": Answer(500, b"oops"),
}


class Meaning(Enum):
    """What an answer says of its document."""

    TAKEN = auto()
    REFUSED = auto()
    DOUBTED = auto()  # 101: refused, or the configuration's fault
    AILING = auto()
    UNKNOWN = auto()  # the API may have taken it
    NOT_NOW = auto()


class Reply(NamedTuple):
    """One document that arrived whole, and what it was answered."""

    order: str
    content: bytes
    answer: Answer
    is_whim: bool

    @property
    def meaning(self) -> Meaning:
        """What the answer says of the document."""
        if self.answer.hold or self.answer.drop or self.answer.status == 504:
            return Meaning.UNKNOWN
        if self.answer.status == 200:
            return Meaning.TAKEN if self.answer.body == OK.body else Meaning.UNKNOWN
        if self.answer == WHIMS["refused 101"]:
            return Meaning.DOUBTED
        if self.is_whim:
            return Meaning.AILING if self.answer in (WHIMS["ailing 105"], WHIMS["ailing 500"]) else Meaning.REFUSED
        return Meaning.NOT_NOW

    @property
    def may_be_taken(self) -> bool:
        """Whether the API may have taken the document."""
        return self.meaning in {Meaning.TAKEN, Meaning.UNKNOWN}


class MoodyApi(StandIn):
    """The server, its mood, its whims, and its history."""

    def __init__(self) -> None:
        super().__init__(listening=False)
        self._whims: dict[str, Answer] = {}
        self._answer = OK
        self._release = threading.Event()
        self._here = threading.local()
        self.mood, self.turns = FINE, 0
        self.history: list[Reply] = []
        # Two sockets share the port; one of them never listens, and keeps it while the other is closed.
        self._keeper = _bound(0)
        self._server.socket.close()
        self._server.server_address = self._keeper.getsockname()
        self._open_door()

    def turn(self, mood: str) -> None:
        """Be in another mood from now on; what was held back is answered."""
        if REFUSING in {mood, self.mood} and mood != self.mood:
            (self._shut_door if mood == REFUSING else self._open_door)()
        self._release.set()
        self._release = threading.Event()
        answer = MOODS.get(mood, OK)
        self._answer = replace(answer, hold=self._release) if mood == HOLDING else answer
        self.mood, self.turns = mood, self.turns + (mood != FINE)

    def take_against(self, order: str, whim: str) -> None:
        """Answer one order so while the mood is good."""
        self._whims[order] = WHIMS[whim]

    def forgive(self) -> None:
        """Be well, to every order."""
        self._whims = {}
        if self.mood != FINE:
            self.turn(FINE)

    def next_answer(self, order_id: str) -> Answer:
        """Return what the next request for an order is answered."""
        whim = self._whims.get(order_id) if self.mood == FINE else None
        self._here.answer, self._here.is_whim = whim or self._answer, whim is not None
        return whim or self._answer

    def arrived(self, request: Request) -> None:
        """Take note that a request is there to its last byte, and what it will be answered."""
        content = b"".join(part.content for part in request.parts)
        self.history.append(Reply(request.order_id, content, self._here.answer, self._here.is_whim))
        super().arrived(request)

    def stop(self) -> None:
        """End everything."""
        self._release.set()
        super().stop()
        self._keeper.close()

    def _open_door(self) -> None:
        self._server.socket = _bound(self._server.server_address[1])
        self.listen()

    def _shut_door(self) -> None:
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.socket.close()
        self._server.end_connections()


def _bound(port: int) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    door.bind(("127.0.0.1", port))
    return door
