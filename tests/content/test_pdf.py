"""PDFs as sloppy software writes them, and as broken copies leave them."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Finding, Verdict, inspect
from invoice_watcher.invoice import Kind

BODY = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n"
END = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 1>>\nstartxref\n43\n%%EOF"
WHOLE = BODY + END + b"\n"
UPDATE = b"7 0 obj\n<</Type/Annot>>\nendobj\n" + END + b"\n"


def judged(raw: bytes) -> Finding:
    """Return what is found in the bytes of a .pdf."""
    return inspect(BytesIO(raw), len(raw), Kind.PDF)


class InParts(BytesIO):
    """A file that gives a hundred bytes at a time, as one on FUSE may."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Give so many at most."""
        return super().read(100 if size is None or size < 0 else min(size, 100))


def test_a_document_that_is_given_in_parts_is_judged_as_a_whole() -> None:
    """A file system may give less than was asked for; no whole document is called cut off, or unknown, for that."""
    raw = b"x" * 1000 + BODY + bytes(5000) + END
    assert inspect(InParts(raw), len(raw), Kind.PDF) == judged(raw)
    assert judged(raw).verdict is Verdict.WHOLE


@pytest.mark.parametrize("before", [
    b"\xef\xbb\xbf", b"\r\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n", b"\0" * 128, b"x" * 1019,
])  # fmt: skip
def test_bytes_in_front_of_the_header_are_tolerated(before: bytes) -> None:
    """Acrobat finds the header within the first 1,024 bytes, so such a PDF is sent."""
    assert judged(before + WHOLE).verdict is Verdict.WHOLE


def test_the_old_postscript_header_is_a_pdf() -> None:
    """Acrobat also takes `%!PS-Adobe-3.0 PDF-1.4`."""
    assert judged(WHOLE.replace(b"%PDF-1.4", b"%!PS-Adobe-3.0 PDF-1.4")).verdict is Verdict.WHOLE


def test_no_header_within_reach_is_no_pdf() -> None:
    """Behind the first kilobyte nobody looks for the header."""
    finding = judged(b"x" * 1024 + WHOLE)
    assert finding == Finding(Verdict.MISMATCH, "the file does not begin with %PDF-, so it is not a PDF")


def test_a_pdf_without_its_end_mark_is_cut_off() -> None:
    """A copy that stopped is said to have no end."""
    assert judged(BODY) == Finding(Verdict.CUT_OFF, "the PDF ends without %%EOF")


@pytest.mark.parametrize("kept", [b"", b"%", b"%%", b"%%EO"])
def test_a_cut_inside_the_end_mark_is_seen(kept: bytes) -> None:
    """Even when the last revision's `%%EOF` lacks a single letter, and an earlier one is complete."""
    assert judged(BODY + END[:-5] + kept).verdict is Verdict.CUT_OFF
    assert judged(WHOLE + UPDATE.rstrip()[:-5] + kept).verdict is Verdict.CUT_OFF


def test_a_cut_update_is_cut_off_from_its_first_object_on() -> None:
    """A PDF signed or annotated later ends twice; the part between the ends is not lost."""
    verdicts = [judged(WHOLE + UPDATE[:kept]).verdict for kept in range(1, len(UPDATE) - 1)]
    assert Verdict.WHOLE not in verdicts
    assert set(verdicts[len(b"7 0 obj") - 1 :]) == {Verdict.CUT_OFF}
    assert judged(WHOLE + UPDATE).verdict is Verdict.WHOLE


def test_an_update_cut_far_behind_the_first_end_is_found() -> None:
    """The search goes through the whole remainder, across the windows in which it is read."""
    for padding in range(256 * 1024 - 12, 256 * 1024 + 4):
        assert judged(WHOLE + b"\n" * padding + b"7 0 obj\n<<").verdict is Verdict.CUT_OFF


