"""Finding what a person asks for: by a path, by a name, or by an order's id."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from invoice_watcher.config import Config
from invoice_watcher.inquiry.whereabouts import closed, whereabouts
from tests.support.box import Box, written
from tests.support.children import NOBODY, in_child, needs_root


def found(box: Box, asked: str) -> list[str]:
    """Return where it lies: `done/12345.pdf`."""
    return [str(place.path.relative_to(box.root)) for place in whereabouts(Config(drop_dir=box.drop), asked)]


def test_by_name(box: Box) -> None:
    """A name is looked for in all folders, those first in which something waits; in the months of done as well."""
    (box.done / "2026-10").mkdir()
    places = ["12345.pdf", ".processing/12345.pdf", "failed/12345.pdf", "done/12345.pdf", "done/2026-10/12345.pdf"]
    for place in places:
        box.put(place)
    assert found(box, "12345.pdf") == places


def test_by_path(box: Box, tmp_path: Path) -> None:
    """A path means this very file; also by a link to the folder; one that is gone is looked for by its name."""
    box.put("12345.pdf")
    box.put("done/12345.pdf")
    (tmp_path / "alias").symlink_to(box.done)
    assert found(box, str(tmp_path / "alias" / "12345.pdf")) == ["done/12345.pdf"]
    assert found(box, os.path.relpath(box.drop / "12345.pdf")) == ["12345.pdf"]
    assert found(box, "/nowhere/12345.pdf") == ["12345.pdf", "done/12345.pdf"]


def test_by_order(box: Box) -> None:
    """An order's id means all its files, those that were numbered included, by their receipts; and no other order's."""
    for place in ("12345.pdf", "123456.pdf", "done/12345.doc", "done/12345.2.pdf", "done/12345.3.pdf"):
        box.put(place)
    (box.done / "12345.2.pdf.json").write_bytes(written("done", "12345.2.pdf"))
    assert set(found(box, "12345")) == {"12345.pdf", "done/12345.doc", "done/12345.2.pdf"}
    assert found(box, "1234") == []


def test_a_claimed_file(box: Box) -> None:
    """A claimed file is found under the name under which it was dropped, and by the order that its note tells."""
    box.put(".processing/x.json~1~")
    assert found(box, "x.json") == [".processing/x.json~1~"]
    box.put(".processing/odd name.pdf")
    (box.work / "odd name.pdf.json").write_bytes(written("waiting", "odd name.pdf"))
    assert found(box, "12345") == [".processing/odd name.pdf"]


def test_a_document_that_was_taken_away(box: Box) -> None:
    """Where only the receipt of a document is left, that is where the document was."""
    (box.failed / "12345.pdf.json").write_bytes(written("failed"))
    assert found(box, "12345.pdf") == ["failed/12345.pdf"]


def test_the_files_of_an_order_have_their_order(box: Box) -> None:
    """The files of an order are told from the oldest on, whatever their names and months; what still waits, first."""
    (box.done / "2026-10").mkdir()
    places = [f"done/12345.{kind}" for kind in ("pdf", "doc", "xls", "url")]
    places += ["failed/12345.pdf", "done/2026-10/12345.xls", "done/12345.docx"]
    for place in [*places, "12345.pdf"]:
        before = box.put(place).stat().st_ctime_ns
        while _tick(box.root) <= before:
            pass  # the clock of the file system moves in steps
    assert found(box, "12345") == ["12345.pdf", *places]


def _tick(folder: Path) -> int:
    """Return what time it is for the file system."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_ctime_ns


@pytest.mark.parametrize("asked", ["nothing", "..", "/", ".", "a/b/c", "x" * 5000, "a\nb", "\udcff"])
def test_nowhere(box: Box, asked: str) -> None:
    """Where nothing of ours lies, nothing is found, whatever is asked for."""
    places = whereabouts(Config(drop_dir=box.drop), asked)
    assert [place for place in places if place.room != "elsewhere"] == []


@needs_root
def test_folders_that_are_shut() -> None:
    """Whoever may not look into a folder is told that the file may lie there."""
    with tempfile.TemporaryDirectory() as root, Box(Path(root)) as box:
        box.drop.chmod(0o755)
        box.work.chmod(0o700)
        box.put(".processing/12345.pdf")
        config = Config(drop_dir=box.drop)
        assert in_child(lambda: whereabouts(config, "12345.pdf"), uid=NOBODY) == []
        assert in_child(lambda: closed(config), uid=NOBODY) == [box.work, box.failed, box.done]
        assert closed(config) == []
