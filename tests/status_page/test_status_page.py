"""When the page is written: on a change, once a minute, at the end; and that nothing stops it for good."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from invoice_watcher import status_page
from invoice_watcher.audience import Aside
from invoice_watcher.naming import Naming
from invoice_watcher.receipt import encode, timestamp
from invoice_watcher.status_page import Places, StatusPage
from tests.integration.program import until
from tests.status_page import cases

if TYPE_CHECKING:
    from pathlib import Path

    from invoice_watcher.standing import Standing


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Make the folders."""
    found = Places(tmp_path / "drop", tmp_path / "drop" / "failed", tmp_path / "drop" / "done")
    for folder in found:
        folder.mkdir()
    return found


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no look into the folders count as a long one, because this machine has something else to do."""
    monkeypatch.setattr("invoice_watcher.pacing.LONG", float("inf"))


def made(places: Places) -> StatusPage:
    """Return the page of these folders, in a hurry: it does not rest between two pages."""
    page = StatusPage(places, "status.html", "en", Naming.of("[A-Za-z0-9_-]+"))
    page.close()
    return page


def now(**changes: object) -> Standing:
    """Return how things stand at this moment."""
    return msgspec.structs.replace(cases.standing(time.time(), recent=()), **changes)


def written(places: Places) -> int:
    """Return which file the page is: each writing makes another, while the one before it is still there."""
    return (places.drop / "status.html").stat().st_ino


def test_the_page_is_written_when_something_changed(places: Places) -> None:
    """The page is written when it says something new, as one more that waits, and not when it says the same."""
    page = made(places)
    page.hear(now())
    first = written(places)
    page.hear(now())
    assert written(places) == first
    page.hear(now(waiting=1))
    assert written(places) != first
    assert "1 invoice is on its way" in (places.drop / "status.html").read_text()


def test_the_page_is_renewed_though_nothing_changed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is renewed though nothing changed, so its reader sees that the service is alive."""
    monkeypatch.setattr(status_page, "_BEAT", 0.0)
    page = made(places)
    page.hear(now())
    first = written(places)
    page.hear(now())
    assert written(places) != first


def test_a_page_is_as_old_as_what_it_tells(places: Places) -> None:
    """Where the service hangs, its page grows old before its reader's eyes, though there may be a new one."""
    page = made(places)
    page.hear(cases.standing(cases.NOW))
    moment = datetime.fromtimestamp(cases.NOW, UTC).isoformat()
    assert f'datetime="{moment}"' in (places.drop / "status.html").read_text()


def test_the_last_page_says_that_the_service_was_stopped(places: Places) -> None:
    """Told while the page before is hardly written, the end is on the disk when the program has ended."""
    page = StatusPage(places, "status.html", "de", Naming.of("[0-9]+"))
    aside = Aside("the status page", page.hear)
    aside.hear(now())
    until((places.drop / "status.html").exists, "a page")
    aside.hear(now(is_over=True))
    page.close()
    aside.close()
    assert "Der Dienst wurde beendet" in (places.drop / "status.html").read_text(encoding="utf-8")


def test_what_failed_is_read_from_the_folder(places: Places) -> None:
    """A file that failed stands on the page with its reason; when somebody takes it away, it goes from the page too."""
    page = made(places)
    receipt = cases.failed("1.pdf", "empty", "The file is <empty>", order="1").receipt
    assert receipt is not None
    (places.failed / "1.pdf.json").write_bytes(encode(receipt))
    (places.failed / "1.pdf").write_bytes(b"")
    page.hear(now())
    text = (places.drop / "status.html").read_text()
    assert "Order 1" in text
    assert "The file is &lt;empty&gt;" in text
    for name in os.listdir(places.failed):
        (places.failed / name).unlink()
    page.hear(now())
    assert "No file has failed" in (places.drop / "status.html").read_text()


def test_after_a_restart_it_still_tells_what_was_delivered_last(places: Places) -> None:
    """Deliveries of an earlier run stand on the page, with their time."""
    (places.done / "77.pdf").write_bytes(b"%PDF")
    page = made(places)
    started = timestamp(time.time() + 5)

    def is_told() -> bool:
        page.hear(now(started_at=started))
        return "77.pdf" in (places.drop / "status.html").read_text()

    until(is_told, "what an earlier run delivered")


def test_a_page_that_cannot_be_written_is_tried_again_later(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its name is in the way: not tried with every change, and written once it is gone."""
    (places.drop / "status.html").mkdir()
    page = made(places)
    with pytest.raises(IsADirectoryError):
        page.hear(now())
    page.hear(now(waiting=5))
    (places.drop / "status.html").rmdir()
    page.hear(now(waiting=6))
    assert not (places.drop / "status.html").exists()
    monkeypatch.setattr(page, "_due", 0.0)
    page.hear(now(waiting=6))
    assert "6 invoices" in (places.drop / "status.html").read_text()


def test_the_last_page_is_tried_at_once(places: Places) -> None:
    """What was in the way is gone just before the service stops: its page says so, and does not wait for its time."""
    (places.drop / "status.html").mkdir()
    page = made(places)
    with pytest.raises(IsADirectoryError):
        page.hear(now())
    (places.drop / "status.html").rmdir()
    page.hear(now(is_over=True))
    assert (places.drop / "status.html").exists()


def test_the_folders_of_the_archive_may_be_away(places: Places) -> None:
    """Without done and failed folders there is a page all the same, and it says what is known."""
    places.done.rmdir()
    places.failed.rmdir()
    page = made(places)
    page.hear(now(trouble="/srv/invoices/done does not exist"))
    text = (places.drop / "status.html").read_text()
    assert "Waiting for the folders" in text
    assert "/srv/invoices/done does not exist" in text
    assert "cannot be read now" in text


def test_since_when_the_folders_are_away(places: Places) -> None:
    """While folders are away, the page tells since when from the first time this was noticed."""
    page = made(places)
    page.hear(now(trouble="gone", as_of=timestamp(1_795_511_700)))
    page.hear(now(trouble="gone", as_of=timestamp(1_795_511_700 + 7200)))
    assert page._trouble == ("gone", 1_795_511_700)
