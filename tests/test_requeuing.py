"""Which failed invoices `retry` means, in which order they go back, and what it offers to the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from invoice_watcher.config import Config
from invoice_watcher.outcome import Source
from invoice_watcher.receipt import Error, encode
from invoice_watcher.requeuing import Choice, Requeued, offered, search
from tests.support.box import receipt

if TYPE_CHECKING:
    from tests.support.box import Box


def fail(box: Box, name: str, order_id: str | None, code: int | None, received_at: str = "2026-11-01") -> None:
    """Lay a failed document and its receipt."""
    error = Error(Source.API, code, "reason", "message", "hint")
    told = receipt("failed", name)
    told = msgspec.structs.replace(told, order_id=order_id, error=error, received_at=received_at)
    box.put(f"failed/{name}")
    box.put(f"failed/{name}.json", encode(told))


@pytest.fixture
def failures(box: Box) -> Box:
    """Give a failed folder with several things in it."""
    fail(box, "1.pdf", "1", 103, "2026-11-03")
    fail(box, "1.2.pdf", "1", 105, "2026-11-02")
    fail(box, "2.pdf", "2", 103, "2026-11-01")
    fail(box, "no order.pdf", None, 100, "2026-11-04")
    box.put("failed/3.pdf")  # somebody deleted its receipt
    box.put("failed/4.pdf.json", (box.failed / "2.pdf.json").read_bytes().replace(b"2.pdf", b"4.pdf"))
    return box


def names(box: Box, choice: Choice) -> list[str]:
    """Put back what is meant; returns the names, in the order in which they went."""
    with search(Config(drop_dir=box.drop), choice) as found:
        results = list(found.put_back())
        assert found.count == len(results)
    assert [one.fault for one in results] == [None] * len(results)
    return [one.name for one in results]


def test_the_documents_of_an_order(failures: Box) -> None:
    """`retry ORDER` finds all failed documents of the order by their receipts, in the order they were dropped in."""
    assert names(failures, Choice(orders=frozenset({"1"}))) == ["1.2.pdf", "1.pdf"]


def test_a_document_without_a_receipt_is_of_the_order_in_its_name(failures: Box) -> None:
    """`retry ORDER` finds a failed document whose receipt was deleted by its name."""
    assert names(failures, Choice(orders=frozenset({"3", "2"}))) == ["2.pdf", "3.pdf"]


def test_one_code(failures: Box) -> None:
    """`retry --code` finds what failed with that code, and nothing else; what has no receipt has no code."""
    assert names(failures, Choice(code=103)) == ["2.pdf", "1.pdf"]


def test_all(failures: Box) -> None:
    """`retry --all` finds each document, whether or not anybody knows its order; receipts stay."""
    assert names(failures, Choice()) == ["2.pdf", "1.2.pdf", "1.pdf", "no order.pdf", "3.pdf"]
    assert sorted(one.name for one in failures.failed.iterdir()) == [
        "1.2.pdf.json",
        "1.pdf.json",
        "2.pdf.json",
        "4.pdf.json",
        "no order.pdf.json",
    ]


def test_a_name_that_is_left_alone(box: Box) -> None:
    """What the service would not take, and might even write its page over, stays where people are told of it."""
    for name in ("status.html", "1.draft.pdf", "1.pdf"):
        fail(box, name, None, 106)
    with search(Config(drop_dir=box.drop, ignore=("*.draft.*",)), Choice()) as found:
        left = {one.name for one in found.put_back() if one.fault is not None}
    assert left == {"status.html", "1.draft.pdf"}
    assert {one.name for one in box.failed.iterdir() if one.suffix != ".json"} == left


def test_orders_of_which_nothing_failed(failures: Box) -> None:
    """`retry` names the orders of which nothing failed; one of which only the receipt is left is among them."""
    with search(Config(drop_dir=failures.drop), Choice(orders=frozenset({"9", "1", "4"}))) as found:
        assert (found.missing, found.count) == (["4", "9"], 2)


def test_one_that_stays_holds_up_no_other(failures: Box) -> None:
    """A document whose name is taken in the drop folder stays, with its reason; the others are put back."""
    failures.put("2.pdf")
    with search(Config(drop_dir=failures.drop), Choice(code=103)) as found:
        first, second = found.put_back()
    assert first.name == "2.pdf"
    assert "already" in (first.fault or "")
    assert second == Requeued("1.pdf", None)


def test_what_is_offered_to_the_shell(failures: Box) -> None:
    """Completion offers the orders that have failed documents, by their beginning; nothing that would upset a shell."""
    fail(failures, "5.pdf", "12 34", 100)
    fail(failures, "6.pdf", "1\n2", 100)
    for number, command in enumerate(("$(reboot)", "`reboot`", "1;reboot", "1|sh", "--all", "*", "~root", "a'b"), 7):
        fail(failures, f"{number}.pdf", command, 100)
    assert offered(failures.failed, "") == ["1", "2"]
    assert offered(failures.failed, "2") == ["2"]
    assert offered(failures.failed, "x") == []
