"""ZIP archives that are, or are not, Office documents; whole and damaged."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Finding, Verdict, inspect
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


def archive_of(count: int, packed: int) -> bytes:
    """Return an archive of one part without a name, of four bytes, that its directory names so often, of so many."""
    part = b"PK\x03\x04" + bytes(26) + b"part"
    entries = (b"PK\x01\x02" + bytes(16) + struct.pack("<I", packed) + bytes(22)) * count
    return part + entries + b"PK\x05\x06" + bytes(8) + struct.pack("<IIH", len(entries), len(part), 0)


def patched(raw: bytes, at: int, written: bytes) -> bytes:
    """Return the document with other bytes at an offset."""
    return raw[:at] + written + raw[at + len(written) :]


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
    assert judged(b"\x01junk" + archive(*names)) is Verdict.MISMATCH


@pytest.mark.parametrize("kind", [Kind.DOC, Kind.XLS])
def test_an_archive_of_photos_is_no_old_document(kind: Kind) -> None:
    """Under .doc and .xls any Office document is taken, and other archives are refused."""
    assert judged(DOCX, kind) is Verdict.WHOLE
    assert judged(archive("photo.jpg"), kind) is Verdict.MISMATCH


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
    assert judged(patched(DOCX, at, struct.pack("<I", 1_000_000))) is Verdict.CUT_OFF
    assert judged(archive_of(1, packed=4)) is Verdict.MISMATCH, "all is there, and it is no document"
    assert judged(archive_of(1, packed=5)) is Verdict.CUT_OFF


def test_a_damaged_directory_is_seen() -> None:
    """Bytes of the directory that were lost in its midst are missing as those of a part are."""
    second = DOCX.index(b"PK\x01\x02", DOCX.index(b"PK\x01\x02") + 1)
    assert judged(patched(DOCX, second, bytes(4))) is Verdict.CUT_OFF


def test_parts_may_have_comments() -> None:
    """The directory of an archive may tell something of each part."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in (TYPES, "word/document.xml"):
            part = zipfile.ZipInfo(name)
            part.comment = b"made by hand"
            made.writestr(part, b"<xml/>")
    assert judged(buffer.getvalue()) is Verdict.WHOLE


@pytest.mark.parametrize(("field", "elsewhere"), [(20, len(b"<xml/>")), (42, 0)])
def test_a_number_that_zip64_tells_elsewhere_is_not_judged(field: int, elsewhere: int) -> None:
    """Of a part, ZIP64 may tell the length alone, or the place alone: then nothing is missing."""
    raw = archive(TYPES, content=b"<xml/>")
    entry, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    extra = struct.pack("<HHQ", 1, 8, elsewhere)
    made = patched(patched(raw, entry + field, b"\xff" * 4), entry + 30, struct.pack("<H", len(extra)))
    made = made[:end] + extra + patched(made[end:], 12, struct.pack("<I", end - entry + len(extra)))
    with zipfile.ZipFile(BytesIO(made)) as read:
        assert read.read(TYPES) == b"<xml/>"
    assert judged(made) is Verdict.WHOLE


def test_an_archive_of_too_many_parts_is_doubtful() -> None:
    """Of ten thousand parts and more it is not known whether there is a Word document among them."""
    assert judged(archive_of(9_999, packed=4)) is Verdict.MISMATCH
    assert judged(archive_of(10_001, packed=4)) is Verdict.DOUBTFUL
    assert judged(archive_of(30_000, packed=4)) is Verdict.DOUBTFUL


@pytest.mark.parametrize("behind", [b"\r\n", b"\0" * 5000, b"-----BEGIN PGP SIGNATURE-----"])
def test_bytes_around_an_archive_are_tolerated(behind: bytes) -> None:
    """As Word and zipfile do, whether they stand in front, behind, or in the comment."""
    assert judged(DOCX + behind) is Verdict.WHOLE
    assert judged(b"\x01junk" * 100 + DOCX + behind) is Verdict.WHOLE
    assert judged(archive(TYPES, comment=behind)) is Verdict.WHOLE


def test_doubt_where_the_end_is_not_where_the_archive_says() -> None:
    """A comment cut off, or more behind the end than any reader skips, has to wait."""
    assert judged(archive(TYPES, comment=b"x" * 50)[:-1]) is Verdict.DOUBTFUL
    assert judged(DOCX + bytes(65_535)) is Verdict.WHOLE
    assert judged(DOCX + bytes(65_536)) is Verdict.DOUBTFUL
    assert judged(b"\x01junk" + DOCX + bytes(65_535)) is Verdict.WHOLE
    assert judged(b"\x01junk" + DOCX + bytes(65_536)) is Verdict.MISMATCH, "what begins as none has to end as one"


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


SECOND = DOCX.index(b"PK\x03\x04", 1)
FIRST_ENTRY = DOCX.index(b"PK\x01\x02")


FAULTY = {
    "the document (a ZIP archive) ends without its directory": (Verdict.CUT_OFF, DOCX[:100]),
    "the document (a ZIP archive) is shorter than its directory says": (Verdict.CUT_OFF, DOCX[:50] + DOCX[60:]),
    "the document (a ZIP archive) lacks bytes of its parts": (Verdict.CUT_OFF, archive_of(1, packed=5)),
    "a part of the document (a ZIP archive) is not where its directory says": (
        Verdict.CUT_OFF,
        patched(DOCX, SECOND, bytes(4)),
    ),
    "the directory of the document (a ZIP archive) cannot be read": (
        Verdict.CUT_OFF,
        patched(DOCX, FIRST_ENTRY, bytes(4)),
    ),
    "the document (a ZIP archive) goes on after its directory": (Verdict.CUT_OFF, DOCX + b"PK\x03\x04"),
    "the last directory in the document (a ZIP archive) is not the document's own": (
        Verdict.DOUBTFUL,
        b"PK\x03\x04" + bytes(99) + DOCX,
    ),
    "the document (a ZIP archive) does not end where it says": (Verdict.DOUBTFUL, DOCX + bytes(65_536)),
    "the document (a ZIP archive) has too many parts to look at": (Verdict.DOUBTFUL, archive_of(10_000, packed=4)),
    "the file is a ZIP archive, not a Word document": (Verdict.MISMATCH, archive("photo.jpg")),
    "the file is an Excel workbook, not a Word document": (Verdict.MISMATCH, archive(TYPES, "xl/workbook.xml")),
    "the file is an OpenDocument file, not a Word document": (
        Verdict.MISMATCH,
        archive("mimetype", content=b"application/vnd.oasis.opendocument.text"),
    ),
}


@pytest.mark.parametrize("what", FAULTY)
def test_it_is_told_why_an_archive_is_no_whole_document(what: str) -> None:
    """A clerk reads what is missing in a .docx, what is odd about it, or what it is instead."""
    verdict, raw = FAULTY[what]
    assert inspect(BytesIO(raw), len(raw), Kind.DOCX) == Finding(verdict, what)


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
