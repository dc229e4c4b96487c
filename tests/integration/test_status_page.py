"""The status page of the running program, as a clerk at the share finds it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import Answer
from tests.integration.place import names, pdf
from tests.integration.program import until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn


def says(place: Place, sentence: str, name: str = "status.html") -> None:
    """Wait until the page says this."""

    def found() -> bool:
        try:
            return sentence in (place.drop / name).read_text(encoding="utf-8")
        except OSError:
            return False

    until(found, f"a page that says {sentence!r}")


def test_the_page_follows_what_happens(api: StandIn, place: Place, start: Start) -> None:
    """All is well; what failed, was delivered and is left alone, and what to do; the service was stopped.

    The page itself is no invoice, and what is on it is shown as text.
    """
    place.configure(status_page="status.html", settle__rescan="200ms")
    program = start()
    says(place, "All is well")
    place.put("a <b>.pdf", pdf())
    place.put("1.pdf", pdf())
    (place.drop / "2 <b>").mkdir()
    says(place, "Rename the file to the order number")
    says(place, "a &lt;b&gt;.pdf")
    says(place, "1 delivered since the start")
    says(place, "<bdi>2 &lt;b&gt;</bdi>")
    (place.drop / "2 <b>").rmdir()
    assert program.stop() == 0
    says(place, "The service was stopped")
    assert len(api.requests) == 1
    assert names(place.drop) == ["status.html"]


@pytest.mark.slow  # a page is renewed every two seconds at most
def test_the_page_says_that_it_is_paused_and_waits_for_folders(api: StandIn, place: Place, start: Start) -> None:
    """The API code is refused, in German; then a folder goes away, and comes back: the page tells each."""
    api.default = Answer(401, b"")
    place.configure(status_page="status.html", status_language="de", settle__rescan="100ms")
    place.put("1.pdf", pdf())
    start()
    says(place, "Unterbrochen: Die Administration wird gebraucht")
    place.failed.rename(place.root / "away")
    says(place, "Der Dienst wartet auf seine Ordner")
    (place.root / "away").rename(place.failed)
    says(place, "Unterbrochen: Die Administration wird gebraucht")


@pytest.mark.parametrize("obstacle", ["folder", "unwritable name"])
def test_a_page_that_cannot_be_written_stops_no_invoice(
    api: StandIn, place: Place, start: Start, obstacle: str
) -> None:
    """A folder lies where the page should: it is said once in the log, and every invoice is delivered."""
    place.configure(status_page="status.html")
    where = place.drop / ("status.html" if obstacle == "folder" else ".invoice-watcher-page")
    where.mkdir()
    program = start()
    program.says("the status page: ")
    for order in range(3):
        place.put(f"{order}.pdf", pdf(str(order)))
        place.until_done(f"{order}.pdf")
    assert program.err.count("the status page: ") == 1
    assert where.is_dir()


def test_a_reload_moves_the_page(api: StandIn, place: Place, start: Start) -> None:
    """Another name for the page: the old one is taken away, for it would be an invoice now; with null there is none."""
    place.configure(status_page="status.html")
    program = start()
    says(place, "All is well")
    place.configure(status_page="übersicht.html", status_language="de")
    os.kill(program.pid, signal.SIGHUP)
    says(place, "Alles in Ordnung", "übersicht.html")
    until(lambda: names(place.drop) == ["übersicht.html"], "the old page gone")
    place.configure(status_page=None)
    os.kill(program.pid, signal.SIGHUP)
    until(lambda: names(place.drop) == [], "no page")
    assert names(place.failed) == []


def test_once_writes_no_page(api: StandIn, place: Place) -> None:
    """`run --once` does its work and ends; there would be nobody to renew the page."""
    place.configure(status_page="status.html")
    place.put("1.pdf", pdf())
    assert place.once().status == 0
    assert names(place.drop) == []
