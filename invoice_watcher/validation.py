"""Is a document fit to be sent? Its name, its size, and whether its bytes are what its name says.

Guarantees: what is refused here the API would refuse too (its own codes are given), or it is surely no whole
document of its kind; whatever might be one passes. A document that may still be growing is not refused before its
time. Pure but for reading the snapshot. Raises nothing for any bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from invoice_watcher.content import Verdict, inspect
from invoice_watcher.hints import RECEIPT_ALONE
from invoice_watcher.invoice import Invoice, Kind
from invoice_watcher.outcome import BAD_LINK, EMPTY, TOO_LARGE, UNKNOWN_ORDER, UNSUPPORTED_FORMAT, Rejected
from invoice_watcher.policy import rejected_locally
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.record import Record
from invoice_watcher.settling import Unready
from invoice_watcher.shortcut import LARGEST as LARGEST_SHORTCUT
from invoice_watcher.shortcut import ShortcutError, parse

if TYPE_CHECKING:
    from typing import BinaryIO, Literal

    from invoice_watcher.config import Config
    from invoice_watcher.content import Finding

_EMPTY_PATIENCE = 2.0
_RECEIPTS = tuple(f".{kind.value}{SUFFIX}" for kind in Kind)


class Document(Record, frozen=True):
    """What is sent: the file, or the link in its place.

    Attributes:
        file: at its beginning; not used when there is a link.
        size: bytes of the file.
        link: the address from which the API shall fetch the document; None to send the file.
    """

    invoice: Invoice
    file: BinaryIO
    size: int
    link: str | None = None


class Limits(Record, frozen=True):
    """The configured bounds: bytes, and how long a cut-off document may stay so, in seconds."""

    max_size: int
    incomplete_after: float

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return those of a configuration."""
        return cls(config.max_size, config.settle.incomplete_after)


def validate(
    invoice: Invoice, file: BinaryIO | None, size: int, unchanged_for: float, limits: Limits
) -> Document | Rejected | Unready:
    """Judge a document.

    Args:
        invoice: what its name says.
        file: the bytes, at the beginning; None when they are more than `limits.max_size`.
        size: how many bytes.
        unchanged_for: seconds since the file last changed.
        limits: the configured bounds.
    """
    if refusal := _by_name(invoice):
        return refusal
    if size == 0:
        return _empty(unchanged_for, limits)
    if file is None:
        text = f"The file has {size:,} bytes; at most {limits.max_size:,} are taken"
        return rejected_locally(TOO_LARGE, "too_large", text)
    return _by_content(Document(invoice, file, size), unchanged_for, limits)


def _by_name(invoice: Invoice) -> Rejected | None:
    if invoice.kind is None:
        text = "The file is none of .pdf, .doc, .docx, .xls, .xlsx (or a .url shortcut)"
        hint = RECEIPT_ALONE if invoice.name.lower().endswith(_RECEIPTS) else None
        return rejected_locally(UNSUPPORTED_FORMAT, "unsupported_format", text, hint)
    if invoice.order_id is None:
        return rejected_locally(UNKNOWN_ORDER, "bad_name", "The file's name is not an order ID")
    return None


def _empty(unchanged_for: float, limits: Limits) -> Rejected | Unready:
    """An empty file is often one whose writer has only just begun, so it is given a moment to fill."""
    patience = min(_EMPTY_PATIENCE, limits.incomplete_after)
    if unchanged_for < patience:
        return Unready("is still empty", wait=patience - unchanged_for, then="rejected")
    return rejected_locally(EMPTY, "empty", "The file is empty")


def _by_content(document: Document, unchanged_for: float, limits: Limits) -> Document | Rejected | Unready:
    assert document.invoice.kind is not None  # noqa: S101 - `_by_name` has seen to it
    finding = inspect(document.file, document.size, document.invoice.kind)
    document.file.seek(0)
    if finding.verdict is Verdict.MISMATCH:
        return rejected_locally(UNSUPPORTED_FORMAT, "content_mismatch", finding.what)
    judged = _as_it_is(document, finding)
    if finding.verdict is not Verdict.WHOLE and unchanged_for < limits.incomplete_after:
        wait = limits.incomplete_after - unchanged_for
        return Unready(f"seems unfinished: {finding.what}", wait, then=_end_of(judged))
    return judged


def _end_of(judged: Document | Rejected) -> Literal["rejected", "sent"]:
    return "rejected" if isinstance(judged, Rejected) else "sent"


def _as_it_is(document: Document, finding: Finding) -> Document | Rejected:
    """Judge a document that grows no more."""
    if finding.verdict is Verdict.CUT_OFF:
        return rejected_locally(None, "incomplete", finding.what)
    return _with_link(document) if document.invoice.kind is Kind.URL else document


def _with_link(document: Document) -> Document | Rejected:
    raw = document.file.read(LARGEST_SHORTCUT + 1)
    document.file.seek(0)
    try:
        return Document(document.invoice, document.file, document.size, parse(raw))
    except ShortcutError as error:
        return rejected_locally(BAD_LINK, "bad_link", str(error))
