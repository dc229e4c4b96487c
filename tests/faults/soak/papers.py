"""What the machine drops: documents of every kind, each unlike any other, and what ought to become of it."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.integration.place import pdf, sample

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = ("pdf", "PDF", "docx", "url")
KINDS = (*WHOLE, "bad name", "foreign", "empty", "cut off", "mismatch", "bad link")


@dataclass(eq=False)
class Paper:
    """One file that was dropped.

    Attributes:
        name: the one it has in the drop folder, or had there last.
        content: its bytes.
        order: the order it is for; None when its name says none.
        flaw: with which reason its content is rejected unsent.
        link: what is sent in the place of its content.
        since: how long the API's history was, and `deaths` how often the program had died, when it was dropped last.
        gone: a person took it away, or wrote over it.
        names: all it ever had.
        before: for which orders it may have been sent before a person moved it back.
    """

    name: str
    content: bytes
    order: str | None
    flaw: str = ""
    link: bytes = b""
    since: int = 0
    deaths: int = 0
    gone: bool = False
    names: set[str] = field(default_factory=set)
    before: set[str | None] = field(default_factory=set)

    @property
    def reason(self) -> str:
        """With which it is rejected unsent; empty when it is an invoice."""
        if os.path.splitext(self.name)[1].lower() not in {".pdf", ".docx", ".url"}:
            return "unsupported_format"
        return self.flaw if self.order is not None else "bad_name"

    @property
    def sent(self) -> bytes | None:
        """What the API gets of it; None when that is nothing."""
        return None if self.reason else (self.link or self.content)


def make(kind: str, order: str, number: int) -> Paper:
    """Make a file of this kind for an order; the number makes it unlike all others."""
    ending, flaw, content = _KINDS[kind](number)
    link = content.partition(b"URL=")[2].strip()
    return Paper(order + ending, content, None if " " in ending else order, flaw, link)


def _docx(number: int) -> bytes:
    raw = io.BytesIO(sample("invoice.docx"))
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("docProps/number.txt", str(number))
    return raw.getvalue()


def _shortcut(link: str) -> bytes:
    return f"[InternetShortcut]\r\nURL={link}\r\n".encode()


# The end of the name, the flaw, and the bytes.
_KINDS: dict[str, Callable[[int], tuple[str, str, bytes]]] = {
    "pdf": lambda number: (".pdf", "", pdf(str(number), 200 + number % 7 * 3000)),
    "PDF": lambda number: (".PDF", "", pdf(str(number), 200)),
    "docx": lambda number: (".docx", "", _docx(number)),
    "url": lambda number: (".url", "", _shortcut(f"https://example.com/{number}.pdf")),
    "bad name": lambda number: (" of May.pdf", "", pdf(str(number))),
    "foreign": lambda number: (".txt", "", f"text {number}".encode()),
    "empty": lambda _: (".pdf", "empty", b""),
    "cut off": lambda number: (".pdf", "incomplete", pdf(str(number), 900)[:500]),
    "mismatch": lambda number: (".pdf", "content_mismatch", f"no PDF {number}".encode()),
    "bad link": lambda number: (".url", "bad_link", _shortcut(f"file:///{number}.pdf")),
}
