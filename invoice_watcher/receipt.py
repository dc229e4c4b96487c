"""The receipt: one record, written as JSON beside every document that was decided, and beside what waits.

Guarantees: the fields and their order are the documented ones (version 1); the text is valid UTF-8 JSON that no
name or answer from outside can break, with everything unprintable escaped; what `encode` wrote `decode` reads.
Pure. `decode` raises ReceiptError for anything that is no receipt of a version this program knows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from invoice_watcher.escaping import encodable
from invoice_watcher.outcome import Deferred, Delivered, Problem, Rejected, Source

if TYPE_CHECKING:
    from invoice_watcher.outcome import Outcome

SUFFIX = ".json"
VERSION = 1
LONGEST_RESPONSE = 2048
_LONGEST_MESSAGE = 1000
_EPOCH = datetime.fromtimestamp(0, UTC)

_UNPRINTABLE = re.compile(r"[^\x20-\x7e\n]")

State = Literal["waiting", "done", "failed"]


class ReceiptError(ValueError):
    """The bytes are no receipt of this program, or one of a version it does not know."""


class Error(msgspec.Struct, frozen=True):
    """Why the invoice is not delivered; see `outcome.Problem`."""

    source: Source
    code: int | None
    reason: str
    message: str
    hint: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One receipt, or note. Times are UTC in RFC 3339 with milliseconds; sizes are bytes.

    What version 0.1.0 wrote is read for ever, so a field that is added has a default.

    Attributes:
        sending: only in a waiting one: an attempt is under way, so a crash leaves its answer unknown.
        crashes: only in a waiting one: how often the program died while it sent this document.
        strikes: only in a waiting one: failures that counted, because other documents went through meanwhile.
    """

    version: int = VERSION
    state: State
    order_id: str | None
    file: str
    size: int
    sha256: str | None
    owner: str
    received_at: str
    finished_at: str | None
    attempts: int
    in_doubt: bool
    http_status: int | None
    error: Error | None
    response: str | None
    sending: bool | msgspec.UnsetType = msgspec.UNSET
    crashes: int | msgspec.UnsetType = msgspec.UNSET
    strikes: int | msgspec.UnsetType = msgspec.UNSET

    def with_state(self, *, sending: bool, crashes: int, strikes: int) -> Receipt:
        """Return the receipt with what only a waiting one tells; what is nought stays unsaid."""
        return msgspec.structs.replace(
            self,
            sending=sending or msgspec.UNSET,
            crashes=crashes or msgspec.UNSET,
            strikes=strikes or msgspec.UNSET,
        )


_decoder = msgspec.json.Decoder(Receipt)


def encode(receipt: Receipt) -> bytes:
    r"""Return the receipt's bytes: indented for people, `\uXXXX` for whatever does not print."""
    text = msgspec.json.format(msgspec.json.encode(receipt), indent=2).decode()
    return (_UNPRINTABLE.sub(_json_escape, text) + "\n").encode()


def decode(raw: bytes) -> Receipt:
    """Read a receipt back; unknown further fields are passed over, so that a newer writer does no harm."""
    try:
        receipt = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptError("no receipt of invoice-watcher") from error
    if receipt.version != VERSION:
        raise ReceiptError(f"a receipt of version {receipt.version}, which this program does not know")
    return receipt


def error_of(problem: Problem) -> Error:
    """Return a problem as the receipt tells it, its message bounded and fit for UTF-8."""
    message = encodable(problem.message)[:_LONGEST_MESSAGE]
    return Error(problem.source, problem.code, problem.reason, message, problem.hint)


def problem_of(error: Error) -> Problem:
    """Return the problem that a receipt tells of."""
    return Problem(error.source, error.code, error.reason, error.message, error.hint)


def state_of(outcome: Outcome) -> State:
    """Return the state in which an outcome leaves the document."""
    states: dict[type, State] = {Delivered: "done", Rejected: "failed", Deferred: "waiting"}
    return states[type(outcome)]


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC with milliseconds; out of range becomes the epoch."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        moment = _EPOCH
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def nanoseconds(text: str, default: int) -> int:
    """Return what `timestamp` wrote as nanoseconds since the epoch; `default` for anything else."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1) * 1_000_000
    except (ValueError, TypeError):  # TypeError: a time without its zone could be any
        return default


def _json_escape(match: re.Match[str]) -> str:
    r"""Escape what does not print: JSON's own \uXXXX, as a surrogate pair beyond the basic plane (RFC 8259)."""
    char = match[0]
    if char.isprintable():
        return char
    raw = char.encode("utf-16-be")
    return "".join(f"\\u{raw[i] << 8 | raw[i + 1]:04x}" for i in range(0, len(raw), 2))
