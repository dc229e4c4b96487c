"""The file's own fault: it goes to failed/ at once, is never sent again by itself, and its receipt says what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.answers import Answer, refused, refused_in_xml
from tests.integration.place import documents, names, pdf, sample, sidecar
from tests.integration.program import API_CODE
from tests.integration.test_delivery import FIELDS

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

# The API document's own table, but for 105, which may pass.
CODES = {
    100: "Order ID is wrong",
    101: "Wrong API code",
    103: "Order is already shipped or cancelled",
    104: "Incorrect document link format",
    106: "Document file format is not supported. File should be of one of formats .doc, .docx, .pdf, .xls, .xlsx",
    107: "No document in request",
    108: "Invoice file cannot be empty",
    109: "Invoice file should be not more than 10MB.",
    110: "Please, use either FileUrl or File, but not both within the same request.",
}


def _flat(code: int, message: str, status: int) -> Answer:
    return Answer(status, json.dumps({"Code": str(code), "Message": message}).encode())


def _flat_xml(code: int, message: str, status: int) -> Answer:
    body = f"<InvoiceResponse><Code>{code}</Code><Message>{message}</Message></InvoiceResponse>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml; charset=utf-8"})


FORMS = {"json": refused, "xml": refused_in_xml, "flat-json": _flat, "flat-xml": _flat_xml}


@pytest.mark.parametrize("status", [400, 404, 200])
def test_every_code_of_the_api(api: StandIn, place: Place, daemon: Program, status: int) -> None:
    """Whatever shape and status an API error comes in, the receipt tells its code, and it was asked only once."""
    place.put("first.pdf", pdf())  # with one success the API code is known to be right, and 101 means the order
    place.until_done("first.pdf")
    said = {f"{form}-{code}": FORMS[form](code, CODES[code], status) for form in FORMS for code in CODES}
    for order_id, answer in said.items():
        api.script(order_id, answer)
        place.put(f"{order_id}.pdf", pdf(order_id))
    place.until_failed(*(f"{order_id}.pdf" for order_id in said))
    for order_id, answer in said.items():
        (request,) = api.of(order_id)
        told = sidecar(place.failed / f"{order_id}.pdf")
        code = int(order_id.rpartition("-")[2])
        assert list(told) == FIELDS
        assert (told["state"], told["attempts"], told["in_doubt"]) == ("failed", 1, False)
        assert (told["http_status"], told["sha256"]) == (status, request.part.sha256)
        assert told["response"] == answer.body.decode()
        assert (told["error"]["source"], told["error"]["code"]) == ("api", code), order_id
        assert told["error"]["message"] == CODES[code]
        assert len(told["error"]["hint"]) > 30
    assert documents(place.done) == ["first.pdf"]


def test_an_order_that_is_closed_reads_as_documented(api: StandIn, place: Place, daemon: Program) -> None:
    """An order that is closed reads as the README shows it: reason, message and hint word for word."""
    api.default = refused(103, "Order is already shipped or cancelled")
    place.put("12345.pdf", pdf())
    place.until_failed("12345.pdf")
    error = sidecar(place.failed / "12345.pdf")["error"]
    assert list(error) == ["source", "code", "reason", "message", "hint"]
    assert (error["reason"], error["message"]) == ("order_closed", "Order is already shipped or cancelled")
    assert error["hint"].startswith("The order has left or was cancelled, so its invoice can no longer be changed.")


def test_a_link_that_the_service_cannot_fetch_is_tried_three_times(api: StandIn, place: Place, daemon: Program) -> None:
    """105 may pass, so it takes three attempts; then a person has to look at the link."""
    api.default = refused(105, "Document cannot be downloaded or timeout")
    place.put("12345.url", sample("shortcut.url"))
    place.until_failed("12345.url")
    told = sidecar(place.failed / "12345.url")
    assert len(api.requests) == told["attempts"] == 3
    assert (told["error"]["source"], told["error"]["code"]) == ("api", 105)
    assert told["error"]["reason"] == "link_unreachable"


def test_a_link_that_can_be_fetched_the_second_time(api: StandIn, place: Place, daemon: Program) -> None:
    """A link that the API cannot fetch the first time (105), but the second: delivered."""
    api.script("12345", refused(105, "Document cannot be downloaded or timeout"), Answer())
    place.put("12345.url", sample("shortcut.url"))
    place.until_done("12345.url")
    assert sidecar(place.done / "12345.url")["attempts"] == 2


def test_an_unknown_code_is_judged_by_its_status(api: StandIn, place: Place, daemon: Program) -> None:
    """A code that no document tells of: with 400 the file is to blame, with 500 it is sent again."""
    api.script("1", refused(999, "New rule", 400))
    api.script("2", refused(999, "New trouble", 500), Answer())
    place.put("1.pdf", pdf())
    place.put("2.pdf", pdf())
    place.until_failed("1.pdf")
    place.until_done("2.pdf")
    error = sidecar(place.failed / "1.pdf")["error"]
    assert (error["code"], error["message"]) == (999, "New rule")


def test_statuses_that_blame_the_file(api: StandIn, place: Place, daemon: Program) -> None:
    """A status that blames the request, without a code: failed, after one request, by what HTTP says."""
    for status in (400, 413, 415, 422):
        api.script(str(status), Answer(status, b""))
        place.put(f"{status}.pdf", pdf())
        place.until_failed(f"{status}.pdf")
        told = sidecar(place.failed / f"{status}.pdf")
        assert len(api.of(str(status))) == told["attempts"] == 1
        assert (told["http_status"], told["response"]) == (status, "")
        assert (told["error"]["source"], told["error"]["code"]) == ("http", None)
        assert told["error"]["reason"] == f"http_{status}"


class Bad(NamedTuple):
    """A file that is no invoice, and what its receipt has to say."""

    name: str
    content: bytes
    code: int | None
    reason: str


BAD = (
    Bad("invoice 12345.pdf", pdf(), 100, "bad_name"),
    Bad("12345.pdf.pdf", pdf(), 100, "bad_name"),
    Bad("a" * 65 + ".pdf", pdf(), 100, "bad_name"),
    Bad("1.txt", b"text", 106, "unsupported_format"),
    Bad("2", pdf(), 106, "unsupported_format"),
    Bad("3.pdf.exe", b"MZ", 106, "unsupported_format"),
    Bad("4.pdf", b"this is text and nothing else\n", 106, "content_mismatch"),
    Bad("5.docx", sample("invoice.pdf"), 106, "content_mismatch"),
    Bad("6.xlsx", sample("invoice.docx"), 106, "content_mismatch"),
    Bad("7.doc", sample("invoice.pdf"), 106, "content_mismatch"),
    Bad("8.pdf", b"", 108, "empty"),
    Bad("9.pdf", pdf("", 10 * 1024 * 1024 + 1), 109, "too_large"),
    Bad("10.url", b"[InternetShortcut]\r\nURL=file:///C:/invoice.pdf\r\n", 104, "bad_link"),
    Bad("11.url", b"[InternetShortcut]\r\nURL=https://anna:geheim@example.com/\r\n", 104, "bad_link"),
    Bad("12.url", b"[InternetShortcut]\r\nURL=\r\n", 104, "bad_link"),
    Bad("13.pdf", sample("invoice.pdf")[:-400], None, "incomplete"),
    Bad("14.docx", sample("invoice.docx")[:-100], None, "incomplete"),
    Bad("15.xls", sample("invoice.xls")[:2000], None, "incomplete"),
)


def test_what_is_no_invoice_is_told_apart_without_asking(api: StandIn, place: Place, start: Start) -> None:
    """Whatever the API would refuse is refused here, with the API's code; not one request is made."""
    place.configure(settle__incomplete_after="500ms")
    for bad in BAD:
        place.put(bad.name, bad.content)
    daemon = start()
    place.until_failed(*(bad.name for bad in BAD))
    for bad in BAD:
        told = sidecar(place.failed / bad.name)
        assert list(told) == FIELDS
        assert (told["state"], told["attempts"], told["http_status"]) == ("failed", 0, None), bad.name
        assert (told["size"], told["response"], told["in_doubt"]) == (len(bad.content), None, False), bad.name
        assert told["error"]["source"] == "validation", bad.name
        assert (told["error"]["code"], told["error"]["reason"]) == (bad.code, bad.reason), bad.name
        assert (place.failed / bad.name).read_bytes() == bad.content
    assert api.requests == []
    daemon.says("rejected", times=len(BAD))


