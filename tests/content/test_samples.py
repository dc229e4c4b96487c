"""Real documents, as LibreOffice, qpdf and Windows write them, whole and damaged as copies are."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.content import Verdict, inspect
from invoice_watcher.invoice import Kind

SAMPLES = {
    path.name: path.read_bytes()
    for path in sorted((Path(__file__).parent.parent / "samples").iterdir())
    if path.suffix[1:] in set(Kind)
}
# These formats prove their own end. Of a text one can only hope that it was cut at an awkward place.
PROVABLE = sorted(name for name, raw in SAMPLES.items() if raw.startswith((b"%PDF", b"PK", b"\xd0\xcf")))
# An updated PDF cut behind its first revision, or within the line end there, is that revision.
EARLIER_REVISIONS = {"updated.pdf": SAMPLES["updated.pdf"].index(b"%%EOF") + 5}


def verdict(raw: bytes, kind: Kind) -> Verdict:
    """Return the verdict on some bytes."""
    return inspect(BytesIO(raw), len(raw), kind).verdict


def kind_of(name: str) -> Kind:
    """Return the kind that a sample's extension says."""
    return Kind(name.rpartition(".")[2])


def is_whole_all_the_same(name: str, length: int) -> bool:
    """Whether the first bytes of a sample are a whole PDF: an earlier revision, or all but a line end."""
    earlier = EARLIER_REVISIONS.get(name, -2)
    return name.endswith(".pdf") and (length in {earlier, earlier + 1} or length >= len(SAMPLES[name].rstrip(b"\n")))


def test_every_format_has_a_sample() -> None:
    """The tests below mean nothing without documents to run on."""
    assert len(SAMPLES) >= 19
    assert len(PROVABLE) >= 11


@pytest.mark.parametrize("name", SAMPLES)
def test_a_whole_document_is_whole(name: str) -> None:
    """What an office program saved is sent without waiting."""
    assert verdict(SAMPLES[name], kind_of(name)) is Verdict.WHOLE


@pytest.mark.parametrize("name", SAMPLES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_no_beginning_of_a_document_is_refused_as_another_type(name: str, share: float) -> None:
    """A document that is still growing is waited for, however little of it there is."""
    beginning = SAMPLES[name][: max(1, int(share * len(SAMPLES[name])))]
    assert verdict(beginning, kind_of(name)) is not Verdict.MISMATCH


@pytest.mark.parametrize("name", PROVABLE)
@given(share=st.floats(0, 1, exclude_max=True))
def test_no_beginning_of_a_document_is_whole(name: str, share: float) -> None:
    """A PDF or Office document cut off anywhere is not taken for whole."""
    length = max(1, int(share * len(SAMPLES[name])))
    expected = is_whole_all_the_same(name, length)
    assert (verdict(SAMPLES[name][:length], kind_of(name)) is Verdict.WHOLE) is expected


@pytest.mark.parametrize("name", PROVABLE)
@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 6, 20, 21, 22, 23, 64, 511, 512, 513, 1024])
def test_a_document_that_lacks_its_last_bytes_is_not_whole(name: str, missing: int) -> None:
    """The last bytes matter as much as the middle: a cut inside the end mark is seen."""
    length = len(SAMPLES[name]) - missing
    expected = is_whole_all_the_same(name, length)
    assert (verdict(SAMPLES[name][:length], kind_of(name)) is Verdict.WHOLE) is expected


@pytest.mark.parametrize("name", PROVABLE)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_document_whose_space_was_reserved_is_not_whole(name: str, share: float) -> None:
    """A copy that was given its size first and then broke off has NUL bytes where the rest should be."""
    raw = SAMPLES[name]
    # Less than the last sector of OLE2 cannot be told from its padding.
    most = len(raw) - 512 if raw.startswith(b"\xd0\xcf") else len(raw) - 1
    written = max(0, min(most, int(share * len(raw))))
    reserved = raw[:written].ljust(len(raw), b"\0")
    expected = reserved == raw or is_whole_all_the_same(name, written)
    assert (verdict(reserved, kind_of(name)) is Verdict.WHOLE) is expected


