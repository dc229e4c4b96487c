"""Which documents are sent, which are refused and how, and which are given time."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.config import parse
from invoice_watcher.hints import REASONS, hint_for
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Rejected, Source
from invoice_watcher.settling import Unready
from invoice_watcher.validation import Document, Limits, validate

NAMING = Naming.of(r"[A-Za-z0-9_-]{1,64}")
LIMITS = Limits(max_size=10 * 1024 * 1024, incomplete_after=60.0)
LONG = 1000.0
PDF = b"%PDF-1.4\n%%EOF\n"
CUT = b"%PDF-1.4\n1 0 obj\n"
LINK = "https://billing.example.com/12345.pdf"
SHORTCUT = f"[InternetShortcut]\r\nURL={LINK}\r\n".encode()
SAMPLES = sorted(path for path in (Path(__file__).parent / "samples").glob("invoice.*"))


def judged(
    name: str, raw: bytes, *, unchanged_for: float = LONG, limits: Limits = LIMITS
) -> Document | Rejected | Unready:
    """Judge a file with this name and these bytes."""
    return validate(NAMING.read(name), BytesIO(raw), len(raw), unchanged_for, limits)


def rejection(name: str, raw: bytes, *, unchanged_for: float = LONG) -> tuple[int | None, str]:
    """Return the API's code and the reason with which a file is refused; its hint must be one of our own."""
    verdict = judged(name, raw, unchanged_for=unchanged_for)
    assert isinstance(verdict, Rejected)
    assert verdict.problem.source is Source.VALIDATION
    assert verdict.problem.reason in REASONS
    assert verdict.http_status is None
    return verdict.problem.code, verdict.problem.reason


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_kind_of_invoice_is_sent_whole(path: Path) -> None:
    """The five formats of the API document, read from their beginning."""
    raw = path.read_bytes()
    verdict = judged(f"12345{path.suffix.upper()}", raw)
    assert isinstance(verdict, Document)
    assert (verdict.file.read(), verdict.size, verdict.link) == (raw, len(raw), None)
    assert verdict.invoice.sent_name == f"12345{path.suffix}"


def test_a_shortcut_is_sent_as_its_link() -> None:
    """Of a .url file the link is sent, for the API downloads the document itself."""
    verdict = judged("12345.url", SHORTCUT)
    assert isinstance(verdict, Document)
    assert (verdict.invoice.sent_name, verdict.size, verdict.link) == ("12345.url", len(SHORTCUT), LINK)


@pytest.mark.parametrize(("name", "raw", "code", "reason"), [
    ("12345.txt", PDF, 106, "unsupported_format"),
    ("12345", PDF, 106, "unsupported_format"),
    ("12345.pdf.json", PDF, 106, "unsupported_format"),
    ("my invoice.pdf", PDF, 100, "bad_name"),
    ("..pdf", PDF, 100, "bad_name"),
    ("12345\n.pdf", PDF, 100, "bad_name"),
    ("12345.pdf", b"", 108, "empty"),
    ("12345.pdf", b"<html></html>", 106, "content_mismatch"),
    ("12345.docx", PDF, 106, "content_mismatch"),
    ("12345.pdf", CUT, None, "incomplete"),
    ("12345.url", b"[InternetShortcut]\r\nURL=file:///c:/12345.pdf\r\n", 104, "bad_link"),
    ("12345.url", b"[InternetShortcut]\r\n", 104, "bad_link"),
])  # fmt: skip
def test_what_the_api_would_refuse_is_refused_here(name: str, raw: bytes, code: int | None, reason: str) -> None:
    """What the API would refuse is refused without it, with the API's own code where it has one."""
    assert rejection(name, raw) == (code, reason)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("1.pdf.json", "This is only the receipt of a document: delete it, and move the document alone."),
        ("1.XLSX.JSON", "This is only the receipt of a document: delete it, and move the document alone."),
        ("1.json", hint_for("unsupported_format")),
    ],
)
def test_a_note_has_a_hint_of_its_own(name: str, hint: str) -> None:
    """Whoever moves a failed file back together with its .json file reads that only the document is wanted."""
    verdict = judged(name, b"{}")
    assert isinstance(verdict, Rejected)
    assert verdict.problem.hint == hint


def test_a_name_is_judged_before_the_content() -> None:
    """A clerk is told first what is easiest to mend, and nothing waits for a file that is none of ours."""
    assert rejection("my invoice.txt", b"", unchanged_for=0.0) == (106, "unsupported_format")
    assert rejection("my invoice.pdf", b"", unchanged_for=0.0) == (100, "bad_name")


