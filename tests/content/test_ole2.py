"""OLE2 files made here sector by sector, whole, cut, looping and lying."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Finding, Verdict, inspect
from invoice_watcher.invoice import Kind

FREE, LAST, FAT, DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
ROOT = b"R\0o\0o\0t\0".ljust(66, b"\0") + b"\x05" + b"\1" * 61


def sizes_of_tables(sectors: int, entries: int) -> tuple[int, int]:
    """Return how many FAT and DIFAT sectors describe these sectors and themselves."""
    fats, difats = 1, 0
    while fats * entries < sectors + difats + fats:
        fats += 1
        difats = max(0, -(-(fats - 109) // (entries - 1)))
    return fats, difats


def table_of_table(numbers: list[int], entries: int, first: int) -> bytes:
    """Return the DIFAT sectors, from sector `first` on, for the FAT sectors beyond the 109 of the header."""
    made = b""
    for following, at in enumerate(range(109, len(numbers), entries - 1), start=first + 1):
        part = numbers[at : at + entries - 1]
        made += struct.pack(f"<{entries}I", *part, *[FREE] * (entries - 1 - len(part)), following)
    return made


@cache
def compound(streams: int, shift: int = 9) -> bytes:
    """Return a file whose sectors are the directory, the stream's sectors, then DIFAT, then FAT."""
    size, entries, content = 1 << shift, (1 << shift) // 4, 1 + streams
    fats, difats = sizes_of_tables(content, entries)
    numbers = list(range(content + difats, content + difats + fats))
    table = [LAST, *range(2, content), LAST] + [DIFAT] * difats + [FAT] * fats
    table += [FREE] * (fats * entries - len(table))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, shift, 6)
    head += bytes(10) + struct.pack("<8I", fats, 0, 0, 4096, LAST, 0, content if difats else LAST, difats)
    head += struct.pack("<109I", *(numbers + [FREE] * 109)[:109])
    body = ROOT.ljust(size, b"\1") + b"invoice!" * (size // 8 * streams)
    body += table_of_table(numbers, entries, content)
    return head.ljust(size, b"\0") + body + struct.pack(f"<{len(table)}I", *table)


SMALL = compound(20)


def judged(raw: bytes) -> Finding:
    """Return what is found in the bytes of a .doc."""
    return inspect(BytesIO(raw), len(raw), Kind.DOC)


class Counting(BytesIO):
    """A file that counts the bytes that are read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count."""
        raw = super().read(size)
        self.count += len(raw)
        return raw


def judged_by_reading(raw: bytes) -> tuple[Verdict, int]:
    """Return the verdict on a .doc, and how many bytes were read for it."""
    file = Counting(raw)
    verdict = inspect(file, len(raw), Kind.DOC).verdict
    return verdict, file.count


def patched(raw: bytes, at: int, *numbers: int) -> bytes:
    """Return the file with other numbers of 32 bits at an offset."""
    return raw[:at] + struct.pack(f"<{len(numbers)}I", *numbers) + raw[at + 4 * len(numbers) :]


@pytest.mark.parametrize(("streams", "shift"), [(1, 9), (20, 9), (127, 9), (5000, 9), (20_000, 9), (3, 12), (3000, 12)])
def test_a_file_with_all_sectors_is_whole(streams: int, shift: int) -> None:
    """From the smallest to those above 7 MB, whose table needs a table of its own; both sizes of sectors."""
    assert judged(compound(streams, shift)).verdict is Verdict.WHOLE


@pytest.mark.parametrize(("streams", "shift"), [(20, 9), (20_000, 9), (3, 12)])
@given(share=st.floats(0, 1, exclude_max=True))
def test_no_beginning_of_it_is_whole(streams: int, shift: int, share: float) -> None:
    """An Office 97 file that was cut off anywhere is not taken for whole."""
    raw = compound(streams, shift)
    assert judged(raw[: max(1, int(share * len(raw)))]).verdict in {Verdict.CUT_OFF, Verdict.DOUBTFUL}


def test_a_sector_in_use_behind_the_end_means_cut_off() -> None:
    """The table counts on 21 sectors of content behind itself, and they are not there."""
    table_first = patched(SMALL, 76, 0)
    table = struct.pack("<128I", FAT, LAST, *range(3, 22), LAST, *[FREE] * 106)
    cut = table_first[:512] + table + ROOT.ljust(512) + b"x" * 512
    assert judged(patched(cut, 48, 1)) == Finding(
        Verdict.CUT_OFF, "the Office file ends before the last sector that it uses"
    )


def test_a_sector_that_a_later_part_of_the_table_counts_means_cut_off_too() -> None:
    """The table is longer than one sector, and comes first: what its second sector counts has to be there as well."""
    table = struct.pack("<256I", FAT, FAT, LAST, *range(4, 150), LAST, *[FREE] * 106)
    whole = patched(SMALL[:512], 44, 2, 2)
    whole = patched(whole, 76, 0, 1) + table + ROOT.ljust(512) + b"x" * 512 * 147
    assert judged(whole).verdict is Verdict.WHOLE
    assert judged(whole[: -512 * 10]) == Finding(
        Verdict.CUT_OFF, "the Office file ends before the last sector that it uses"
    )


def test_a_directory_right_behind_the_end_means_cut_off() -> None:
    """An Office 97 file whose directory would begin where the file ends is cut off."""
    assert judged(patched(SMALL, 48, len(SMALL) // 512 - 1)).verdict is Verdict.CUT_OFF


def test_a_short_last_sector_is_doubtful() -> None:
    """Some writers leave out the padding of the last sector, and a cut copy looks the same."""
    assert judged(SMALL[:-100]).verdict is Verdict.DOUBTFUL


def test_sectors_that_nothing_uses_may_follow() -> None:
    """Word leaves such sectors behind, and mail gateways append bytes."""
    assert judged(SMALL + b"\0" * 3000).verdict is Verdict.WHOLE


def test_a_table_padded_with_zeros_is_doubtful() -> None:
    """A table that a careless writer padded with zeros is not refused: the file may wait, and is sent."""
    assert judged(patched(SMALL, len(SMALL) - 8, 0, 0)).verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize("at", [512, 30, 44])
def test_tables_not_written_yet_mean_cut_off(at: int) -> None:
    """Header or directory still NUL: no program can open that."""
    assert judged(SMALL[:at] + bytes(128) + SMALL[at + 128 :]).verdict is Verdict.CUT_OFF


def test_an_allocation_table_not_written_yet_means_cut_off() -> None:
    """The end of the file is reserved, and nothing is in it."""
    assert judged(SMALL[:-512] + bytes(512)).verdict is Verdict.CUT_OFF


def test_content_that_ends_in_nul_bytes_is_doubtful() -> None:
    """The tables came first and the reserved rest was never written."""
    table = struct.pack("<128I", FAT, LAST, *range(3, 22), LAST, *[FREE] * 106)
    raw = patched(patched(SMALL, 76, 0), 48, 1)[:512] + table + ROOT.ljust(512) + b"x" * 5000
    assert judged(raw.ljust(512 * 23, b"\0")) == Finding(Verdict.DOUBTFUL, "the Office file ends in NUL bytes")
    assert judged(raw.ljust(512 * 23, b"X")).verdict is Verdict.WHOLE


def test_the_last_sector_need_not_end_a_stream() -> None:
    """In a fragmented file a stream goes on from the last sector to one before it; that one has to be there too."""
    table = struct.pack("<128I", FAT, LAST, *range(3, 22), LAST, 2, *[FREE] * 105)
    raw = patched(patched(SMALL, 76, 0), 48, 1)[:512] + table + ROOT.ljust(512) + b"x" * 512 * 21
    assert judged(raw).verdict is Verdict.WHOLE
    assert judged(raw[:-512]).verdict is Verdict.CUT_OFF


@pytest.mark.parametrize(("at", "number"), [
    (76, FREE), (len(SMALL) - 512 + 21 * 4, LAST), (512 + 64, 0), (30, 7),
])  # fmt: skip
def test_oddities_are_doubtful(at: int, number: int) -> None:
    """An Office 97 file with numbers that no sound writer leaves behind may have to wait, but is sent."""
    assert judged(patched(SMALL, at, number)).verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(("raw", "what"), [
    (SMALL[:100], "the Office file ends within its header"),
    (SMALL[:30] + bytes(482) + SMALL[512:], "the Office file's header is not written yet"),
    (patched(SMALL, 44, 1000), "the Office file is smaller than its own allocation table"),
    (patched(SMALL, 48, 22), "the Office file ends before its own tables do"),
    (SMALL[:-512] + bytes(512), "the Office file's allocation table is not written yet"),
    (SMALL[:512] + bytes(512) + SMALL[1024:], "the Office file's directory is not written yet"),
])  # fmt: skip
def test_it_is_told_how_a_file_is_cut_off(raw: bytes, what: str) -> None:
    """A clerk reads which part of an Office 97 file is missing."""
    assert judged(raw) == Finding(Verdict.CUT_OFF, what)


@pytest.mark.parametrize(("raw", "what"), [
    (patched(SMALL, 30, 7), "the Office file has a header of an unknown kind"),
    (patched(SMALL, 76, FREE), "a table of the Office file leads nowhere"),
    (patched(SMALL, len(SMALL) - 8, 0, 0), "the Office file's allocation table is longer than the file"),
    (patched(SMALL, 512 + 64, 0), "the Office file's directory does not begin with its root"),
    (SMALL[:-512] + b"\xff" * 512, "the Office file uses none of its sectors"),
    (SMALL[:-100], "the Office file ends within its last sector"),
    (patched(SMALL, len(SMALL) - 512 + 21 * 4, LAST), "the Office file's allocation table does not count itself"),
])  # fmt: skip
def test_it_is_told_what_is_odd(raw: bytes, what: str) -> None:
    """Whoever wonders why an Office 97 file has to wait reads what is odd about it."""
    assert judged(raw) == Finding(Verdict.DOUBTFUL, what)


@pytest.mark.parametrize("claimed", [22, 1000, 2**31, 2**32 - 1])
def test_huge_claims_cost_nothing(claimed: int) -> None:
    """A table that claims more sectors than the file has ends the matter: hardly more is read than the file."""
    verdict, read = judged_by_reading(patched(SMALL, 44, claimed))
    assert verdict in {Verdict.CUT_OFF, Verdict.DOUBTFUL}
    assert read <= 2 * len(SMALL)


@pytest.mark.parametrize("claimed", [19_000, 10**7])
def test_a_loop_in_the_table_of_the_table_ends(claimed: int) -> None:
    """A DIFAT sector that leads to itself costs no more than reading the file a few times, and is not sound."""
    large = compound(20_000)
    difat = (struct.unpack_from("<I", large, 68)[0] + 1) * 512
    verdict, read = judged_by_reading(patched(patched(large, difat + 508, difat // 512 - 1), 44, claimed))
    assert verdict in {Verdict.CUT_OFF, Verdict.DOUBTFUL}
    assert read <= 2 * len(large)


@given(st.integers(8, 1100) | st.integers(len(SMALL) - 512, len(SMALL) - 4), st.integers(0, 2**32 - 1))
def test_no_damage_makes_it_raise(at: int, number: int) -> None:
    """Any number anywhere in header, directory and table gives a verdict, and never that of another type."""
    assert judged(patched(SMALL, at, number)).verdict is not Verdict.MISMATCH
