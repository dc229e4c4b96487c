"""What a running stand-in remembers, and how it is told to behave.

`Mode` is a value; it raises ValueError, naming the key, for what no mode can be: the fault of whoever asked.
`Sandbox` is shared between threads and guards itself. It keeps what it received up to a bound, and never a
document or an API code that came.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING

from invoice_watcher.record import Record, fields
from invoice_watcher.sandbox.rules import DROPPED, Answer, Post, api_code_fault, bare

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "/web-api"
KEPT = 10_000
_LONGEST_TEXT = 2048
_LONGEST_WAIT = 3600
_STATUSES = range(200, 600)


class Mode(Record, frozen=True):
    """How every request to the API is treated, whatever its order id. Without arguments: as usual.

    Attributes:
        latency: seconds before every answer, 0 to 3600.
        fail: the HTTP status, 200 to 599, that answers every request; None answers as usual.
        fail_for: seconds, from when the mode was set, for which `fail` holds; None is for ever.
        retry_after: what the header Retry-After of `fail` says, in seconds; None leaves it out.
        down: every connection is closed unanswered.

    Raises:
        ValueError: a value cannot be; the text names its key.
    """

    latency: float = 0
    fail: int | None = None
    fail_for: float | None = None
    retry_after: int | None = None
    down: bool = False

    def __post_init__(self) -> None:
        _check("latency", isinstance(self.latency, int | float) and 0 <= self.latency <= _LONGEST_WAIT)
        _check("fail", self.fail is None or (isinstance(self.fail, int) and self.fail in _STATUSES))
        _check(
            "fail_for",
            self.fail_for is None or (isinstance(self.fail_for, int | float) and 0 <= self.fail_for < inf),
        )
        _check(
            "retry_after",
            self.retry_after is None or (type(self.retry_after) is int and self.retry_after >= 0),
        )
        _check("down", isinstance(self.down, bool))

    @classmethod
    def from_json(cls, text: bytes) -> Mode:
        """Return the mode that the JSON object `text` describes; a key it leaves out is as usual.

        Raises:
            ValueError: it is no JSON object, or has an unknown key or an impossible value.
        """
        try:
            wanted = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(wanted, dict):
            raise ValueError("a mode is a JSON object")  # noqa: TRY004 - the fault lies in a text, not in a type
        for key in wanted.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"unknown key: {key}")
        return cls(**wanted)

    def answer(self, age: float) -> Answer | None:
        """Return what this mode, set `age` seconds ago, answers every request; None asks the rules."""
        if self.down:
            return DROPPED
        if self.fail is None or (self.fail_for is not None and age >= self.fail_for):
            return None
        return bare(self.fail, self.retry_after)


def _check(key: str, possible: bool) -> None:  # noqa: FBT001 - read as one sentence where it is called
    if not possible:
        raise ValueError(f"impossible value for {key}")


class Received(Record, frozen=True):
    """One POST of an invoice that came in whole, and what it was answered.

    Attributes:
        order_id: as it came; like every text here cut at 2048 characters.
        file_name: the document's, as it came; with `size` in bytes and `sha256` None when there was none.
        size: see `file_name`.
        sha256: see `file_name`.
        file_url: the link; None when there was none.
        status: the HTTP status; None when the connection was closed unanswered.
        code: the API's code; None without one.
        at: when the answer was decided, which a delay then holds back; RFC 3339, UTC.
        api_code_ok: the API code was there and was right. The code itself is not kept.
    """

    order_id: str
    file_name: str | None
    size: int | None
    sha256: str | None
    file_url: str | None
    status: int | None
    code: int | None
    at: str
    api_code_ok: bool


class Sandbox:
    """A running stand-in, as seen from the same process; safe to use from any thread.

    Attributes:
        origin: scheme, host and port: `http://127.0.0.1:8025`.
        base_url: what `api.base_url` has to be for the stand-in to be spoken to.
        stopping: set when it stops; whatever waits to answer gives up.
    """

    def __init__(self, origin: str, *, api_code: str | None, mode: Mode) -> None:
        self.origin = origin
        self.base_url = origin + PREFIX
        self.stopping = threading.Event()
        self.api_code = api_code
        self._changed = threading.Condition()
        self._rows: deque[Received] = deque(maxlen=KEPT)
        self._posts: dict[str, int] = {}
        self.mode = mode

    @property
    def mode(self) -> Mode:
        """How requests are treated; setting it starts its `fail_for` anew."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        with self._changed:
            self._mode, self._mode_since = mode, time.monotonic()

    def mode_answer(self) -> Answer | None:
        """Return what the mode answers every request now; None when it does not."""
        with self._changed:
            return self._mode.answer(time.monotonic() - self._mode_since)

    def earlier(self, order_id: str) -> int:
        """Return how many requests for this order id came before, and count this one.

        The order ids longest unheard of are forgotten, so that memory stays bounded.
        """
        with self._changed:
            count = self._posts.pop(order_id, 0)
            self._posts[order_id] = count + 1
            if len(self._posts) > KEPT:
                del self._posts[next(iter(self._posts))]
            return count

    def note(self, post: Post, answer: Answer) -> None:
        """Keep what came and what it is answered."""
        row = _received(post, answer, self.api_code)
        with self._changed:
            self._rows.append(row)
            self._changed.notify_all()

    def received(self) -> Sequence[Received]:
        """Return the last 10,000 POSTs of invoices that came in whole, oldest first."""
        with self._changed:
            return tuple(self._rows)

    def wait_for(self, count: int, timeout: float) -> Sequence[Received]:
        """Return `received()` once it holds `count` rows, or after `timeout` seconds whatever it holds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._rows) >= count, timeout)
            return tuple(self._rows)

    def forget(self) -> None:
        """Forget every request, also those that FLAKY orders count."""
        with self._changed:
            self._rows.clear()
            self._posts.clear()


def _received(post: Post, answer: Answer, api_code: str | None) -> Received:
    document = post.document
    name, size, sha256 = (document.name, document.size, document.sha256) if document else (None, None, None)
    return Received(
        order_id=post.order_id[:_LONGEST_TEXT],
        file_name=name and name[:_LONGEST_TEXT],
        size=size,
        sha256=sha256,
        file_url=post.file_url and post.file_url[:_LONGEST_TEXT],
        status=answer.status,
        code=answer.code,
        at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        api_code_ok=api_code_fault(post.api_code, api_code) is None,
    )
