"""What goes under .doc and .xls without being either: text, markup, and the formats before OLE2."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Finding, Verdict, inspect
from invoice_watcher.invoice import Kind

WHOLE, DOUBTFUL, CUT_OFF, MISMATCH = Verdict.WHOLE, Verdict.DOUBTFUL, Verdict.CUT_OFF, Verdict.MISMATCH
TABLE = "Item;Price\r\nToner;64,90\r\n"
HTML = "<html><body><p>Paid</p></body></html>"
MHTML = b'From: <Word>\nMIME-Version: 1.0\nContent-Type: multipart/related;\n\tboundary="a=_b"\n\n--a=_b\n\nx\n'


def judged(raw: bytes, kind: Kind = Kind.XLS) -> Verdict:
    """Return the verdict on some bytes, those of an .xls unless told."""
    return inspect(BytesIO(raw), len(raw), kind).verdict


@pytest.mark.parametrize("kind", [Kind.DOC, Kind.XLS])
@pytest.mark.parametrize(("raw", "expected"), [
    (rb"{\rtf1 a{\b b}\par}", WHOLE),
    (b"{\\rtf1 a}\r\n\0", WHOLE),
    (rb"{\rtf1 \{ \\}", WHOLE),
    (rb"{\rtf1 \{ \}", DOUBTFUL),
    (rb"{\rtf1 a{\b b}", DOUBTFUL),
    (rb"{\rtf1 a{\b b} and", DOUBTFUL),
    (rb"{\rtf1 a}" + bytes(64), DOUBTFUL),
    (rb"{\rt", CUT_OFF),
])  # fmt: skip
def test_rtf_is_whole_when_every_brace_is_closed(raw: bytes, expected: Verdict, kind: Kind) -> None:
    """The first brace opens the document, the last one closes it; escaped braces are text."""
    assert judged(raw, kind) is expected


@pytest.mark.parametrize("at", range(-4, 5))
def test_rtf_escapes_are_understood_wherever_the_text_is_read_in_pieces(at: int) -> None:
    """A backslash at the end of one piece belongs to the brace at the beginning of the next."""
    start = rb"{\rtf1 ".ljust(64 * 1024 + at, b"x")
    assert judged(start + rb"\}\\\{\\}") is WHOLE
    assert judged(start + rb"\}\\\{\}") is DOUBTFUL


@pytest.mark.parametrize("kind", [Kind.DOC, Kind.XLS])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("text", "expected"), [
    (HTML, WHOLE),
    ("\r\n <!DOCTYPE HTML>" + HTML.upper() + "\r\n\x1a", WHOLE),
    ("<!-- made by ERP -->" + HTML + "<!-- end -->", WHOLE),
    ("<table><tr><td>ä</td></tr></table>", WHOLE),
    ("<meta charset=x><table></table>", WHOLE),
    ('<?xml version="1.0"?>\n<?mso-application?>\n<w:Book>1</w:Book >', WHOLE),
    ('<Workbook xmlns="urn:x">1</Workbook>', WHOLE),
    ('<Workbook xmlns="urn:x"><a></a>', DOUBTFUL),
    ('<?xml version="1.0"?>', DOUBTFUL),
    ('<?xml version="1.0"?><a.b><axb></axb>', DOUBTFUL),
    ('\r\n<?xml version="1.0"?><a><b></b>', DOUBTFUL),
    ("<!doctype html><p>Paid</p>", DOUBTFUL),
    (HTML[:-1], DOUBTFUL),
    (HTML[:-7], DOUBTFUL),
    (HTML + "\0" * 64, DOUBTFUL),
    ("<", DOUBTFUL),
])  # fmt: skip
def test_markup_is_whole_when_its_root_is_closed(text: str, expected: Verdict, codec: str, kind: Kind) -> None:
    """Accounting software exports HTML and XML as .doc and .xls, in any encoding, and Office opens it."""
    assert judged(text.encode(codec), kind) is expected


def test_utf_16_cut_within_a_character_is_doubtful() -> None:
    """Half of the last character is missing."""
    assert judged(HTML.encode("utf-16")[:-1]) is DOUBTFUL
    assert judged(b"\xff\xfe<") is CUT_OFF


@pytest.mark.parametrize(("raw", "expected"), [
    (MHTML + b"--a=_b--\n", WHOLE),
    (MHTML.replace(b'"', b"") + b"--a=_b--\n", WHOLE),
    (MHTML + b"--a=_b\n", DOUBTFUL),
    (MHTML, DOUBTFUL),
    (b"MIME-Version: 1.0\nContent-Type: text/html\n\n<html></html>", DOUBTFUL),
    (b"MIME-Ver", CUT_OFF),
])  # fmt: skip
def test_mhtml_is_whole_with_its_closing_boundary(raw: bytes, expected: Verdict) -> None:
    """Word's single file web page ends with the boundary and two dashes (RFC 2046, 5.1.1)."""
    assert judged(raw, Kind.DOC) is expected