def test_a_linearized_pdf_must_have_the_length_that_it_tells() -> None:
    """A PDF made for the web says in its first object how long it is."""
    linearized = b"%%PDF-1.4\n1 0 obj\n<</Linearized 1/L %7d/O 3>>\nendobj\n" + END.replace(b"%", b"%%")
    length = len(linearized % 0)
    assert judged(linearized % length).verdict is Verdict.WHOLE
    assert judged(b"\n\n" + linearized % length).verdict is Verdict.WHOLE
    assert judged(linearized % (length + 3)).verdict is Verdict.CUT_OFF
    assert judged(b"\n" * 100 + linearized % (length + 3)).verdict is Verdict.CUT_OFF
    assert judged(linearized % (length + 2)).verdict is Verdict.WHOLE, "only the last line end is missing"
    assert judged((linearized % length) + b"\n" + UPDATE).verdict is Verdict.WHOLE, "updated later"


def test_only_the_first_object_tells_the_length() -> None:
    """A PDF may speak of another one that was made for the web; that one's length is not its own."""
    assert judged(BODY + b"2 0 obj\n<</Linearized 1/L 999999>>\nendobj\n" + END).verdict is Verdict.WHOLE


@pytest.mark.parametrize("garbage", [
    b"\n" * 1024, b"\0" * 1024, b"\x1a",
    b'<object data="x.pdf"></object> application/octet-stream\r\n', b"5 objects",
])  # fmt: skip
def test_up_to_a_kilobyte_of_garbage_is_tolerated(garbage: bytes) -> None:
    """Acrobat looks for the end within the last 1,024 bytes; a web page there is no PDF going on."""
    assert judged(BODY + END + garbage).verdict is Verdict.WHOLE


def test_more_garbage_makes_it_doubtful_and_no_worse() -> None:
    """Long padding may stand for content not yet written, and then again it may not."""
    assert {judged(BODY + END + bytes(1025 + more)).verdict for more in range(1030)} == {Verdict.DOUBTFUL}


def test_a_pdf_without_startxref_is_sent_when_nothing_follows_its_end() -> None:
    """Readers rebuild the table of such a PDF; with more behind the mark it might be chance."""
    assert judged(BODY + b"%%EOF\r\n").verdict is Verdict.WHOLE
    assert judged(BODY + b"%%EOF\0\0").verdict is Verdict.WHOLE
    assert judged(BODY + b"%%EOF ...").verdict is Verdict.DOUBTFUL
    assert judged(BODY + b"%%EOF X").verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(("raw", "verdict", "what"), [
    (WHOLE + UPDATE[:20], Verdict.CUT_OFF, "the PDF goes on after its last %%EOF and then ends without one"),
    (b"%PDF-1.4\n1 0 obj\n<</Linearized 1/L 999/O 3>>\nendobj\n" + END, Verdict.CUT_OFF,
     "the PDF is shorter than its beginning says"),
    (WHOLE + bytes(1025), Verdict.DOUBTFUL, "the PDF is followed by more than 1 KiB that is not PDF"),
    (WHOLE + b"7 0", Verdict.DOUBTFUL, "the PDF seems to go on after its last %%EOF"),
    (BODY + b"%%EOF ...", Verdict.DOUBTFUL,
     "the PDF has no startxref before its last %%EOF, and more behind it"),
])  # fmt: skip
def test_it_is_told_why_a_pdf_is_not_whole(raw: bytes, verdict: Verdict, what: str) -> None:
    """A clerk reads what is wrong with the end of a PDF."""
    assert judged(raw) == Finding(verdict, what)


PARTS = [b"%PDF-", b"%%EOF", b"startxref", b"1 0 obj", b"/Linearized", b"/L 9", b"\n", b"\0" * 99]


@given(st.lists(st.sampled_from(PARTS)))
def test_no_bytes_make_it_raise(parts: list[bytes]) -> None:
    """Whatever the clerk drops, the daemon goes on."""
    raw = b"%PDF-" + b"".join(parts)
    assert judged(raw).verdict in {Verdict.WHOLE, Verdict.DOUBTFUL, Verdict.CUT_OFF}
