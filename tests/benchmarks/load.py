"""The accounting software's part: documents written into the drop folder, and the wait until they are filed.

A document is a valid PDF of one page that names its order, 30,000 bytes long unless another size is asked for; no two
are alike. It is created, written and closed under its final name in the folder itself, which is what exports and file
servers do, or moved in, which is what careful ones do. The moment of a close is noted just before it, so the notice
the kernel gives of it can never be earlier.

Raises VoidError when what was dropped is not filed as it should be: the peer's fault.
"""

from __future__ import annotations

import os
import random
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

SIZE = 30_000
_POLL = 0.05
_LONGEST_PAUSE = 2.0
_PATIENCE = 15.0


class VoidError(Exception):
    """This round says nothing about the peer; the text says why, in one sentence."""


def orders(first: int, count: int) -> list[str]:
    """Return `count` order ids of eight digits, from 10000000 + `first` on."""
    return [str(10_000_000 + number) for number in range(first, first + count)]


def document(order: str, size: int = SIZE) -> bytes:
    """Return the document of an order; `order` has eight characters, and `size` is in bytes, 1,000 at least."""
    head, tail = _template(size)
    return head + order.encode() + tail


def burst(drop: Path, names: Iterable[str], size: int = SIZE) -> int:
    """Write the documents of the orders `names` as fast as one thread can.

    Returns:
        when the first of them was closed, ns of the wall clock, with which file times are compared.
    """
    first = 0
    for order in names:
        descriptor = _written(drop, order, size)
        first = first or time.time_ns()
        os.close(descriptor)
    return first


def moved(drop: Path, names: Iterable[str], staged: Path) -> int:
    """Move the documents of the orders `names` in from `staged`, a folder of the same file system.

    Returns:
        when the first of them was moved, ns of the wall clock.
    """
    start = time.time_ns()
    for order in names:
        os.rename(staged / f"{order}.pdf", drop / f"{order}.pdf")
    return start


def paced(drop: Path, names: Iterable[str], rate: float, size: int = SIZE) -> dict[str, int]:
    """Write the documents of the orders `names`, `rate` a second.

    Returns:
        for each order when its document was closed, ns of CLOCK_MONOTONIC.
    """
    closed = {}
    start = time.monotonic()
    for number, order in enumerate(names):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        descriptor = _written(drop, order, size)
        closed[order] = time.monotonic_ns()
        os.close(descriptor)
    return closed


def await_filed(done: Path, wanted: int, on_look: Callable[[], None]) -> None:
    """Return once `wanted` documents lie in `done`; call `on_look` at each look.

    A look costs a listing of the folder, so the pauses are half of the time that seems left: a handful of
    looks in all. Raises VoidError when nothing more is filed for 15 s.
    """
    start = moved_on = time.monotonic()
    before, have = -1, filed(done)
    while have < wanted:
        on_look()
        now = time.monotonic()
        if have > before:
            before, moved_on = have, now
        if now - moved_on > _PATIENCE:
            raise VoidError(f"{wanted - have} of {wanted} documents were not filed, none for {_PATIENCE:g} s")
        left = (now - start) * (wanted - have) / max(have, 1)
        time.sleep(min(max(_POLL, left / 2), _LONGEST_PAUSE))
        have = filed(done)


def filed(done: Path) -> int:
    """Return how many documents lie in `done`; sidecars beside them do not count."""
    return sum(name.endswith(".pdf") for name in os.listdir(done))


def last_filed(done: Path, names: Sequence[str]) -> int:
    """Return when the last of the documents was moved into `done`, ns of the wall clock.

    Linux's file systems set a file's ctime when it is renamed. The clock behind it is that of the timer tick
    (4 ms at 250 Hz), which is finer than any look at the folder that would not disturb the measurement.
    """
    return max((done / f"{order}.pdf").stat().st_ctime_ns for order in names)


def verify_filed(done: Path, names: Iterable[str], size: int = SIZE) -> None:
    """Raise VoidError unless the document of every order lies in `done`, byte for byte."""
    for order in names:
        try:
            content = (done / f"{order}.pdf").read_bytes()
        except FileNotFoundError:
            raise VoidError(f"{order}.pdf is not in the done folder") from None
        if content != document(order, size):
            raise VoidError(f"{order}.pdf in the done folder is not what was dropped")


def _written(drop: Path, order: str, size: int) -> int:
    descriptor = os.open(drop / f"{order}.pdf", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    head, tail = _template(size)
    if os.writev(descriptor, (head, order.encode(), tail)) != size:
        raise OSError("a document was written in part only: is the disk full?")
    return descriptor


@cache
def _template(size: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the eight characters of the order in a PDF of `size` bytes."""
    text, mark = b"BT /F1 12 Tf 72 720 Td (Invoice for order %s) Tj ET", b"12345678"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources 6 0 R >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        _stream(text % mark),
        b"<< /Font << /F1 4 0 R >> >>",
    ]
    # The padding is as incompressible as a logo. How long it must be depends on how many digits its length has.
    room = size // 2
    for _ in range(3):
        room = max(0, room + size - len(_pdf([*objects, _stream(bytes(room))])))
    whole = _pdf([*objects, _stream(random.Random(1).randbytes(room))])
    if len(whole) != size:
        raise ValueError(f"there is no document of exactly {size} bytes")
    head, tail = whole.split(mark)
    return head, tail


def _stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content)


def _pdf(objects: Sequence[bytes]) -> bytes:
    """Return the file of these objects with its cross-reference table (ISO 32000-1, 7.5)."""
    body, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(body))
    )
