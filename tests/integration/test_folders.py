"""The four folders: nothing is overwritten, and an order's files go one after another."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, names, pdf, sample, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn


def test_two_files_of_one_order_go_one_after_the_other(api: StandIn, place: Place, start: Start) -> None:
    """Document and spreadsheet for one order: the older first, the second only when the first is answered."""
    api.default = Answer(delay=0.15)
    older = place.put("7.xlsx", sample("invoice.xlsx"))
    place.put_after(older, "7.pdf", pdf())
    for number in range(20, 24):
        place.put(f"{number}.pdf", pdf())
    start()
    place.until_done("7.xlsx", "7.pdf")
    first, second = api.of("7")
    assert (first.part.file_name, second.part.file_name) == ("7.xlsx", "7.pdf")
    assert first.answered is not None
    assert second.started >= first.answered


def test_the_same_order_dropped_again_while_it_is_sent(api: StandIn, place: Place, daemon: Program) -> None:
    """A corrected invoice comes while the first is under way: it follows it, and both are kept under their numbers."""
    hold = threading.Event()
    api.script("12345", Answer(hold=hold), OK)
    place.put("12345.pdf", pdf("first"))
    api.wait_for(1)
    place.put("12345.pdf", pdf("second"))
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert len(api.of("12345")) == 1
    hold.set()
    place.until_done("12345.pdf", "12345.2.pdf")
    first, second = api.of("12345")
    assert second.started >= (first.answered or 0)
    assert (place.done / "12345.pdf").read_bytes() == first.part.content == pdf("first")
    assert (place.done / "12345.2.pdf").read_bytes() == second.part.content == pdf("second")


def test_nothing_in_done_is_overwritten(api: StandIn, place: Place, daemon: Program) -> None:
    """The second 12345.pdf becomes 12345.2.pdf, the third 12345.3.pdf, each with a receipt of its own."""
    for number, filed in enumerate(("12345.pdf", "12345.2.pdf", "12345.3.pdf")):
        place.put("12345.pdf", pdf(f"version {number}"))
        place.until_done(filed)
    for number, filed in enumerate(("12345.pdf", "12345.2.pdf", "12345.3.pdf")):
        content = (place.done / filed).read_bytes()
        assert content == pdf(f"version {number}")
        told = sidecar(place.done / filed)
        assert (told["file"], told["sha256"]) == (filed, hashlib.sha256(content).hexdigest())
        assert told["order_id"] == "12345"


def test_the_same_order_dropped_again_while_the_first_is_tried_again(
    api: StandIn, place: Place, daemon: Program
) -> None:
    """The first is refused by an ill server for a while: the second does not overtake it."""
    api.script("12345", Answer(500, b""), Answer(500, b""), OK)
    place.put("12345.pdf", pdf("first"))
    api.wait_for(1)
    place.put("12345.pdf", pdf("second"))
    place.until_done("12345.pdf", "12345.2.pdf")
    assert [request.part.content for request in api.of("12345")] == [pdf("first")] * 3 + [pdf("second")]


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_names_that_are_taken_by_others_are_left_alone(api: StandIn, place: Place, start: Start, outcome: str) -> None:
    """Files, folders, links and receipts that already lie in done/ or failed/ stay exactly as they are."""
    folder = place.drop / outcome
    folder.mkdir()
    (folder / "1.pdf").write_bytes(b"somebody's")
    (folder / "1.2.pdf").mkdir()
    (folder / "1.3.pdf").symlink_to("nowhere")
    (folder / "1.4.pdf.json").write_text("somebody's notes")
    api.default = OK if outcome == "done" else refused(103, "closed")
    start()
    place.put("1.pdf", pdf("mine"))
    until((folder / "1.5.pdf").exists, "a free name")
    assert (folder / "1.5.pdf").read_bytes() == pdf("mine")
    assert sidecar(folder / "1.5.pdf")["file"] == "1.5.pdf"
    assert (folder / "1.pdf").read_bytes() == b"somebody's"
    assert (folder / "1.4.pdf.json").read_text() == "somebody's notes"
    assert os.listdir(folder / "1.2.pdf") == []
    assert os.readlink(folder / "1.3.pdf") == "nowhere"


def test_a_failed_file_that_is_moved_back_is_taken_again(api: StandIn, place: Place, daemon: Program) -> None:
    """A clerk mends the order and moves the file back: it goes through, and its stale receipt goes away."""
    api.script("12345", refused(100, "Order ID is wrong"), OK)
    place.put("12345.pdf", pdf())
    place.until_failed("12345.pdf")
    (place.failed / "12345.pdf").rename(place.drop / "12345.pdf")
    place.until_done("12345.pdf")
    until(lambda: names(place.failed) == [], "an empty failed folder")
    assert sidecar(place.done / "12345.pdf")["error"] is None
    assert len(api.requests) == 2


@pytest.mark.parametrize("order", [("12345.pdf", "12345.pdf.json"), ("12345.pdf.json", "12345.pdf")])
def test_a_failed_file_that_is_moved_back_with_its_receipt(
    api: StandIn, place: Place, daemon: Program, order: tuple[str, str]
) -> None:
    """The clerk moves both files back, in either order: the invoice goes through, and no file is lost on the way.

    The receipt is no invoice, so it is put into failed/ again, now as a file with a receipt of its own.
    """
    api.script("12345", refused(100, "Order ID is wrong"), OK)
    place.put("12345.pdf", pdf())
    place.until_failed("12345.pdf")
    told = (place.failed / "12345.pdf.json").read_bytes()
    for name in order:
        (place.failed / name).rename(place.drop / name)
    place.until_done("12345.pdf")
    place.until_failed("12345.pdf.json", "12345.pdf.json.json")
    assert names(place.failed) == ["12345.pdf.json", "12345.pdf.json.json"]
    assert (place.failed / "12345.pdf.json").read_bytes() == told
    assert sidecar(place.failed / "12345.pdf.json")["error"]["code"] == 106


def test_a_failed_file_that_fails_again(api: StandIn, place: Place, daemon: Program) -> None:
    """Moved back too soon: it is refused again, and there is one receipt, the new one, for one document."""
    api.script("12345", refused(100, "Order ID is wrong"), refused(103, "closed"))
    place.put("12345.pdf", pdf())
    place.until_failed("12345.pdf")
    (place.failed / "12345.pdf").rename(place.drop / "12345.pdf")
    api.wait_for(2)
    until(lambda: len(documents(place.failed)) == 1, "it in failed/ again")
    (document,) = documents(place.failed)
    assert names(place.failed) == [document, f"{document}.json"]
    assert sidecar(place.failed / document)["error"]["code"] == 103


def test_a_numbered_file_that_is_moved_back(api: StandIn, place: Place, daemon: Program) -> None:
    """12345.2.pdf, as the program itself called the second failed one, is still order 12345 when it comes back."""
    api.script("12345", *[refused(100, "Order ID is wrong")] * 2, OK)
    place.put("12345.pdf", pdf("first"))
    place.until_failed("12345.pdf")
    place.put("12345.pdf", pdf("second"))
    place.until_failed("12345.2.pdf")
    (place.failed / "12345.2.pdf").rename(place.drop / "12345.2.pdf")
    until(lambda: documents(place.done), "it in done/")
    assert api.of("12345")[-1].part.content == pdf("second")
    assert api.of("12345")[-1].part.file_name == "12345.pdf"
    until(lambda: names(place.failed) == ["12345.pdf", "12345.pdf.json"], "the other one alone in failed/")


def test_the_folders_may_lie_elsewhere(api: StandIn, place: Place, start: Start) -> None:
    """Absolute paths for done, failed and work, beside the drop folder: used, and made where they are missing."""
    folders = {name: place.root / name for name in ("sent", "refused", "busy")}
    place.configure(done_dir=str(folders["sent"]), failed_dir=str(folders["refused"]), work_dir=str(folders["busy"]))
    start()
    place.put("1.pdf", pdf())
    place.put("2.pdf", b"no PDF at all")
    until(lambda: documents(folders["sent"]) == ["1.pdf"], "one in sent/")
    until(lambda: documents(folders["refused"]) == ["2.pdf"], "one in refused/")
    until(lambda: os.listdir(folders["busy"]) == [], "an empty work folder")
    assert os.listdir(place.drop) == []
