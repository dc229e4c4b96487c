"""Judges whether an OLE2 compound file is all there: .doc, .xls, and any Office document under a password.

The format ([MS-CFB]) is a small disk in a file: sectors, and a file allocation table (FAT) that tells which
are in use; the DIFAT tells where the FAT's own sectors lie. A sector in use that lies behind the file's end
is missing.

What it cannot see: a cut within sectors that nothing uses; and less than a sector of NUL bytes where the
last sector's content should be, for that is how sectors are padded. Pure but for reading; raises nothing on
any bytes. Holds 1/128 of the file at most.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from invoice_watcher.content.finding import CutOffError, DoubtError, Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.content.view import View

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEADER_SIZE = 512
_SECTOR_SHIFTS = frozenset({9, 12})  # sectors of 512 and of 4,096 bytes
_IN_HEADER = 109  # FAT sectors whose numbers stand in the header itself
_LAST_NUMBER = 0xFFFFFFFA  # MAXREGSECT: numbers above mean something else than a sector
_FREE = b"\xff\xff\xff\xff"
_FAT_SECTOR = b"\xfd\xff\xff\xff"
_ENTRY = 4
_ROOT_TYPE_AT, _ROOT_TYPE = 66, 5
_ROOT_SIZE = 128


class _Sectors:
    """The sectors of a compound file; sector 0 follows the header, which fills a sector of its own."""

    def __init__(self, view: View, size: int) -> None:
        self._view = view
        self.size = size
        self.count = max(0, -(-view.size // size) - 1)

    def raw(self, number: int) -> bytes:
        """Return a sector as far as the file has it."""
        return self._view.at((number + 1) * self.size, self.size)

    def read(self, number: int) -> bytes:
        """Return a sector of the tables, a short one filled up as free."""
        if number > _LAST_NUMBER:
            raise DoubtError("a table of the Office file leads nowhere")
        if number >= self.count:
            raise CutOffError("the Office file ends before its own tables do")
        return self.raw(number).ljust(self.size, b"\xff")


def begins(head: bytes) -> bool:
    """Whether a document with these first bytes is an OLE2 compound file."""
    return head.startswith(MAGIC)


def judge(view: View) -> Finding:
    """Return how whole a document is that `begins` as OLE2."""
    try:
        _check(view)
    except CutOffError as error:
        return Finding(Verdict.CUT_OFF, str(error))
    except DoubtError as error:
        return Finding(Verdict.DOUBTFUL, str(error))
    return Finding(Verdict.WHOLE, "the Office file has all sectors that it uses")


def _check(view: View) -> None:
    if view.size < _HEADER_SIZE:
        raise CutOffError("the Office file ends within its header")
    shift, fat_size = struct.unpack_from("<H12xI", view.head, 30)
    if not shift or not fat_size:
        raise CutOffError("the Office file's header is not written yet")
    if shift not in _SECTOR_SHIFTS:
        raise DoubtError("the Office file has a header of an unknown kind")
    sectors = _Sectors(view, 1 << shift)
    numbers = list(_fat_numbers(sectors, view.head))
    fat = _fat(sectors, numbers)
    _check_directory(sectors.read(*struct.unpack_from("<I", view.head, 48)))
    _check_end(sectors, fat)
    if any(fat[number * _ENTRY : (number + 1) * _ENTRY] != _FAT_SECTOR for number in numbers):
        raise DoubtError("the Office file's allocation table does not count itself")


def _fat_numbers(sectors: _Sectors, head: bytes) -> Iterator[int]:
    """Yield the numbers of the FAT's sectors, as many as the header claims: no more if a chain loops."""
    (claimed,) = struct.unpack_from("<I", head, 44)
    if claimed > sectors.count:
        raise CutOffError("the Office file is smaller than its own allocation table")
    yield from struct.unpack_from(f"<{min(claimed, _IN_HEADER)}I", head, 76)
    missing = claimed - _IN_HEADER
    (following,) = struct.unpack_from("<I", head, 68)
    while missing > 0:
        *numbers, following = struct.unpack(f"<{sectors.size // _ENTRY}I", sectors.read(following))
        yield from numbers[:missing]
        missing -= len(numbers)


def _fat(sectors: _Sectors, numbers: list[int]) -> bytes:
    """Return the FAT's entries for the sectors that are there, having seen that it counts on no others."""
    fat = bytearray()
    room = sectors.count * _ENTRY
    for number in numbers:
        block = sectors.read(number)
        if not block.strip(b"\0"):
            raise CutOffError("the Office file's allocation table is not written yet")
        _check_beyond(block[max(0, room - len(fat)) :])
        fat += block[: max(0, room - len(fat))]
    return bytes(fat)


def _check_beyond(entries: bytes) -> None:
    """Check the entries of sectors behind the file's end; a careless writer pads its table with zeros."""
    if not entries.strip(_FREE):
        return
    used = {entries[at : at + _ENTRY] for at in range(0, len(entries), _ENTRY)} - {_FREE}
    if used - {bytes(_ENTRY)}:
        raise CutOffError("the Office file ends before the last sector that it uses")
    if used:
        raise DoubtError("the Office file's allocation table is longer than the file")


def _check_directory(block: bytes) -> None:
    root = block[:_ROOT_SIZE]
    if not root.strip(b"\0"):
        raise CutOffError("the Office file's directory is not written yet")
    if root[_ROOT_TYPE_AT] != _ROOT_TYPE:
        raise DoubtError("the Office file's directory does not begin with its root")


def _check_end(sectors: _Sectors, fat: bytes) -> None:
    """Check the last sector in use: an entry in use has a byte that is not 0xff."""
    used = len(fat.rstrip(b"\xff"))
    if not used:
        raise DoubtError("the Office file uses none of its sectors")
    last = sectors.raw((used - 1) // _ENTRY)
    if len(last) < sectors.size:
        raise DoubtError("the Office file ends within its last sector")
    if not last.strip(b"\0"):
        raise DoubtError("the Office file ends in NUL bytes")
