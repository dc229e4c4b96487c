"""Fix by moving: a clerk takes a failed file back, mends its name or its content, and it is taken again.

Who sees only the share has no other means: the folders are the controls.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.integration.answers import OK, refused
from tests.integration.place import names, pdf, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

NAME = "12345.pdf"
CLOSED = refused(103, "Order is already shipped or cancelled")


def _failed(api: StandIn, place: Place, name: str = NAME) -> None:
    """Drop a document that the API refuses; from then on it takes all."""
    order = name.partition(".")[0]
    api.script(order, CLOSED)
    place.put(name, pdf(name))
    place.until_failed(name)
    api.script(order, OK)


def test_dragged_back_as_it_is(api: StandIn, place: Place, daemon: Program) -> None:
    """The order was opened again: the file is dragged back, goes through, and its old receipt disappears."""
    _failed(api, place)
    (place.failed / NAME).rename(place.drop / NAME)
    place.until_done(NAME)
    until(lambda: names(place.failed) == [], "the stale receipt to go")
    assert sidecar(place.done / NAME)["state"] == "done"


def test_dragged_back_and_refused_again(api: StandIn, place: Place, daemon: Program) -> None:
    """It is refused once more: it has its old name again, and the receipt is the new one."""
    _failed(api, place)
    api.script("12345", refused(100, "Order ID is wrong"))
    (place.failed / NAME).rename(place.drop / NAME)
    place.until_failed(NAME)
    assert sidecar(place.failed / NAME)["error"]["code"] == 100
    assert names(place.failed) == [NAME, f"{NAME}.json"]


def test_renamed_on_the_way_back(api: StandIn, place: Place, daemon: Program) -> None:
    """The number was wrong: renamed, it goes to the right order, and the receipt of its failure goes too."""
    _failed(api, place, "999.pdf")
    (place.failed / "999.pdf").rename(place.drop / NAME)
    place.until_done(NAME)
    assert api.requests[-1].order_id == "12345"
    until(lambda: names(place.failed) == [], "the stale receipt to go")


def test_replaced_by_a_corrected_one(api: StandIn, place: Place, daemon: Program) -> None:
    """A corrected export of the same name is dropped while the old one still lies in failed/: it goes through.

    The old one keeps its receipt, for it is still there; taken away later, it leaves that behind, and the next
    delivery of this name takes the receipt along.
    """
    _failed(api, place)
    place.put(NAME, pdf("corrected"))
    place.until_done(NAME)
    assert names(place.failed) == [NAME, f"{NAME}.json"]
    (place.failed / NAME).unlink()
    place.put(NAME, pdf("corrected twice"))
    place.until_done("12345.2.pdf")
    until(lambda: names(place.failed) == [], "the stale receipt to go")


def test_replaced_by_one_that_fails_too(api: StandIn, place: Place, daemon: Program) -> None:
    """The corrected one is refused too: it gets a number, and dragged back under it, it is of the same order still."""
    _failed(api, place)
    api.script("12345", CLOSED)
    place.put(NAME, pdf("corrected"))
    place.until_failed("12345.2.pdf")
    api.script("12345", OK)
    (place.failed / "12345.2.pdf").rename(place.drop / "12345.2.pdf")
    place.until_done("12345.2.pdf")
    assert api.requests[-1].order_id == "12345"
    until(lambda: names(place.failed) == [NAME, f"{NAME}.json"], "its receipt, and no other, to go")


def test_saved_anew_in_the_failed_folder(api: StandIn, place: Place, daemon: Program) -> None:
    """A program that saves by a temporary name replaces the file where it lies; moved back, it is sent as it is now."""
    _failed(api, place)
    temporary = place.failed / "save.tmp"
    temporary.write_bytes(pdf("mended"))
    temporary.rename(place.failed / NAME)
    (place.failed / NAME).rename(place.drop / NAME)
    place.until_done(NAME)
    assert (place.done / NAME).read_bytes() == api.requests[-1].part.content == pdf("mended")
    until(lambda: names(place.failed) == [], "the stale receipt to go")


def test_taken_along_with_its_receipt(api: StandIn, place: Place, daemon: Program) -> None:
    """Both are dragged back: the invoice goes through, the receipt is no invoice, and neither is lost."""
    _failed(api, place)
    (place.failed / f"{NAME}.json").rename(place.drop / f"{NAME}.json")
    (place.failed / NAME).rename(place.drop / NAME)
    place.until_done(NAME)
    place.until_failed(f"{NAME}.json")
    until(lambda: names(place.failed) == [f"{NAME}.json", f"{NAME}.json.json"], "nothing else in failed/")


def test_deleted_receipts_and_documents(api: StandIn, place: Place, start: Start) -> None:
    """Somebody tidies up, and deletes a receipt here and a document there: the service minds neither.

    The document without a receipt is taken again like any other; where only a receipt is left, the next one of that
    name has its place.
    """
    daemon = start()
    _failed(api, place, "1.pdf")
    _failed(api, place, "2.pdf")
    (place.failed / "1.pdf.json").unlink()
    (place.failed / "2.pdf").unlink()
    assert daemon.stop() == 0
    start()
    (place.failed / "1.pdf").rename(place.drop / "1.pdf")
    api.script("2", CLOSED)
    place.put("2.pdf", pdf("again"))
    place.until_done("1.pdf")
    place.until_failed("2.pdf")
    assert names(place.failed) == ["2.pdf", "2.pdf.json"]
    assert sidecar(place.failed / "2.pdf")["sha256"] != ""


def test_a_delivered_document_dragged_back(api: StandIn, place: Place, daemon: Program) -> None:
    """Somebody wants it sent once more: it is, and the receipt of the first delivery stays what it was."""
    place.put(NAME, pdf())
    place.until_done(NAME)
    before = (place.done / f"{NAME}.json").read_bytes()
    os.rename(place.done / NAME, place.drop / NAME)
    place.until_done("12345.2.pdf")
    assert (place.done / f"{NAME}.json").read_bytes() == before
    assert sidecar(place.done / "12345.2.pdf")["order_id"] == "12345"
    assert len(api.requests) == 2
