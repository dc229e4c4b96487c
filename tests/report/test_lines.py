"""A line of the report: from the receipt; and what is known, or wrong, where that does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from invoice_watcher.archive import filed
from invoice_watcher.outcome import Source
from invoice_watcher.receipt import Error, encode
from invoice_watcher.report.lines import Line, line_of
from tests.support.box import NAMING, PDF, receipt, written

if TYPE_CHECKING:
    from tests.support.box import Box

NAME = "12345.pdf"


def line(box: Box, *, delivered: bool = True, month: str = "") -> tuple[Line, bool]:
    """Return the line for the one thing that lies there."""
    folder = (box.done if delivered else box.failed) / month
    (found,) = filed(folder)
    return line_of(found, month and f"{month}/", NAMING, delivered=delivered)


def test_all_that_the_receipt_says(box: Box) -> None:
    """Order, file, times, size, hash, attempts, doubt, owner, answer: as the receipt has them."""
    box.put(f"done/{NAME}")
    box.put(f"done/{NAME}.json", written("done"))
    told = receipt("done")
    expected = ("12345", NAME, "delivered", told.received_at, told.finished_at, len(PDF), told.sha256, 1, False, "anna")
    assert line(box) == ((*expected, 200, None, None, None, None), False)


def test_a_failure_has_its_code_and_reason(box: Box) -> None:
    """Why it failed, in the API's number and the word for programs."""
    error = Error(Source.API, 103, "order_closed", "Order is already shipped or cancelled", "hint")
    box.put(f"failed/{NAME}")
    box.put(f"failed/{NAME}.json", encode(msgspec.structs.replace(receipt("failed"), error=error, http_status=400)))
    found, wrong = line(box, delivered=False)
    assert (found.state, found.error_code, found.error_reason, found.http_status) == (
        "failed",
        103,
        "order_closed",
        400,
    )
    assert not wrong


def test_the_month_is_part_of_the_file(box: Box) -> None:
    """A file is told with its month's folder, for names come again in another month."""
    (box.done / "2026-11").mkdir()
    box.put(f"done/2026-11/{NAME}")
    assert line(box, month="2026-11")[0].file == f"2026-11/{NAME}"


@pytest.mark.parametrize("delivered", [True, False])
def test_a_document_without_a_receipt(box: Box, delivered: bool) -> None:  # noqa: FBT001 - parametrized
    """It is told with what is known: order by its name, size, and when it came there; nothing is wrong with that."""
    path = box.put(f"{'done' if delivered else 'failed'}/{NAME}")
    found, wrong = line(box, delivered=delivered)
    assert (found.order_id, found.file, found.size) == ("12345", NAME, len(PDF))
    assert found.state == ("delivered" if delivered else "failed")
    assert found.finished_at.startswith("20")
    assert (found.sha256, found.attempts, found.remark, wrong) == (None, None, "it has no receipt", False)
    path.unlink()


def test_a_document_of_which_no_order_is_known(box: Box) -> None:
    """Without a receipt, and with a name that is no order's, it is told by its name, which can always be written."""
    box.put("failed/my invoice \udcff.pdf")
    found, wrong = line(box, delivered=False)
    assert (found.order_id, found.file, found.state, wrong) == (None, r"my invoice \xff.pdf", "failed", False)


@pytest.mark.parametrize(("delivered", "state"), [(True, "delivered"), (False, "failed")])
def test_a_receipt_that_its_document_waits(box: Box, delivered: bool, state: str) -> None:  # noqa: FBT001 - parametrized
    """Somebody moved a waiting document by hand, with its note: the folder tells what became of it; it is wrong."""
    folder = "done" if delivered else "failed"
    box.put(f"{folder}/{NAME}")
    box.put(f"{folder}/{NAME}.json", written("waiting"))
    found, wrong = line(box, delivered=delivered)
    assert (found.state, found.finished_at, wrong) == (state, "", True)
    assert found.remark == f"it lies in the {folder} folder, but its receipt says waiting"


def test_a_receipt_that_knows_little(box: Box) -> None:
    """Of a document that was refused unread there is no hash, and of a reason that is not the API's no code."""
    error = Error(Source.VALIDATION, None, "incomplete", "The document is cut off", "hint")
    box.put(f"failed/{NAME}")
    box.put(f"failed/{NAME}.json", encode(msgspec.structs.replace(receipt("failed"), sha256=None, error=error)))
    found, wrong = line(box, delivered=False)
    assert (found.sha256, found.error_code, found.error_reason, wrong) == (None, None, "incomplete", False)


def test_a_receipt_whose_document_is_gone(box: Box) -> None:
    """A delivery stays one, for its receipt proves it; a failure that was taken away is told as that."""
    box.put(f"done/{NAME}.json", written("done"))
    box.put(f"failed/{NAME}.json", written("failed"))
    found, wrong = line(box)
    assert (found.file, found.state, found.remark, wrong) == (NAME, "delivered", "the document is gone", False)
    assert found.size == len(PDF)
    found, wrong = line(box, delivered=False)
    assert (found.file, found.state, found.remark, wrong) == (NAME, "taken_away", None, False)


def test_what_does_not_fit_is_wrong(box: Box) -> None:
    """A changed document, one in the wrong folder, a damaged receipt: each is named as wrong."""
    path = box.put(f"done/{NAME}", PDF + b"more")
    sidecar = box.put(f"done/{NAME}.json", written("done"))
    assert line(box)[0].remark == f"it has {len(PDF) + 4} bytes, but its receipt says {len(PDF)}"
    assert line(box)[1]
    sidecar.write_bytes(written("failed"))
    assert line(box)[0].remark == "it lies in the done folder, but its receipt says failed"
    assert (line(box)[0].state, line(box)[1]) == ("failed", True)
    sidecar.write_bytes(b"{}")
    assert line(box)[0].remark == "its receipt is damaged, or that of another file"
    assert line(box)[1]
    path.unlink()


def test_numbers_that_no_receipt_holds(box: Box) -> None:
    """A receipt with absurd numbers spoils neither the sums nor the report."""
    box.put(f"done/{NAME}")
    absurd = msgspec.structs.replace(receipt("done"), size=10**30, attempts=-(10**30), http_status=10**20)
    box.put(f"done/{NAME}.json", encode(absurd))
    found, wrong = line(box)
    assert max(abs(found.size), abs(found.attempts or 0), abs(found.http_status or 0)) < 2**63
    assert wrong