def test_what_is_too_large_is_refused_by_its_size_alone() -> None:
    """The bytes were never copied; the sentence names both sizes."""
    verdict = validate(NAMING.read("12345.pdf"), None, LIMITS.max_size + 1, 0.0, LIMITS)
    assert isinstance(verdict, Rejected)
    assert (verdict.problem.code, verdict.problem.reason) == (109, "too_large")
    assert "10,485,761 bytes; at most 10,485,760" in verdict.problem.message


@pytest.mark.parametrize(("incomplete_after", "patience"), [(60.0, 2.0), (0.5, 0.5)])
def test_an_empty_file_is_given_a_moment_to_fill(incomplete_after: float, patience: float) -> None:
    """Its writer may have only just begun; after two seconds it is what it seems."""
    limits = Limits(LIMITS.max_size, incomplete_after)
    assert judged("12345.pdf", b"", unchanged_for=patience / 4, limits=limits) == Unready(
        "is still empty", wait=patience * 3 / 4, then="rejected"
    )
    assert isinstance(judged("12345.pdf", b"", unchanged_for=patience, limits=limits), Rejected)


def test_a_huge_file_is_no_shortcut() -> None:
    """A .url file of more than 64 KiB is refused for that, whatever link it begins with."""
    assert isinstance(judged("12345.url", SHORTCUT.ljust(64 * 1024, b"\n")), Document)
    assert rejection("12345.url", SHORTCUT.ljust(64 * 1024 + 1, b"\n")) == (104, "bad_link")


def test_a_bad_link_is_refused_with_its_reason() -> None:
    """A clerk reads what is wrong with the link."""
    verdict = judged("12345.url", SHORTCUT.replace(b"https:", b"ftp:"))
    assert isinstance(verdict, Rejected)
    assert verdict.problem.message == "The link begins with ftp:, not with http:// or https://"


def test_the_bounds_are_those_of_the_configuration() -> None:
    """`max_size` says what is too large, `settle.incomplete_after` how long a cut-off document is waited for."""
    config = parse("drop_dir: in\nmax_size: 5MiB\nsettle: {incomplete_after: 90s}", where="c.yaml", base=Path("/srv"))
    assert Limits.of(config) == Limits(max_size=5 * 2**20, incomplete_after=90.0)


def test_a_cut_off_document_is_given_its_time() -> None:
    """A slow copy is not refused while it may still grow; and the wait ends exactly when patience does."""
    assert judged("12345.pdf", CUT, unchanged_for=10.0) == Unready(
        "seems unfinished: the PDF ends without %%EOF", wait=50.0, then="rejected"
    )
    assert rejection("12345.pdf", CUT, unchanged_for=60.0) == (None, "incomplete")


def test_a_doubtful_document_is_sent_in_the_end() -> None:
    """A link whose line has no end may still grow; later it is taken as it is."""
    raw = SHORTCUT.rstrip()
    verdict = judged("12345.url", raw, unchanged_for=10.0)
    assert isinstance(verdict, Unready)
    assert verdict.then == "sent"
    assert isinstance(judged("12345.url", raw, unchanged_for=60.0), Document)


def test_what_can_never_become_a_document_does_not_wait() -> None:
    """A web page called .pdf is rejected at once."""
    assert rejection("12345.pdf", b"<html>", unchanged_for=0.0) == (106, "content_mismatch")


@given(
    st.sampled_from(["12345.pdf", "12345.docx", "12345.doc", "12345.xls", "12345.xlsx", "12345.url"]),
    st.one_of(st.binary(max_size=200), st.sampled_from([PDF, CUT, SHORTCUT]).flatmap(lambda raw: st.just(raw * 3))),
    st.floats(0, 100),
)
def test_every_file_gets_a_verdict(name: str, raw: bytes, unchanged_for: float) -> None:
    """Whatever is dropped, nothing is raised; no wait is longer than patience, and ends as it is foretold.

    The file stands at its beginning.
    """
    file = BytesIO(raw)
    verdict = validate(NAMING.read(name), file, len(raw), unchanged_for, LIMITS)
    in_the_end = validate(NAMING.read(name), BytesIO(raw), len(raw), LIMITS.incomplete_after, LIMITS)
    if isinstance(verdict, Unready):
        assert verdict.then == ("sent" if isinstance(in_the_end, Document) else "rejected")
    assert not isinstance(verdict, Unready) or 0 < (verdict.wait or 0) <= LIMITS.incomplete_after - unchanged_for
    assert not isinstance(verdict, Document) or verdict.file.tell() == 0
