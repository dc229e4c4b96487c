"""Two instances and one folder: whatever the path, one works, the other says so, and nothing is accepted twice."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import standing_still
from tests.faults.invariants import assert_all_delivered
from tests.faults.mounts import mounted, needs_mounts
from tests.integration.answers import OK, Answer
from tests.integration.place import documents, invoices, names, pdf, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

ANOTHER = "another invoice-watcher works on"


def _other_folders(place: Place) -> dict[str, str]:
    """Make a folder beside the drop folder, and name three in it that are not there."""
    other = place.root / "other"
    other.mkdir()
    return {key: str(other / key) for key in ("done_dir", "failed_dir", "work_dir")}


def _assert_refused(place: Place, daemon: Program) -> None:
    """Whoever starts with this configuration ends with 75, and the first one goes on."""
    finished = place.once()
    assert finished.status == 75, finished.err
    assert ANOTHER in finished.err
    assert daemon.process.poll() is None


@pytest.mark.parametrize("path", ["drop", "drop/done/../../drop", "alias/drop"])
def test_other_folders_beside_the_same_drop_folder(place: Place, start: Start, path: str) -> None:
    """A second configuration with done, failed and work folders of its own, and the path written otherwise: 75.

    None of its folders is made.
    """
    daemon = start()
    (place.root / "alias").symlink_to(place.root)
    place.configure(drop_dir=str(place.root / path), **_other_folders(place))
    _assert_refused(place, daemon)
    assert os.listdir(place.root / "other") == []


@needs_mounts
def test_the_same_folder_mounted_elsewhere(place: Place, start: Start) -> None:
    """A bind mount is another path to the same folder, and no way around the lock."""
    daemon = start()
    with mounted(place.root / "bind", "--bind", place.drop):
        place.configure(drop_dir=str(place.root / "bind"))
        _assert_refused(place, daemon)


@pytest.mark.parametrize("folder", ["done", "failed", ".processing"])
def test_a_drop_folder_where_another_files_its_documents(api: StandIn, place: Place, start: Start, folder: str) -> None:
    """What one has delivered would be sent again by the other: whoever comes second does not start."""
    daemon = start()
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    before = sorted(os.listdir(place.drop / folder))
    place.configure(drop_dir=str(place.drop / folder))
    _assert_refused(place, daemon)
    assert sorted(os.listdir(place.drop / folder)) == before
    assert len(api.requests) == 1


@pytest.mark.parametrize("key", ["done_dir", "failed_dir", "work_dir"])
def test_documents_filed_where_another_takes_them_from(place: Place, start: Start, key: str) -> None:
    """The same the other way round: the one that would file its documents there comes second."""
    daemon = start()
    (place.root / "second").mkdir()
    place.configure(drop_dir=str(place.root / "second"), **{key: str(place.drop)})
    _assert_refused(place, daemon)


def test_two_may_file_into_one_folder(api: StandIn, place: Place, start: Start) -> None:
    """Two drop folders with one done and one failed folder: both run, and none overwrites what the other filed."""
    start()
    second = place.root / "second"
    second.mkdir()
    place.configure(drop_dir=str(second), done_dir=str(place.done), failed_dir=str(place.failed))
    start()
    place.put("1.pdf", pdf("of the first"))
    until(lambda: documents(place.done) == ["1.pdf"], "the first one's document")
    (place.root / "1.pdf").write_bytes(pdf("of the second"))
    (place.root / "1.pdf").rename(second / "1.pdf")
    until(lambda: documents(place.done) == ["1.2.pdf", "1.pdf"], "both documents")
    assert (place.done / "1.pdf").read_bytes() == pdf("of the first")
    assert (place.done / "1.2.pdf").read_bytes() == pdf("of the second")


def test_twenty_that_start_at_once(api: StandIn, place: Place, start: Start) -> None:
    """One runs, nineteen end with 75 and say why, and each invoice is accepted once."""
    dropped = place.put_all(invoices(range(20)))
    programs = [start("run", "-c", place.config) for _ in range(20)]
    until(lambda: sum(one.process.poll() is not None for one in programs) >= 19, "the end of nineteen", timeout=90)
    (winner,) = (one for one in programs if one.process.poll() is None)
    losers = [one.finish(0) for one in programs if one is not winner]
    assert [one.status for one in losers] == [75] * 19
    assert all(one.err == f"invoice-watcher: {ANOTHER} {place.drop}\n" for one in losers)
    place.until_done(*dropped)
    assert winner.stop() == 0
    assert_all_delivered(api, place, dropped)


def test_the_next_one_starts_as_soon_as_the_first_is_killed(api: StandIn, place: Place, start: Start) -> None:
    """A kill -9 in the middle of an upload leaves no lock behind: the next one takes up what was under way."""
    api.script("1", Answer(hold=threading.Event()), OK)
    first = start()
    dropped = place.put_all(invoices([1]))
    api.wait_for(1)
    _assert_refused(place, first)
    first.process.kill()
    first.process.wait()
    second = start()
    place.until_done("1.pdf")
    assert sidecar(place.done / "1.pdf")["in_doubt"]
    assert second.stop() == 0
    assert_all_delivered(api, place, dropped)


def _replaced(place: Place) -> Path:
    """Put a new, empty drop folder in the place of the old one; returns where the old one is."""
    old = place.root / "old"
    place.drop.rename(old)
    place.drop.mkdir()
    return old


def test_a_second_one_on_the_folder_that_replaced_the_first_ones(api: StandIn, place: Place, start: Start) -> None:
    """The lock of the first is on the folder that was moved away: it does not touch the new one before the second ends.

    What it had under way is filed where it was claimed.
    """
    place.configure(settle__rescan="200ms")
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    first = start()
    place.put_all(invoices([1]))
    api.wait_for(1)
    with standing_still(first.process):  # so that the second is there before the first has noticed anything
        old = _replaced(place)
        second = start()
    hold.set()
    first.says(f"waiting for the folders: {ANOTHER} {place.drop}")
    dropped = place.put_all(invoices(range(2, 22)))
    place.until_done(*dropped)
    assert second.stop() == 0
    first.says("ready: watching", times=2)
    dropped |= place.put_all(invoices([22]))
    place.until_done("22.pdf")
    assert first.stop() == 0
    assert documents(old / "done") == ["1.pdf"]
    assert names(old / ".processing") == []
    assert sorted(request.order_id for request in api.requests) == sorted(f"{order}" for order in range(1, 23))
    assert documents(place.done) == sorted(dropped)
