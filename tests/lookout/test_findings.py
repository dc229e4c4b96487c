"""What is not ready: counted in full, remembered up to a bound, never counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.lookout.findings import Findings, Unfinished
from invoice_watcher.standing import MOST_NAMED

if TYPE_CHECKING:
    import pytest


def unfinished(name: str, changed_ns: int = 7, *, hopeful: bool = False) -> Unfinished:
    """Return a file that is open for writing."""
    return Unfinished(name, changed_ns, 10, "is still open for writing", hopeful=hopeful)


def test_the_oldest_is_known() -> None:
    """Of all that waits it is known how many may still become ready, and since when the longest unchanged one is so."""
    found = Findings()
    for name, changed_ns, hopeful in (("2.pdf", 5, False), ("1.pdf", 3, True), ("3.pdf", 9, True)):
        found.add(unfinished(name, changed_ns, hopeful=hopeful))
    assert (found.more, found.hopeful, found.oldest_ns, list(found.unfinished)) == (
        3,
        2,
        3,
        ["2.pdf", "1.pdf", "3.pdf"],
    )


def test_a_file_is_counted_once_however_often_it_is_found() -> None:
    """What is known of a file is replaced by what was found of it last."""
    found = Findings()
    found.add(unfinished("1.pdf", 3, hopeful=True))
    found.add(unfinished("1.pdf", 5))
    found.add(unfinished("1.pdf", 6), may_be_counted=True)
    assert (found.more, found.hopeful, found.oldest_ns, found.unfinished["1.pdf"].changed_ns) == (1, 0, 6, 6)


def test_what_is_gone_does_not_wait() -> None:
    """A file that was taken away, or that nobody knew, changes nothing for the others."""
    found = Findings()
    found.add(unfinished("1.pdf", 3, hopeful=True))
    found.add(unfinished("2.pdf", 5, hopeful=True))
    found.forget("1.pdf")
    found.forget("3.pdf")
    assert (found.more, found.hopeful, found.oldest_ns) == (1, 1, 3)
    found.forget("2.pdf")
    assert (found.more, found.hopeful, found.oldest_ns) == (0, 0, None)


def test_a_file_that_became_a_folder_does_not_wait() -> None:
    """Where a clerk put a folder in the place of a file, the folder is named, once, and the file waits no longer."""
    found = Findings()
    found.add(unfinished("scans"))
    for name in ("scans", "scans", "more"):
        found.add_strange(name)
    assert (found.more, found.unfinished, found.left_alone) == (0, {}, ["scans", "more"])


def test_what_a_worker_has_in_hand_does_not_wait() -> None:
    """A file that a worker took is not told as waiting; nor is it in hand once it was looked at."""
    found = Findings()
    found.add(unfinished("1.pdf"))
    found.add_in_hand("1.pdf")
    assert (found.more, found.in_hand) == (0, {"1.pdf"})
    found.add(unfinished("1.pdf"))
    assert (found.more, found.in_hand) == (1, set())


def test_more_than_are_remembered_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted, some are known by name; what may have been counted already is not, unless it is surely new."""
    monkeypatch.setattr("invoice_watcher.lookout.findings._MOST_UNFINISHED", 2)
    found = Findings()
    found.add(unfinished("1.pdf"), may_be_counted=True)
    found.add(unfinished("2.pdf"), may_be_counted=True)
    assert (found.more, list(found.unfinished)) == (2, ["1.pdf", "2.pdf"])
    found.add(unfinished("3.pdf"), may_be_counted=True)
    assert found.more == 2
    found.add(unfinished("3.pdf"))
    found.add(unfinished("1.pdf"), may_be_counted=True)
    assert (found.more, sorted(found.unfinished)) == (3, ["1.pdf", "2.pdf"])


def test_a_flood_of_folders_is_named_in_part() -> None:
    """Of what is left alone as many are named as a person reads."""
    found = Findings()
    for number in range(2 * MOST_NAMED):
        found.add_strange(str(number))
    assert len(found.left_alone) == MOST_NAMED
