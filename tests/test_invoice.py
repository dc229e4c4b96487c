"""What an order id may look like, and what is told to the API about a file."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.invoice import Invoice, Kind, OrderId


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "1\n",
        "1\0",
        "\x1b[0m",
        "1\u202e2",
        "1\xa02",
        "1\udcff",
        "\ud800",
        "x" * 201,
        "é" * 101,
    ],
)
def test_no_pattern_can_let_a_dangerous_id_through(text: str) -> None:
    """An id is part of a URL and of a file name, so what would lead elsewhere, or not print, is never one."""
    with pytest.raises(ValueError, match="order id"):
        OrderId(text)


@pytest.mark.parametrize(
    "text", ["1", "12345", "A-1_b", "2024.12", "№ 7", "発注-9", "x" * 200, "é" * 100, "%2e%2e", "a\\b"]
)
def test_whatever_else_an_administrator_allows_is_an_id(text: str) -> None:
    """Which ids there are is the configuration's business."""
    assert OrderId(text) == text


@given(st.text(st.characters()))
def test_an_id_is_one_harmless_segment(text: str) -> None:
    """Any text is refused with a ValueError, or fits into one segment of a URL and one file name."""
    try:
        order_id = OrderId(text)
    except ValueError:
        return
    assert order_id.isprintable()
    assert quote(order_id, safe="") not in {"", ".", ".."}
    assert "/" not in quote(order_id, safe="")
    assert len(f"{order_id}.xlsx.999999.json".encode()) <= 255


def test_the_api_is_told_a_name_rebuilt_from_the_order() -> None:
    """The raw file name, whatever it holds, never leaves the house."""
    assert Invoice("INV 12345 Müller.PDF", OrderId("12345"), Kind.PDF).sent_name == "12345.pdf"


def test_files_of_one_order_stand_in_one_line() -> None:
    """They are sent one after the other, whatever their extensions; a file without an order waits for nobody."""
    first, second = Invoice("1.pdf", OrderId("1"), Kind.PDF), Invoice("1.XLS", OrderId("1"), Kind.XLS)
    assert first.lane == second.lane
    assert Invoice("a b.pdf", None, Kind.PDF).lane != Invoice("a c.pdf", None, Kind.PDF).lane