@pytest.mark.parametrize("name", [name for name in PROVABLE if not name.startswith("encrypted.")])
@pytest.mark.parametrize("garbage", [b"\n", b"\r\n\r\n", b" " * 700, b"\0" * 700, b"<!-- served in 3 ms -->\n"])
def test_a_little_garbage_behind_a_document_does_no_harm(name: str, garbage: bytes) -> None:
    """Mail gateways and web servers append bytes, and office programs open the document all the same."""
    assert verdict(SAMPLES[name] + garbage, kind_of(name)) is Verdict.WHOLE


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.endswith((".pdf", ".docx", ".xlsx"))])
@given(behind=st.lists(st.sampled_from(b"\0\r\n\t <>=!%-.019acdETX\x1a\xff"), max_size=64))
def test_a_document_is_never_refused_for_bytes_behind_it(name: str, behind: list[int]) -> None:
    """Whatever short thing follows that is no part of the format, it may have to wait, but it is sent."""
    assert verdict(SAMPLES[name] + bytes(behind), kind_of(name)) in {Verdict.WHOLE, Verdict.DOUBTFUL}


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in PROVABLE and not name.endswith(".url")])
@given(share=st.floats(0, 1, exclude_max=True))
def test_text_that_ends_in_many_nul_bytes_is_not_whole(name: str, share: float) -> None:
    """A broken copy of a text leaves a long run of NUL bytes too."""
    written = SAMPLES[name][: int(share * len(SAMPLES[name]))]
    assert verdict(written + bytes(4096), kind_of(name)) is not Verdict.WHOLE


@pytest.mark.parametrize(("start", "kind"), [
    (b"%PD", Kind.PDF), (b"PK", Kind.DOCX), (b"\xd0\xcf\x11", Kind.XLSX), (b"{\\rt", Kind.DOC), (b"\xff\xfe", Kind.XLS),
])  # fmt: skip
def test_a_file_with_hardly_a_beginning_is_waited_for(start: bytes, kind: Kind) -> None:
    """The first bytes of a copy, with the space for the others reserved or not, are no other type."""
    assert verdict(start, kind) is verdict(start + bytes(9000), kind) is Verdict.CUT_OFF


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.URL])
def test_a_file_whose_beginning_is_missing_is_waited_for(kind: Kind) -> None:
    """Parts of a copy may arrive out of order."""
    assert verdict(bytes(1024) + b"%%EOF", kind) is Verdict.CUT_OFF


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.URL])
@pytest.mark.parametrize("size", [1, 7, 512, 5000, 100_000])
def test_a_file_of_nul_bytes_is_waited_for(kind: Kind, size: int) -> None:
    """A file that has its size and not yet its content is cut off, not another type."""
    assert verdict(bytes(size), kind) is Verdict.CUT_OFF


@pytest.mark.parametrize(("name", "kind", "what"), [
    ("invoice.docx", Kind.PDF, "ZIP archive or an Office document"),
    ("invoice.doc", Kind.PDF, "an old Office file"),
    ("rtf.doc", Kind.PDF, "an RTF document"),
    ("html.xls", Kind.PDF, "an HTML or XML document"),
    ("html16.xls", Kind.DOCX, "an HTML or XML document"),
    ("invoice.pdf", Kind.DOC, "a PDF"),
    ("invoice.pdf", Kind.XLSX, "a PDF"),
    ("invoice.xlsx", Kind.DOCX, "an Excel workbook, not a Word document"),
    ("invoice.docx", Kind.XLSX, "a Word document, not an Excel workbook"),
    ("shortcut.url", Kind.PDF, "an Internet shortcut"),
])  # fmt: skip
def test_a_wrong_extension_is_told_by_the_true_type(name: str, kind: Kind, what: str) -> None:
    """A clerk who renamed a file reads what it really is."""
    finding = inspect(BytesIO(SAMPLES[name]), len(SAMPLES[name]), kind)
    assert finding.verdict is Verdict.MISMATCH
    assert what in finding.what


@pytest.mark.parametrize(("name", "kind"), [
    ("invoice.docx", Kind.DOC), ("invoice.docx", Kind.XLS), ("invoice.xlsx", Kind.DOC), ("rtf.doc", Kind.XLS),
    ("wordml.doc", Kind.XLS), ("mhtml.doc", Kind.XLS), ("html.xls", Kind.DOC), ("invoice.doc", Kind.XLS),
    ("invoice.xls", Kind.DOC), ("encrypted.docx", Kind.XLSX), ("invoice.doc", Kind.DOCX),
])  # fmt: skip
def test_what_office_opens_all_the_same_is_let_through(name: str, kind: Kind) -> None:
    """The old extensions hold almost anything, and the API looks at the extension alone."""
    assert verdict(SAMPLES[name], kind) is Verdict.WHOLE
