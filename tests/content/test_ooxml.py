"""ZIP archives that are, or are not, Office documents; whole and damaged."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Verdict, inspect
from invoice_watcher.invoice import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = "[Content_Types].xml"


def archive(*names: str, comment: bytes = b"", content: bytes = b"<xml/>" * 20) -> bytes:
    """Return a ZIP archive of members with these names."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, content)
        made.comment = comment
    return buffer.getvalue()


DOCX = archive(TYPES, "_rels/.rels", "word/document.xml")


def judged(raw: bytes, kind: Kind = Kind.DOCX) -> Verdict:
    """Return the verdict on a document, which is a Word document unless told."""
    return inspect(BytesIO(raw), len(raw), kind).verdict


@pytest.mark.parametrize("names", [
    (TYPES, "word/document.xml"), ("[CONTENT_TYPES].XML", "Word/Document.xml"), (TYPES, "word\\document.xml"),
    (TYPES, "word/document.xml", "word/vbaProject.bin"), (TYPES, "word/document.xml", "xl/workbook.xml"),
    (TYPES,), ("/" + TYPES, "/word/document.xml"), (TYPES, "mimetype", "word/document.xml"),
])  # fmt: skip
def test_word_documents_of_any_make_are_whole(names: Sequence[str]) -> None:
    """Macros, odd letter case, backslashes, unknown parts: Word opens them, the API takes them."""
    assert judged(archive(*names)) is Verdict.WHOLE


@pytest.mark.parametrize("names", [
    ("word/document.xml",), ("photo.jpg",), ("mimetype", "content.xml"), (), (TYPES, "xl/workbook.xml"),
])  # fmt: skip
def test_other_archives_are_no_word_documents(names: Sequence[str]) -> None:
    """A ZIP archive of photos, an OpenDocument text or a workbook is refused by name."""
    assert judged(archive(*names)) is Verdict.MISMATCH


def test_a_cut_open_document_is_told_from_its_beginning() -> None:
    """LibreOffice's own format says in its first bytes what it is, so there is nothing to wait for."""
    odt = archive("mimetype", content=b"application/vnd.oasis.opendocument.text")
    assert judged(odt) is judged(odt[:100]) is Verdict.MISMATCH


@pytest.mark.parametrize("kind", [Kind.DOC, Kind.DOCX, Kind.XLS, Kind.XLSX])
def test_an_archive_without_its_directory_is_cut_off(kind: Kind) -> None:
    """The directory comes last, so a cut copy has none, nor part of one."""
    assert {judged(DOCX[:length], kind) for length in range(1, len(DOCX))} == {Verdict.CUT_OFF}


def test_a_gap_in_the_middle_is_seen() -> None:
    """When the end of a copy arrives before the middle, a part is not where the directory says."""
    at = DOCX.index(b"PK\x03\x04", 1)
    assert judged(DOCX[:at] + bytes(64) + DOCX[at + 64 :]) is Verdict.CUT_OFF


def test_an_archive_that_lost_bytes_on_the_way_is_cut_off() -> None:
    """A transfer in text mode drops bytes; then the directory says more than there is."""
    assert judged(DOCX[:50] + DOCX[60:]) is Verdict.CUT_OFF
    assert judged(DOCX[:50] + DOCX[-22:]) is Verdict.CUT_OFF


def test_a_part_longer_than_the_archive_is_cut_off() -> None:
    """A part may not reach into the directory."""
    at = DOCX.index(b"PK\x01\x02") + 20
    assert judged(DOCX[:at] + struct.pack("<I", 1_000_000) + DOCX[at + 4 :]) is Verdict.CUT_OFF


@pytest.mark.parametrize("behind", [b"\r\n", b"\0" * 5000, b"-----BEGIN PGP SIGNATURE-----"])
def test_bytes_around_an_archive_are_tolerated(behind: bytes) -> None:
    """As Word and zipfile do, whether they stand in front, behind, or in the comment."""
    assert judged(DOCX + behind) is Verdict.WHOLE
    assert judged(b"\x01junk" * 100 + DOCX + behind) is Verdict.WHOLE
    assert judged(archive(TYPES, comment=behind)) is Verdict.WHOLE


def test_doubt_where_the_end_is_not_where_the_archive_says() -> None:
    """A comment cut off, or more behind the end than any reader skips, has to wait."""
    assert judged(archive(TYPES, comment=b"x" * 50)[:-1]) is Verdict.DOUBTFUL
    assert judged(DOCX + bytes(70_000)) is Verdict.DOUBTFUL


def test_the_end_of_an_embedded_archive_is_not_the_documents_end() -> None:
    """A workbook embedded in a document brings its own directory along."""
    outer = archive(TYPES, "word/embeddings/1.xlsx", "word/document.xml", content=archive(TYPES, "xl/workbook.xml"))
    verdicts = {judged(outer[:length]) for length in range(1, len(outer))}
    assert verdicts == {Verdict.CUT_OFF, Verdict.DOUBTFUL}
    assert judged(outer) is Verdict.WHOLE


class Unseekable(BytesIO):
    """What makes zipfile write sizes behind the parts, as LibreOffice does."""

    def seekable(self) -> bool:
        """Return that it is not."""
        return False


def test_zip64_is_read() -> None:
    """Some libraries write ZIP64 records into the smallest workbook."""
    buffer: BinaryIO = Unseekable()
    with zipfile.ZipFile(buffer, "w") as made, made.open(TYPES, "w", force_zip64=True) as part:
        part.write(b"<xml/>")
    raw = buffer.getvalue() if isinstance(buffer, BytesIO) else b""
    end = raw.rindex(b"PK\x05\x06")
    size, offset = struct.unpack_from("<II", raw, end + 12)
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2)
    made64 = raw[:end] + end64 + locator + last
    with zipfile.ZipFile(BytesIO(made64)) as read:
        assert read.namelist() == [TYPES]
    assert judged(made64, Kind.XLSX) is Verdict.WHOLE
    assert judged(made64[:-1], Kind.XLSX) is Verdict.CUT_OFF


def test_nothing_is_decompressed() -> None:
    """A part that claims to unpack to terabytes costs nothing: its content is never looked at."""
    at = DOCX.index(b"PK\x01\x02")
    bomb = DOCX[: at + 10] + struct.pack("<H", 99) + DOCX[at + 12 : at + 24] + b"\xfe" * 4 + DOCX[at + 28 :]
    assert judged(bomb) is Verdict.WHOLE


@given(st.integers(0, len(DOCX) - 1), st.binary(min_size=1, max_size=8))
def test_no_damage_makes_it_raise(at: int, written: bytes) -> None:
    """Any bytes anywhere in a .docx or .xlsx archive give a verdict."""
    assert judged(DOCX[:at] + written + DOCX[at + len(written) :]) in Verdict


RECORDS = [b"PK\x05\x06", b"PK\x06\x06", b"PK\x01\x02", b"PK\x03\x04", b"\xff" * 7, bytes(23)]


@given(st.lists(st.sampled_from(RECORDS)))
def test_no_mixture_of_records_makes_it_raise(parts: list[bytes]) -> None:
    """The ZIP format's own records in any order and number give a verdict."""
    raw = b"PK\x03\x04" + b"".join(parts)
    assert judged(raw) in Verdict
