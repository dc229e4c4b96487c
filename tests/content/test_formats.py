"""Each extension that may be dropped has its form: what is no document of it is called by its name."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from invoice_watcher.content import Finding, Verdict, inspect
from invoice_watcher.invoice import Kind

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200)) * 8


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.URL])
def test_another_file_is_called_by_its_name(kind: Kind) -> None:
    """A picture that was renamed is no document of any kind, and the clerk is told what it is and what was expected."""
    found = inspect(io.BytesIO(PICTURE), len(PICTURE), kind)
    assert found.verdict is Verdict.MISMATCH
    assert found.what.startswith("the file is a PNG image, not a")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.URL])
def test_nothing_known(kind: Kind) -> None:
    """Of bytes that begin like nothing known, it is said that they are no document of the kind."""
    noise = bytes(range(128, 256)) * 20
    found = inspect(io.BytesIO(noise), len(noise), kind)
    assert (found.verdict, "not" in found.what or "neither" in found.what) == (Verdict.MISMATCH, True)


@pytest.mark.parametrize("kind", [Kind.DOCX, Kind.XLSX])
@pytest.mark.parametrize(("front", "expected"), [
    (PICTURE, Verdict.MISMATCH), (b"<html></html>", Verdict.MISMATCH), (bytes(1024), Verdict.CUT_OFF),
    (b"\1junk", Verdict.WHOLE),
])  # fmt: skip
def test_another_file_with_a_document_behind_it(front: bytes, expected: Verdict, kind: Kind) -> None:
    """What is known to be something else, or was not written yet, is no document, though an archive ends it."""
    raw = front + (Path(__file__).parents[1] / f"samples/invoice.{kind}").read_bytes()
    assert inspect(io.BytesIO(raw), len(raw), kind).verdict is expected


@pytest.mark.parametrize(("raw", "verdict", "what"), [
    (bytes(2000), Verdict.CUT_OFF, "the file begins with NUL bytes: its content was not written"),
    (b"%PD\0\0", Verdict.CUT_OFF, "the file holds no more than its first few bytes"),
    (b"PE\0\0" + bytes(100), Verdict.MISMATCH, "the file does not begin with %PDF-, so it is not a PDF"),
    (b"\r\n<p>", Verdict.MISMATCH, "the file is an HTML or XML document, not a PDF"),
])  # fmt: skip
def test_it_is_told_what_a_file_is_in_place_of_a_document(raw: bytes, verdict: Verdict, what: str) -> None:
    """A clerk reads whether hardly anything was written yet, or what the file is; two letters alone prove nothing."""
    assert inspect(io.BytesIO(raw), len(raw), Kind.PDF) == Finding(verdict, what)


def test_a_shortcut_without_a_link() -> None:
    """A shortcut may hold anything but for its link: without one it is looked at again later."""
    found = inspect(io.BytesIO(PICTURE), len(PICTURE), Kind.URL)
    assert found.verdict is Verdict.DOUBTFUL
