"""The way back into the drop folder: nothing is replaced, nothing is made, and the first is the first to be sent."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.errors import FolderError
from invoice_watcher.spool.requeue import Requeue
from tests.support.box import OTHER_PDF, PDF, written
from tests.support.kernel import traced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.box import Box

NAME = "12345.pdf"


def test_a_document_goes_back_and_its_receipt_stays(box: Box) -> None:
    """The daemon has the folders locked, and may go on: the receipt tells for which order the document is."""
    box.put(f"failed/{NAME}")
    box.put(f"failed/{NAME}.json", written("failed"))
    with Requeue(box.failed, box.drop) as requeue:
        assert requeue.put_back(NAME, "12345") is None
    assert box.files() == {NAME: PDF, f"failed/{NAME}.json": written("failed")}


def test_what_lies_in_the_drop_folder_is_not_replaced(box: Box) -> None:
    """A clerk has dropped the corrected invoice already: both stay where they are, and it is said."""
    box.put(f"failed/{NAME}")
    box.put(NAME, OTHER_PDF)
    with Requeue(box.failed, box.drop) as requeue:
        assert "lies in" in (requeue.put_back(NAME, "12345") or "")
    assert box.files() == {NAME: OTHER_PDF, f"failed/{NAME}": PDF}


def test_what_went_back_outlives_a_power_cut(box: Box) -> None:
    """Both folders are on the disk when it is done: nothing that was said to be put back fails to be sent."""
    box.put(f"failed/{NAME}")
    with traced() as calls, Requeue(box.failed, box.drop) as requeue:
        requeue.put_back(NAME, "12345")
    assert [call for call in calls if call in {"renameat2", "fsync"}] == ["renameat2", "fsync", "fsync"]


def test_a_document_that_is_gone(box: Box) -> None:
    """A failed document that somebody took meanwhile is told as taken away."""
    with Requeue(box.failed, box.drop) as requeue:
        assert requeue.put_back(NAME, "12345") == "somebody has taken it away meanwhile"


def test_the_daemon_takes_it_before_anybody_looks(box: Box) -> None:
    """The daemon claims what is put back within the same instant: it went back all the same, and that is told."""
    names = [f"{number}.pdf" for number in range(300)]
    for name in names:
        box.put(f"failed/{name}")
    left = set(names)

    def claim() -> None:
        while left:
            for name in sorted(left):
                with suppress(FileNotFoundError):
                    (box.drop / name).rename(box.work / name)
                    left.remove(name)

    claiming = threading.Thread(target=claim, daemon=True)
    claiming.start()
    with Requeue(box.failed, box.drop) as requeue:
        assert [requeue.put_back(name, name) for name in names] == [None] * len(names)
    claiming.join(30)
    assert not left
    assert box.names() == {f".processing/{name}" for name in names}


def test_one_order_goes_back_in_order(box: Box) -> None:
    """Files are sent by the time of their arrival, so of one order no two may arrive at once, however fast it goes."""
    names = [f"12345.{number}.pdf" for number in range(10, 2, -1)]
    for name in names:
        box.put(f"failed/{name}")
    with Requeue(box.failed, box.drop) as requeue:
        assert [requeue.put_back(name, "12345") for name in names] == [None] * len(names)
    arrived = [(box.drop / name).stat().st_ctime_ns for name in names]
    assert arrived == sorted(set(arrived))


@pytest.mark.parametrize("missing", ["failed", "drop"])
def test_a_folder_that_is_away_is_told_and_not_made(box: Box, tmp_path: Path, missing: str) -> None:
    """A share that is not mounted gets no folder in its place."""
    away = tmp_path / "away"
    folders = {"failed": box.failed, "drop": box.drop} | {missing: away}
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FolderError, match="does not exist"):
        Requeue(**folders)
    assert not away.exists()
    assert len(os.listdir("/proc/self/fd")) == len(before)
