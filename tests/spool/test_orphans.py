"""What is left of a failure goes when its document goes through under another name; nothing else ever goes."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import pacing
from invoice_watcher.spool import orphans
from invoice_watcher.spool.orphans import Orphans
from tests.support.box import OTHER_PDF, PDF, written

if TYPE_CHECKING:
    from tests.support.box import Box

SHA256 = hashlib.sha256(PDF).hexdigest()
RECEIPT = "failed/999.pdf.json"


@pytest.fixture
def known(box: Box) -> Orphans:
    """Look after these folders."""
    return Orphans(box.folders)


def test_the_document_was_renamed(box: Box, known: Orphans) -> None:
    """The receipt of a failure whose document was delivered under another name is gone."""
    box.put(RECEIPT, written("failed", "999.pdf"))
    known.went_through(SHA256)
    assert box.names() == set()


def test_a_delivery_that_was_cut_short_counts_too(box: Box) -> None:
    """The program died before it had filed what it had sent: the receipt of its failure goes all the same."""
    box.put(RECEIPT, written("failed", "999.pdf"))
    box.put(".processing/12345.pdf", PDF)
    box.put(".processing/12345.pdf.json", written("done"))
    box.spool().recover()
    assert box.names() == {"done/12345.pdf", "done/12345.pdf.json"}


def test_it_is_found_whenever_it_came(box: Box, known: Orphans) -> None:
    """Also one whose document was taken out after the first look."""
    known.went_through(SHA256)
    box.put("failed/999.pdf", PDF)
    box.put(RECEIPT, written("failed", "999.pdf"))
    known.went_through(SHA256)
    assert RECEIPT in box.names()
    os.unlink(box.failed / "999.pdf")
    known.went_through(SHA256)
    assert box.names() == set()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({RECEIPT: written("failed", "999.pdf", OTHER_PDF)}, "it is about another document"),
        ({RECEIPT: written("failed", "999.pdf"), "failed/999.pdf": PDF}, "its document lies beside it"),
        ({RECEIPT: written("failed", "999.pdf"), "999.pdf": PDF}, "another of the same bytes is on its way"),
        ({RECEIPT: written("failed", "999.pdf"), ".processing/999.pdf": PDF}, "it is being sent"),
        ({RECEIPT: written("done", "999.pdf")}, "it is no receipt of a failure"),
        ({RECEIPT: written("failed", "12345.pdf")}, "it is the receipt of another name"),
        ({RECEIPT: b"{}"}, "it is no receipt"),
        ({"failed/999.pdf": written("failed", "999.pdf")}, "it has another ending"),
        ({RECEIPT: written("failed", "999.pdf"), f"{RECEIPT}.json": written("failed", "999.pdf.json")}, "a document"),
    ],
)
def test_what_stays(box: Box, known: Orphans, files: dict[str, bytes], why: str) -> None:
    """A receipt stays unless it is surely that of a failure of these bytes, with nothing beside it or on its way."""
    for place, raw in files.items():
        box.put(place, raw)
    known.went_through(SHA256)
    assert box.files() == files, why


def test_a_crowded_folder(box: Box, known: Orphans, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with more names than are looked through nothing is removed; with fewer again, it is made up for."""
    monkeypatch.setattr(orphans, "MOST", 2)
    box.put(RECEIPT, written("failed", "999.pdf"))
    for number in range(2):
        box.put(f"failed/{number}.pdf", PDF)
    known.went_through(SHA256)
    assert RECEIPT in box.names()
    os.unlink(box.failed / "0.pdf")
    known.went_through(SHA256)
    assert RECEIPT not in box.names()


def test_a_long_look_is_followed_by_a_rest(box: Box, known: Orphans, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it rests nothing is looked for, and what was delivered meanwhile is not forgotten."""
    monkeypatch.setattr(pacing, "LONG", -1.0)
    monkeypatch.setattr(pacing, "REST", 1e9)
    known.went_through(None)
    known.went_through("0" * 64)
    box.put(RECEIPT, written("failed", "999.pdf"))
    known.went_through(SHA256)
    assert RECEIPT in box.names()
    monkeypatch.setattr(known._looks, "_rests_until", 0.0)
    known.went_through("1" * 64)
    assert RECEIPT not in box.names()


def test_a_folder_that_is_shut(box: Box, known: Orphans) -> None:
    """A failed folder that cannot be read is no reason for a delivery to fail."""
    os.close(box.folders.failed.fd)
    box.folders._open.remove(box.folders.failed.fd)
    known.went_through(SHA256)
