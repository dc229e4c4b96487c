"""A whole invoice is dropped: it arrives byte for byte, and is filed away with its receipt."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import Answer
from tests.integration.events import events_in
from tests.integration.place import names, pdf, sample, samples, sidecar
from tests.integration.program import API_CODE, run

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

FIELDS = [
    "version",
    "state",
    "order_id",
    "file",
    "size",
    "sha256",
    "owner",
    "received_at",
    "finished_at",
    "attempts",
    "in_doubt",
    "http_status",
    "error",
    "response",
]
MIB = 1 << 20


@pytest.mark.parametrize("way", ["copy", "rename", "move"])
def test_every_format_arrives_byte_for_byte(api: StandIn, place: Place, daemon: Program, way: str) -> None:
    """A clerk copies, a program renames its temporary file, another moves its export in: each is sent as it is."""
    dropped = {f"{way}{number}{os.path.splitext(name)[1]}": sample(name) for number, name in enumerate(samples())}
    for name, content in dropped.items():
        place.put(name, content, way)
    place.until_done(*dropped)
    api.wait_for(len(dropped))
    for name, content in dropped.items():
        (request,) = api.of(name.partition(".")[0])
        assert (request.part.name, request.part.file_name) == ("File", name)
        assert request.part.sha256 == hashlib.sha256(content).hexdigest(), name
        assert (place.done / name).read_bytes() == content
    assert names(place.drop) == names(place.failed) == []


def test_the_receipt_says_what_was_sent(api: StandIn, place: Place, daemon: Program) -> None:
    """An accountant reads in the receipt what was sent, when, whose it was, and what the API answered."""
    api.default = Answer(200, b'{"ok": "\xc3\xa4\\u0007"}')
    content = sample("invoice.pdf")
    before = datetime.now(UTC)
    place.put("12345.pdf", content)
    place.until_done("12345.pdf")
    told = sidecar(place.done / "12345.pdf")
    assert list(told) == FIELDS
    times = [_moment(told.pop(key)) for key in ("received_at", "finished_at")]
    assert abs(times[0] - before).total_seconds() < 5
    assert times[0] <= times[1]
    assert told == {
        "version": 1,
        "state": "done",
        "order_id": "12345",
        "file": "12345.pdf",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "owner": pwd.getpwuid(os.getuid()).pw_name,
        "attempts": 1,
        "in_doubt": False,
        "http_status": 200,
        "error": None,
        "response": '{"ok": "\u00e4\\u0007"}',
    }


def _moment(text: str) -> datetime:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text)


def test_the_receipt_is_there_before_its_document(place: Place, daemon: Program) -> None:
    """Whoever waits for a document in done/ finds its receipt complete, and it never changes again."""
    with events_in(place.done) as happened:
        place.put("12345.pdf", pdf())
        place.until_done("12345.pdf")
        assert happened() == [("12345.pdf.json", "created"), ("12345.pdf", "moved in")]


def test_the_start_of_the_answer_is_kept(api: StandIn, place: Place, daemon: Program) -> None:
    """Of a long answer the receipt holds the first 2 KiB."""
    answer = json.dumps({"note": "n" * 5000})
    api.default = Answer(200, answer.encode())
    place.put("12345.pdf", pdf())
    place.until_done("12345.pdf")
    assert sidecar(place.done / "12345.pdf")["response"] == answer[:2048]


def test_no_receipts_in_done_when_they_are_turned_off(api: StandIn, place: Place, start: Start) -> None:
    """With `receipts: false` the done folder holds documents alone; a rejected one is explained all the same."""
    place.configure(receipts=False)
    start()
    place.put("12345.pdf", pdf())
    place.put("12346.pdf", b"no PDF")
    place.until_done("12345.pdf")
    place.until_failed("12346.pdf")
    assert names(place.done) == ["12345.pdf"]
    assert names(place.failed) == ["12346.pdf", "12346.pdf.json"]


def test_the_extension_counts_in_any_letter_case(api: StandIn, place: Place, daemon: Program) -> None:
    """Windows programs write 1.PDF and 2.DocX; they are invoices, and keep their names in done/."""
    dropped = {"1.PDF": "invoice.pdf", "2.DocX": "invoice.docx", "3.xLS": "invoice.xls", "4.Url": "shortcut.url"}
    for name, content in dropped.items():
        place.put(name, sample(content))
    place.until_done(*dropped)
    sent = {request.part.file_name for request in api.wait_for(4)}
    assert sent == {"1.pdf", "2.docx", "3.xls", None}
    assert [name for name in names(place.done) if not name.endswith(".json")] == sorted(dropped)


def test_files_of_every_size_arrive_whole(api: StandIn, place: Place, daemon: Program) -> None:
    """A page of text or a large scan of exactly 10 MiB: what arrives is what was dropped."""
    for size in (30_000, MIB - 1, MIB, MIB + 1, 10 * MIB):
        content = pdf("scan", size)
        place.put(f"{size}.pdf", content, "copy")
        place.until_done(f"{size}.pdf")
        (request,) = api.of(str(size))
        assert request.part.content == content, size
        assert sidecar(place.done / f"{size}.pdf")["size"] == size


def test_a_shortcut_is_sent_as_a_link(api: StandIn, place: Place, daemon: Program) -> None:
    """A dropped Internet shortcut, however Windows wrote it, tells the API where to fetch the document."""
    for name in ("shortcut.url", "shortcut-bom.url", "shortcut-utf16.url", "shortcut-sections.url"):
        place.put(name, sample(name))
        place.until_done(name)
        (request,) = api.of(name.removesuffix(".url"))
        assert (request.part.name, request.part.file_name) == ("FileUrl", None)
        assert request.part.content == b"https://billing.example.com/invoices/12345.pdf", name


def test_the_request_is_as_the_api_document_says(api: StandIn, place: Place, daemon: Program) -> None:
    """The order stands in the path, the API code in its header and nowhere else."""
    content = pdf()
    place.put("A-1_b.pdf", content)
    (request,) = api.wait_for(1)
    assert request.path == "/web-api/order/A-1_b/invoice"
    assert request.api_code == API_CODE
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert API_CODE not in str({**request.headers, "apicode": ""}) + request.path
    assert request.part.content == content


def test_an_order_id_can_be_taken_out_of_a_longer_name(api: StandIn, place: Place, start: Start) -> None:
    """Accounting software that exports invoice-12345-final.pdf needs nothing but a pattern."""
    place.configure(order_id_pattern="[a-z]+-(?P<order_id>[0-9]+)-.*")
    start()
    place.put("invoice-12345-final.pdf", pdf())
    place.until_done("invoice-12345-final.pdf")
    (request,) = api.wait_for(1)
    assert (request.order_id, request.part.file_name) == ("12345", "12345.pdf")
    told = sidecar(place.done / "invoice-12345-final.pdf")
    assert (told["order_id"], told["file"]) == ("12345", "invoice-12345-final.pdf")


def test_what_lay_there_before_the_start_is_delivered(api: StandIn, place: Place, start: Start) -> None:
    """A backlog from the week-end needs no second drop, and goes in the order in which it came."""
    place.configure(api__workers=1)
    paths = [place.put("9.pdf", pdf("9"))]
    for name in ("5.pdf", "7.pdf", "1.pdf"):
        paths.append(place.put_after(paths[-1], name, pdf(name)))
    start()
    place.until_done(*(path.name for path in paths))
    assert [request.order_id for request in api.requests] == ["9", "5", "7", "1"]


def test_no_more_are_sent_at_once_than_configured(api: StandIn, place: Place, start: Start) -> None:
    """`api.workers: 2` sends two at the same time, and never three."""
    place.configure(api__workers=2)
    api.default = Answer(delay=0.05)
    for number in range(10):
        place.put(f"{number}.pdf", pdf())
    start()
    api.wait_for(10)
    place.until_done(*(f"{number}.pdf" for number in range(10)))
    spans = [(request.started, request.answered or 0.0) for request in api.requests]
    together = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(together) == 2


def test_a_burst_of_files_goes_out_once_each(api: StandIn, place: Place, daemon: Program) -> None:
    """The month's 300 invoices are exported at once, while the daemon runs: each arrives, none twice."""
    dropped = {f"{number}.pdf": pdf(str(number)) for number in range(300)}
    for name, content in dropped.items():
        place.put(name, content, "copy")
    place.until_done(*dropped)
    sent = {request.part.file_name: request.part.content for request in api.requests}
    assert sent == dropped
    assert len(api.requests) == len(dropped)


