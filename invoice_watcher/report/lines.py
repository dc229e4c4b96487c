"""What the report says of one thing in the archive: a line, from its receipt, or from what is known without one.

Pure; raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.archive import order_of
from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import SUFFIX, timestamp

if TYPE_CHECKING:
    from invoice_watcher.archive import Filing
    from invoice_watcher.naming import Naming
    from invoice_watcher.receipt import Receipt

DELIVERED, FAILED, TAKEN_AWAY = "delivered", "failed", "taken_away"

# Numbers that no honest receipt holds; they still have to fit SQLite's 64 bits, and a million of them their sum.
_MOST = 1 << 42


class Line(NamedTuple):
    """One line of the report; its fields are the columns of the CSV file and the keys of the JSON objects.

    Attributes:
        order_id: None when neither the receipt nor the name tells.
        file: the document, with its month's folder where it has one.
        state: `delivered`, `failed`, or `taken_away`: a failed document that is no longer in the failed folder.
        finished_at: where there is no receipt, when the file was moved to its place; empty while it waits.
        size: bytes.
        attempts: uploads.
        in_doubt: an earlier attempt may have arrived without an answer.
        remark: what is missing, or wrong, with the receipt or the document.
        replaced_by: the document that was delivered next for the same order, and so took the place of this one; after
            a failure, the one that went through instead.
    """

    order_id: str | None
    file: str
    state: str
    received_at: str | None
    finished_at: str
    size: int
    sha256: str | None
    attempts: int | None
    in_doubt: bool | None
    owner: str | None
    http_status: int | None
    error_code: int | None
    error_reason: str | None
    remark: str | None
    replaced_by: str | None = None


def line_of(filing: Filing, month: str, naming: Naming, *, delivered: bool) -> tuple[Line, bool]:
    """Return the line for something in the archive, and whether something is wrong there.

    Args:
        filing: what lies there.
        month: the folder in done in which it lies, and a slash, or nothing.
        naming: tells the order of a document without a receipt.
        delivered: whether it lies in the done folder.
    """
    order_id = order_of(filing, naming)
    file = encodable(month + (filing.name or filing.file.removesuffix(SUFFIX)))
    state = _state(filing, delivered=delivered)
    remark, wrong = _remark(filing, delivered=delivered)
    told = _untold(filing) if filing.receipt is None else _told(filing.receipt)
    return Line._make((order_id and encodable(order_id), file, state, *told, remark, None)), wrong


def _untold(filing: Filing) -> tuple[str | int | None, ...]:
    return (None, timestamp(filing.changed), _bounded(filing.size), *[None] * 7)


def _told(receipt: Receipt) -> tuple[str | int | None, ...]:
    """Return the columns from `received_at` to `error_reason`."""
    error = receipt.error
    return (
        encodable(receipt.received_at),
        encodable(receipt.finished_at or ""),
        _bounded(receipt.size),
        receipt.sha256 and encodable(receipt.sha256),
        _bounded(receipt.attempts),
        receipt.in_doubt,
        encodable(receipt.owner),
        _bounded(receipt.http_status),
        _bounded(error.code) if error else None,
        encodable(error.reason) if error else None,
    )


def _state(filing: Filing, *, delivered: bool) -> str:
    """A receipt of a delivery proves it wherever it lies; without any, the folder tells."""
    if filing.receipt is not None and filing.receipt.state != "waiting":
        delivered = filing.receipt.state == "done"
    if delivered:
        return DELIVERED
    return FAILED if filing.name is not None else TAKEN_AWAY


def _remark(filing: Filing, *, delivered: bool) -> tuple[str | None, bool]:
    receipt = filing.receipt
    if receipt is None:
        return filing.fault or "it has no receipt", filing.fault is not None
    if receipt.state != ("done" if delivered else "failed"):
        return f"it lies in the {'done' if delivered else 'failed'} folder, but its receipt says {receipt.state}", True
    if filing.name is None:
        return ("the document is gone" if delivered else None), False
    if filing.size != receipt.size:
        return f"it has {filing.size} bytes, but its receipt says {_bounded(receipt.size)}", True
    return None, False


def _bounded(number: int | None) -> int | None:
    return None if number is None else max(-_MOST, min(number, _MOST))