def test_a_password_in_a_link_is_not_told_on(place: Place, daemon: Program) -> None:
    """A shortcut with a password in it is refused, and neither log nor receipt repeats the password."""
    place.put("1.url", b"[InternetShortcut]\r\nURL=https://anna:geheim@example.com/\r\n")
    place.until_failed("1.url")
    assert "geheim" not in (place.failed / "1.url.json").read_text() + daemon.err


def test_an_answer_that_repeats_the_secret(api: StandIn, place: Place, daemon: Program) -> None:
    """An API that echoes the API code in its error gets it into no receipt and no log line, in any letter case."""
    for name, form in FORMS.items():
        api.script(name, form(103, f"no order for {API_CODE} or {API_CODE.upper()}", 400))
        place.put(f"{name}.pdf", pdf())
        place.until_failed(f"{name}.pdf")
        text = (place.failed / f"{name}.pdf.json").read_text()
        assert "***" in text
        assert API_CODE not in (text + daemon.err).lower()


def test_a_hostile_message_cannot_write_into_the_log(api: StandIn, place: Place, daemon: Program) -> None:
    """What the API says is shown, never obeyed: no new line, no colours, no reversed text."""
    api.default = refused(103, "closed\n2026-01-01T00:00:00Z INFO delivered\x1b[2J \u202egnp")
    place.put("12345.pdf", pdf())
    place.until_failed("12345.pdf")
    line = daemon.says("rejected 12345.pdf")
    assert r"closed\n2026" in line
    assert daemon.stop() == 0


def test_a_rejected_file_is_not_sent_again_by_itself(api: StandIn, place: Place, start: Start) -> None:
    """What lies in failed/ stays there over any restart, until a person moves it."""
    api.default = refused(103, "closed")
    place.put("12345.pdf", pdf())
    assert place.once().status == 1
    assert place.once().status == 0
    start().stop()
    assert len(api.requests) == 1
    assert names(place.failed) == ["12345.pdf", "12345.pdf.json"]
