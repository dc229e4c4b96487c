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
    received_at: str | None = None
    finished_at: str = ""
    size: int = 0
    sha256: str | None = None
    attempts: int | None = None
    in_doubt: bool | None = None
    owner: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    error_reason: str | None = None
    remark: str | None = None
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
    remark, wrong = _remark(filing, delivered=delivered)
    line = Line(
        order_id=order_id and encodable(order_id),
        file=encodable(month + (filing.name or filing.file.removesuffix(SUFFIX))),
        state=_state(filing, delivered=delivered),
        finished_at=timestamp(filing.changed),
        size=_bounded(filing.size),
        remark=remark,
    )
    return line if filing.receipt is None else _told(line, filing.receipt), wrong


def _told(line: Line, receipt: Receipt) -> Line:
    """Return the line with what the receipt tells, also in the place of what is known without one."""
    error = receipt.error
    return line._replace(
        received_at=encodable(receipt.received_at),
        finished_at=encodable(receipt.finished_at or ""),
        size=_bounded(receipt.size),
        sha256=receipt.sha256 and encodable(receipt.sha256),
        attempts=_bounded(receipt.attempts),
        in_doubt=receipt.in_doubt,
        owner=encodable(receipt.owner),
        http_status=receipt.http_status and _bounded(receipt.http_status),
        error_code=error.code and _bounded(error.code) if error else None,
        error_reason=encodable(error.reason) if error else None,
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


def _bounded(number: int) -> int:
    return max(-_MOST, min(number, _MOST))