def test_a_file_may_have_any_date(api: StandIn, place: Place, daemon: Program) -> None:
    """A copy keeps the date of its original: 1970, 2000 or 2100, it is dropped now and sent now."""
    for moment in (0, 951_782_400, 4_102_444_800):
        original = place.root / f"{moment}.pdf"
        original.write_bytes(pdf())
        os.utime(original, (moment, moment))
        original.rename(place.drop / original.name)
        place.until_done(original.name)
        received = datetime.fromisoformat(sidecar(place.done / original.name)["received_at"])
        assert abs((datetime.now(UTC) - received).total_seconds()) < 60


def test_order_ids_may_be_of_any_script(api: StandIn, place: Place, start: Start) -> None:
    """A pattern of the site's own lets letters and blanks through: they arrive as UTF-8, in path and file name."""
    place.configure(order_id_pattern=".+")
    start()
    place.put("Größe 1 & 2.pdf", pdf())
    place.until_done("Größe 1 & 2.pdf")
    (request,) = api.wait_for(1)
    assert request.path == "/web-api/order/Gr%C3%B6%C3%9Fe%201%20%26%202/invoice"
    assert request.part.file_name == "Größe 1 & 2.pdf"


def test_the_daemon_needs_no_command_line_but_the_configuration(place: Place) -> None:
    """`$INVOICE_WATCHER_CONFIG` names the configuration where no option does."""
    place.put("12345.pdf", pdf())
    finished = run("run", "--once", env={"INVOICE_WATCHER_CONFIG": str(place.config)})
    assert finished.status == 0, finished.err
    assert "12345.pdf" in names(place.done)
