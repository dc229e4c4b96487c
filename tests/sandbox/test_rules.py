"""Which answer a request gets: the rules alone, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.outcome import API_CODES
from invoice_watcher.sandbox.rules import (
    DROPPED,
    LARGEST,
    ORDERS,
    Answer,
    Document,
    Post,
    Row,
    Shape,
    answer_to,
    explain,
    is_guid,
)

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_GUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
PDF = Document("12345.pdf", 30_211, "0" * 64)


def answer(order_id: str = "12345", *, earlier: int = 0) -> Answer:
    """Return what an impeccable request for `order_id` is answered."""
    return answer_to(Post(order_id, GUID, PDF), api_code=None, earlier=earlier)


def file_answer(name: str, size: int = 1) -> Answer:
    """Return what a document of that name and size is answered."""
    return answer_to(Post("12345", GUID, Document(name, size, "")), api_code=None, earlier=0)


def link_answer(link: str) -> Answer:
    """Return what a link is answered."""
    return answer_to(Post("12345", GUID, file_url=link), api_code=None, earlier=0)


@pytest.mark.parametrize("code", API_CODES)
def test_every_documented_code_has_an_order(code: int) -> None:
    """Every error of the API document can be had by the order id E and its code."""
    assert answer(f"E{code}") == Answer(Shape.REFUSED, 400, code)


@pytest.mark.parametrize("order_id", ["e103", "E103-", "E103-anything", "e103-2026-11"])
def test_case_and_what_follows_a_dash_do_not_matter(order_id: str) -> None:
    """One order id can be used many times over by putting something behind a dash."""
    assert answer(order_id).code == 103


@pytest.mark.parametrize("order_id", ["E102", "E103x", "xE103", "H99", "H100", "H600", "SLOW", "DROPS", "12345"])
def test_all_others_succeed(order_id: str) -> None:
    """An order id that is not exactly in the table is an ordinary order."""
    assert answer(order_id) == Answer()


@pytest.mark.parametrize(
    ("order_id", "expected"),
    [
        ("H401", Answer(Shape.BARE, 401)),
        ("h503-x", Answer(Shape.BARE, 503, retry_after=2)),
        ("H429", Answer(Shape.BARE, 429, retry_after=2)),
        ("SLOW3-x", Answer(delay=3)),
        ("DROP", DROPPED),
        ("HTML", Answer(Shape.PAGE)),
    ],
)
def test_orders_that_ask_for_trouble(order_id: str, expected: Answer) -> None:
    """HTTP errors, slowness, broken connections and login pages can be had by an order id."""
    assert answer(order_id) == expected


def test_flaky_orders_recover() -> None:
    """FLAKY2 fails twice and is taken the third time."""
    assert [answer("FLAKY2-x", earlier=n).status for n in range(4)] == [503, 503, 200, 200]


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: row.shown)
def test_each_example_is_answered_by_its_own_row(row: Row) -> None:
    """The table's examples do what their row says, and no row hides behind an earlier one."""
    assert next(other for other in ORDERS if other.match(row.example)) is row


def test_the_help_names_every_row() -> None:
    """The help text says of every special order id what it does."""
    assert all(row.shown in explain() and row.meaning in explain() for row in ORDERS)


def test_an_impossible_order_id_is_no_order() -> None:
    """An order id that could not stand in a file name is one that nobody has."""
    assert answer("x" * 201).code == 100


@pytest.mark.parametrize("sent", [None, "", "secret", GUID[:-1], "{" + GUID + "}", f"{GUID},{GUID}"])
def test_without_an_api_code_nothing_goes(sent: str | None) -> None:
    """A request without a GUID in ApiCode is answered 401, even where the order asks for something else."""
    assert answer_to(Post("E103", sent, PDF), api_code=None, earlier=0) == Answer(Shape.BARE, 401)


def test_anothers_api_code_is_wrong() -> None:
    """With a fixed API code every other GUID is answered 101, and its letter case does not matter."""
    assert answer_to(Post("1", OTHER_GUID, PDF), api_code=GUID, earlier=0).code == 101
    assert answer_to(Post("1", GUID.upper(), PDF), api_code=GUID, earlier=0).status == 200


def test_exactly_one_of_file_and_link() -> None:
    """Both parts are 110 and none is 107, whatever is in them."""
    both = Post("1", GUID, Document("1.txt", 0, ""), "no link")
    assert answer_to(both, api_code=None, earlier=0).code == 110
    assert answer_to(Post("1", GUID), api_code=None, earlier=0).code == 107


@pytest.mark.parametrize(
    ("name", "size", "code"),
    [
        ("1.pdf", 1, None),
        ("1.DocX", LARGEST, None),
        ("1.pdf", LARGEST + 1, 109),
        ("1.pdf", 0, 108),
        ("1.txt", 0, 106),
        ("pdf.", 1, 106),
        ("1.url", 1, 106),
        ("1.pdf.exe", LARGEST + 1, 106),
    ],
)
def test_documents(name: str, size: int, code: int | None) -> None:
    """A document needs a known extension in any letter case, at least one byte and at most 10 MB."""
    assert file_answer(name, size).code == code


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://example.com/1.pdf", None),
        ("HTTP://example.com:8080/invoice?id=1", None),
        ("https://files.invalid/1.pdf", 105),
        ("https://FILES.INVALID./1.pdf", 105),
        ("https://example.com/files.invalid", None),
        ("", 104),
        ("1.pdf", 104),
        ("https://", 104),
        ("https:///1.pdf", 104),
        ("file:///etc/passwd", 104),
        ("https://[::1/1.pdf", 104),
        ("https://example.com:port/", 104),
        ("https://example.com/a b.pdf", 104),
        ("https://example.com/1.pdf\n", 104),
    ],
)
def test_links(link: str, code: int | None) -> None:
    """A link needs http or https and a host; a host under .invalid can never be reached."""
    assert link_answer(link).code == code


def test_a_slow_order_still_has_its_document_checked() -> None:
    """SLOW delays whatever answer the document deserves."""
    late = answer_to(Post("SLOW3", GUID), api_code=None, earlier=0)
    assert (late.code, late.delay) == (107, 3)


def test_the_api_code_is_not_shown() -> None:
    """A request that ends up in a traceback or an assertion does not tell its API code."""
    assert GUID not in repr(Post("1", GUID, PDF))


@given(st.uuids())
def test_every_guid_is_one(guid: object) -> None:
    """Every GUID in its usual form is taken."""
    assert is_guid(str(guid))


@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_there_is_always_an_answer(order_id: str, api_code: str | None, name: str | None, link: str | None) -> None:
    """No request, however strange, is left without an answer that the rules know."""
    document = None if name is None else Document(name, len(name), "")
    given_answer = answer_to(Post(order_id, api_code, document, link), api_code=None, earlier=0)
    assert given_answer.status is None or 200 <= given_answer.status < 600
    assert given_answer.code is None or given_answer.code in API_CODES


@given(st.text())
def test_every_link_is_judged(link: str) -> None:
    """No link, however broken, breaks the check of links."""
    assert link_answer(link).code in {None, 104, 105}
