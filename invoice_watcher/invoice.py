"""What an invoice is to this program: an order it belongs to, a kind of document, a name in a folder.

`OrderId` is parsed once, at the border (`naming`), and trusted from there on: it is safe as one segment of a
URL path and as part of a file name. Pure; raises ValueError for text that no order id can be.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from invoice_watcher.record import Record

# With the extension and ".json" behind it the name still fits the 255 bytes of a Linux file name.
_LONGEST_ORDER_ID = 200


class OrderId(str):
    """The id of an order, fit to stand in a URL path and in a file name.

    Which ids are *accepted* is the configuration's `order_id_pattern`; this type refuses only what no pattern
    may let through: the empty text, `.` and `..`, a slash, whatever is not printable, and over 200 bytes.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take `text` for an order id; ValueError when none can look so."""
        if text in {"", ".", ".."} or "/" in text or not text.isprintable():
            raise ValueError("no order id")
        if len(text.encode()) > _LONGEST_ORDER_ID:
            raise ValueError("too long for an order id")
        return super().__new__(cls, text)


class Kind(StrEnum):
    """What may be dropped: the five formats of the API document, and the Windows Internet shortcut."""

    DOC = "doc"
    DOCX = "docx"
    PDF = "pdf"
    XLS = "xls"
    XLSX = "xlsx"
    URL = "url"


class Invoice(Record, frozen=True):
    """A file that says by its name which order it belongs to.

    Attributes:
        name: the file's name in its folder, bytes that are not UTF-8 as surrogates (PEP 383).
        order_id: None when the name holds none.
        kind: None when the extension is none that the API takes.
    """

    name: str
    order_id: OrderId | None
    kind: Kind | None

    @property
    def order(self) -> str | None:
        """The order's id as plain text, the only kind that JSON knows; None when the name holds none."""
        return None if self.order_id is None else str(self.order_id)

    @property
    def lane(self) -> str:
        """What is delivered one after another, never side by side: the files of one order."""
        return self.order_id or self.name

    @property
    def sent_name(self) -> str:
        """The file name told to the API: rebuilt from what was understood, never the raw one."""
        return f"{self.order_id}.{self.kind}"
