"""Folders that go away while the daemon runs: said aloud, waited for, never made anew, used when they are back."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer
from tests.integration.place import documents, names, pdf
from tests.integration.program import until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn


def test_the_folders_are_removed_and_made_again(api: StandIn, place: Place, start: Start) -> None:
    """Somebody deletes the drop folder: said aloud, never made anew, and used again when all four are back.

    An empty drop folder alone may be a bare mount point: nothing is made in it, and nothing is sent.
    """
    daemon = start()
    shutil.rmtree(place.drop)
    assert str(place.drop) in daemon.says("ERROR")
    daemon.says("waiting for the folders")
    assert not place.drop.exists()
    place.drop.mkdir()
    place.put("1.pdf", pdf())
    daemon.says("waiting for the folders", times=2)
    assert os.listdir(place.drop) == ["1.pdf"]
    assert api.requests == []
    for folder in (place.done, place.failed, place.work):
        folder.mkdir()
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def test_the_drop_folder_is_renamed_away_and_back(api: StandIn, place: Place, start: Start) -> None:
    """Files that arrive under the other name are delivered as soon as the folder has its own name again."""
    place.configure(settle__rescan="1s")  # which bounds how long a vanished folder may go unnoticed
    daemon = start()
    away = place.root / "away"
    place.drop.rename(away)
    daemon.says("ERROR")
    (place.root / "new.pdf").write_bytes(pdf())
    (place.root / "new.pdf").rename(away / "1.pdf")
    daemon.says("waiting for the folders")
    assert not place.drop.exists()
    assert api.requests == []
    away.rename(place.drop)
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def test_done_is_taken_away_during_an_upload(api: StandIn, place: Place, start: Start) -> None:
    """The done folder goes away while an invoice is under way: nothing is lost, and in the end it lies in done/."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold), OK)
    daemon = start()
    place.put("1.pdf", pdf())
    api.wait_for(1)
    place.done.rename(place.root / "done-away")
    hold.set()
    place.put("2.pdf", pdf())
    daemon.says("ERROR")
    (place.root / "done-away").rename(place.done)
    place.until_done("1.pdf", "2.pdf")
    assert names(place.failed) == []
    assert until(lambda: names(place.work) == [], "an empty work folder")


def test_a_stop_while_the_folders_are_away(place: Place, start: Start) -> None:
    """A daemon that waits for its folders can be stopped: status 0."""
    daemon = start()
    shutil.rmtree(place.drop)
    daemon.says("waiting for the folders")
    assert daemon.stop() == 0


def test_done_is_replaced_while_several_are_being_sent(api: StandIn, place: Place, start: Start) -> None:
    """A new done folder in the place of the old one: what was under way is sent once, what comes later goes there."""
    hold = threading.Event()
    for order in "123":
        api.script(order, Answer(hold=hold))
    daemon = start()
    for order in "123":
        place.put(f"{order}.pdf", pdf())
    api.wait_for(3)
    old = place.root / "done-old"
    place.done.rename(old)
    place.done.mkdir()
    place.put("4.pdf", pdf())
    hold.set()
    place.until_done("4.pdf")
    assert daemon.stop() == 0
    assert documents(old) == ["1.pdf", "2.pdf", "3.pdf"]
    assert names(place.failed) == names(place.work) == []
    assert [len(api.of(order)) for order in "1234"] == [1, 1, 1, 1]