@pytest.mark.parametrize(("raw", "expected"), [
    (TABLE.encode(), WHOLE),
    (TABLE.replace("\r\n", "\r").encode(), WHOLE),
    (TABLE.replace(";", "\t").encode("utf-16"), WHOLE),
    (b"Invoice 12345\n\n" + TABLE.encode(), WHOLE),
    ("Größe;Zahl\nB;2\n".encode("cp1252"), WHOLE),
    ("Größe,Zahl\nB,2\n".encode("cp850"), WHOLE),
    (b"BM;MZ\nPK;II*\n", WHOLE),
    (TABLE.encode()[:-2], DOUBTFUL),
    (TABLE.encode() + b"X", DOUBTFUL),
    (b"Item;Price", DOUBTFUL), (b"Item;Price\n", DOUBTFUL),
    (TABLE.encode() + bytes(100), DOUBTFUL),
    (b"just a note\nin two lines\n", MISMATCH),
    (b"\x01;\x02\n;\x03\n", MISMATCH),
])  # fmt: skip
def test_a_table_of_text_is_whole_when_its_last_line_ends(raw: bytes, expected: Verdict) -> None:
    """Excel opens tables of text under .xls, in any encoding; mere text is none."""
    assert judged(raw) is expected


def test_a_table_of_text_is_no_word_document() -> None:
    """A .doc of plain text is told from a document."""
    finding = inspect(BytesIO(TABLE.encode()), len(TABLE), Kind.DOC)
    assert finding == Finding(MISMATCH, "the file is neither Word, RTF, HTML nor XML")


@pytest.mark.parametrize(("raw", "kind", "expected"), [
    (b"\x09\x00\x04\x00\x02\x00\x10\x00\x0a\x00\x00\x00", Kind.XLS, WHOLE),
    (b"\x09\x08\x08\x00\x00\x05\x10\x00\x01\x02\x03\x04\x0a\x00\x00\x00", Kind.XLS, WHOLE),
    (b"\x09\x08\x10\x00\x00\x06\x10\x00\x01\x02\x03\x04", Kind.XLS, DOUBTFUL),
    (b"\x09\x08\x10\x77\x00\x06\x10\x00\x01\x02\x03\x04", Kind.XLS, MISMATCH),
    (b"\xdb\xa5\x2d\x00" + b"x" * 500, Kind.DOC, DOUBTFUL),
    (b"\x31\xbe\x00\x00\x00\xab" + b"x" * 500, Kind.DOC, DOUBTFUL),
])  # fmt: skip
def test_formats_older_than_ole2_are_let_through(raw: bytes, kind: Kind, expected: Verdict) -> None:
    """Excel 2 to 5 wrote bare records, Word before 6 its own format; old software still does."""
    assert judged(raw, kind) is expected


@pytest.mark.parametrize(("raw", "kind", "what"), [
    (rb"{\rtf1 a{\b b", Kind.DOC, "the file lacks the closing brace of RTF"),
    (rb"{\rtf1 a{\b b}", Kind.DOC, "the file lacks a closing brace for each one opened in the RTF"),
    (HTML[:-1].encode(), Kind.DOC, "the file lacks a closing > at its end"),
    (HTML[:-7].encode(), Kind.DOC, "the file lacks the closing tag of its root"),
    (MHTML, Kind.DOC, "the file lacks the closing boundary of MHTML"),
    (b"\xdb\xa5\x2d\0" + b"x" * 500, Kind.DOC,
     "the file lacks a mark that would tell its end: it is of a very old Word"),
    (b"\x09\x08\x10\0\0\x06\x10\0", Kind.XLS, "the file lacks the EOF record of Excel"),
    (b"Item;Price\n", Kind.XLS, "the file lacks a second line of the table"),
    (TABLE[:-2].encode(), Kind.XLS, "the file lacks a line end after its last line"),
    (HTML.encode() + bytes(64), Kind.XLS, "the file ends in NUL bytes"),
])  # fmt: skip
def test_it_is_told_what_a_doubtful_text_lacks(raw: bytes, kind: Kind, what: str) -> None:
    """Whoever wonders why a file has to wait reads which mark of its format is missing."""
    assert inspect(BytesIO(raw), len(raw), kind) == Finding(DOUBTFUL, what)


@pytest.mark.parametrize("kind", [Kind.DOC, Kind.XLS])
@pytest.mark.parametrize(("raw", "name"), [
    (b"\x89PNG\r\n\x1a\n" + b"x" * 99, "a PNG image"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
    (b"GIF89a\x01\0\x01\0", "a GIF image"),
    (b"II*\0\x08\0\0\0", "a TIFF image"),
    (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "a bitmap image"),
    (b"\x1f\x8b\x08\0,;\n,;\n", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
    (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
    (b"\x7fELF\x02\x01\x01", "a Linux program"),
    (b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0", "a Windows program"),
    (b"\0\0\0\x18ftypmp42", "an MP4 video"),
    (b"%PDF-1.4\na,b\nc,d\n", "a PDF"),
])  # fmt: skip
def test_other_types_are_refused_by_name(raw: bytes, name: str, kind: Kind) -> None:
    """Whoever dropped a photo as an invoice reads that it is one."""
    finding = inspect(BytesIO(raw), len(raw), kind)
    assert finding.verdict is MISMATCH
    assert finding.what.startswith(f"the file is {name}")


@given(st.binary(min_size=1, max_size=200) | st.text(min_size=1).map(lambda text: text.encode("utf-16-le", "replace")))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Neither bytes nor text of any kind, whatever the extension."""
    assert {judged(raw + b"x", kind) for kind in Kind} <= set(Verdict)


@given(
    st.sampled_from([b"{\\rtf", b"<?xml ", b"<html", b"MIME-Version:", b"\xff\xfe<\0a\0", b"\x09\x08\x08\0"]),
    st.binary(),
)
def test_text_is_never_certainly_cut_off_nor_refused_once_it_began(start: bytes, rest: bytes) -> None:
    """No text tells for sure that it is not whole, so none is refused."""
    assert judged(start + b"x" + rest + b"x") is DOUBTFUL
