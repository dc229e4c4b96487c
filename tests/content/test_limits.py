"""Time and memory: ten megabytes made to hurt cost hardly more than ten harmless ones."""

from __future__ import annotations

import struct
import tracemalloc
from io import BytesIO
from time import process_time

import pytest

from invoice_watcher.content import Verdict, inspect
from invoice_watcher.invoice import Kind

SIZE = 10 * 1024 * 1024


def filled(start: bytes, unit: bytes, end: bytes = b"") -> bytes:
    """Return ten mebibytes of `unit` between `start` and `end`."""
    room = SIZE - len(start) - len(end)
    return start + (unit * (room // len(unit) + 1))[:room] + end


def zip_of_many_members() -> bytes:
    """Return an archive whose directory alone fills the file: 227,000 nameless members, all the same one."""
    first = b"PK\x03\x04" + bytes(26)
    members = (SIZE - len(first) - 22) // 46
    entries = (b"PK\x01\x02" + bytes(42)) * members
    return first + entries + b"PK\x05\x06" + bytes(8) + struct.pack("<IIH", len(entries), len(first), 0)


def ole2(claimed: int, sector: bytes) -> bytes:
    """Return a compound file that claims that many sectors of its table, all sectors alike."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHH", 62, 3, 0xFFFE, 9)
    head += bytes(12) + struct.pack("<II", claimed, 0) + bytes(16) + struct.pack("<II", 1, claimed)
    return filled(head.ljust(512, b"\0"), sector)


HOSTILE = {
    "no end": (Kind.PDF, filled(b"%PDF-1.4", b"%%EO")),
    "many ends": (Kind.PDF, filled(b"%PDF-1.4", b"%%EOF")),
    "many objects": (Kind.PDF, filled(b"%PDF-1.4", b" 1 0 obj")),
    "almost objects": (Kind.PDF, filled(b"%PDF-1.4 startxref 0 %%EOF", b"1 objx")),
    "almost tables": (Kind.PDF, filled(b"%PDF-1.4 startxref 0 %%EOF", b"xref          ")),
    "blanks": (Kind.PDF, filled(b"%PDF-1.4 startxref 0 %%EOF1", b" ")),
    "numbers": (Kind.PDF, filled(b"%PDF-1.4 startxref 0 %%EOF", b"1 ")),
    "zip ends": (Kind.DOCX, filled(b"PK\x03\x04", b"PK\x05\x06")),
    "zip members": (Kind.DOCX, zip_of_many_members()),
    "hidden zip": (Kind.DOCX, filled(b"\x01", b"PK\x05\x06")),
    "free tables": (Kind.DOC, ole2(20_000, b"\xff" * 508 + bytes(4))),
    "looping tables": (Kind.DOC, ole2(20_000, struct.pack("<128I", *[0] * 127, 1))),
    "open braces": (Kind.DOC, filled(b"{\\rtf1", b"{", b"}")),
    "backslashes": (Kind.DOC, filled(b"{\\rtf1", b"\\", b"}")),
    "comments": (Kind.XLS, filled(b"<?xml ", b"<!--", b">")),
    "empty comments": (Kind.XLS, filled(b"<?xml ?>", b"<!---->", b">")),
    "headers": (Kind.DOC, filled(b"", b"a:\n")),
    "folded headers": (Kind.DOC, filled(b"a:\n", b"\t")),
    "table": (Kind.XLS, filled(b"", b";,\n")),
    "shortcut lines": (Kind.URL, filled(b"", b"[\n")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_take_no_longer_than_reading_them(name: str) -> None:
    """One file cannot hold up the others: a tenth of a second is usual, a whole one is a fault."""
    kind, raw = HOSTILE[name]
    document = BytesIO(raw)
    started = process_time()
    verdict = inspect(document, len(raw), kind).verdict
    assert process_time() - started < 1
    assert verdict in Verdict


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_take_little_memory(name: str) -> None:
    """Four workers judge four files at once on a small machine."""
    kind, raw = HOSTILE[name]
    document = BytesIO(raw)
    tracemalloc.start()
    inspect(document, len(raw), kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 1024 * 1024


class Counting(BytesIO):
    """A document that counts the bytes read from it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        part = super().read(size)
        self.taken += len(part)
        return part


def test_a_sound_pdf_is_judged_by_its_two_ends() -> None:
    """A large invoice is not read once more just to see that it is whole."""
    document = Counting(filled(b"%PDF-1.4\n", b"x", b"startxref\n9\n%%EOF\n"))
    assert inspect(document, SIZE, Kind.PDF).verdict is Verdict.WHOLE
    assert document.taken < 8 * 1024
