"""The API as a client meets it: a real server on loopback, spoken to with requests."""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from defusedxml.ElementTree import fromstring

from invoice_watcher.outcome import API_CODES
from invoice_watcher.sandbox import Mode, Sandbox, running
from invoice_watcher.sandbox.rules import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_GUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
PDF = b"%PDF-1.4\n%%EOF\n"
TIMEOUT = 20
JSON_TYPES = ("application/json", "text/json")
XML_TYPES = ("application/xml", "text/xml")


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run one stand-in for all tests of this file."""
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    """Return the stand-in with nothing in its memory."""
    shared.forget()
    return shared


def post(sandbox: Sandbox, order_id: str = "12345", **options: object) -> requests.Response:
    """Send an invoice; `options` replace what an impeccable request has."""
    headers = {"ApiCode": GUID, "Accept": "application/json"}
    given = {"files": {"File": ("12345.pdf", PDF)}, "headers": headers, "allow_redirects": False, **options}
    return requests.post(f"{sandbox.base_url}/order/{order_id}/invoice", timeout=TIMEOUT, **given)  # type: ignore[arg-type]  # as given


def head(fields: list[str]) -> bytes:
    """Return the start of a request as bytes, up to its body, with more header fields."""
    lines = ["POST /web-api/order/1/invoice HTTP/1.1", "Host: x", f"ApiCode: {GUID}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def post_as(sandbox: Sandbox, accept: str | None, order_id: str = "12345") -> requests.Response:
    """Send an invoice and ask for an answer of a certain kind; None sends no Accept at all."""
    return post(sandbox, order_id, headers={"ApiCode": GUID, "Accept": accept})


@pytest.mark.parametrize("accept", JSON_TYPES)
@pytest.mark.parametrize("code", API_CODES)
def test_each_code_in_json(sandbox: Sandbox, code: int, accept: str) -> None:
    """Who accepts JSON is told every documented error as an object with code and message."""
    answer = post_as(sandbox, accept, f"E{code}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, f"{accept}; charset=utf-8")
    assert answer.json() == {"error": {"code": code, "message": API_CODES[code].message}}


@pytest.mark.parametrize("accept", [*XML_TYPES, None, "*/*"])
@pytest.mark.parametrize("code", API_CODES)
def test_each_code_in_xml(sandbox: Sandbox, code: int, accept: str | None) -> None:
    """Who accepts XML, or says nothing, is told every documented error as an InvoiceResponse."""
    answer = post_as(sandbox, accept, f"E{code}")
    kind = accept if accept in XML_TYPES else "text/xml"
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, f"{kind}; charset=utf-8")
    root = fromstring(answer.content)
    assert (root.tag, root.findtext("Code")) == ("InvoiceResponse", str(code))
    assert root.findtext("Message") == API_CODES[code].message


def test_success_in_json_and_xml(sandbox: Sandbox) -> None:
    """A document that is taken is answered 200 with an object in which there is no error."""
    in_json, in_xml = post_as(sandbox, "application/json"), post_as(sandbox, None)
    assert (in_json.status_code, in_json.json()) == (200, {})
    assert (in_xml.status_code, len(fromstring(in_xml.content))) == (200, 0)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"File": ("1.pdf", PDF), "FileUrl": (None, "https://example.com/1.pdf")}, 110),
        ({"Other": (None, "x")}, 107),
        ({"File": (None, "no file name")}, 107),
        ({"File": ("1.txt", PDF)}, 106),
        ({"File": ("1.pdf", b"")}, 108),
        ({"File": ("1.pdf", b"x" * (LARGEST + 1))}, 109),
        ({"FileUrl": (None, "no link")}, 104),
        ({"FileUrl": (None, "https://files.invalid/1.pdf")}, 105),
    ],
)
def test_faults_of_the_document(sandbox: Sandbox, parts: dict[str, object], code: int) -> None:
    """What is wrong with a document is found by looking at it, not only by the order's id."""
    assert post(sandbox, files=parts).json()["error"]["code"] == code


@pytest.mark.parametrize(
    "parts",
    [
        {"File": ("1.pdf", b"x" * LARGEST)},
        {"File": ("Größe “1”.DOCX", PDF)},
        {"FileUrl": (None, "https://example.com/1.pdf")},
    ],
)
def test_documents_that_are_taken(sandbox: Sandbox, parts: dict[str, object]) -> None:
    """Ten megabytes, a name in any letters, or a link instead of a file: all are taken."""
    assert post(sandbox, files=parts).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"FileUrl=https%3A%2F%2Fexample.com%2F1.pdf", "application/x-www-form-urlencoded"),
        (PDF, "application/pdf"),
        (PDF, "multipart/form-data"),
        (PDF, "multipart/form-data; boundary=x"),
        (b"", ""),
    ],
)
def test_only_multipart_holds_a_document(sandbox: Sandbox, body: bytes, content_type: str) -> None:
    """A body that is no proper multipart/form-data is a request without a document."""
    headers = {"ApiCode": GUID, "Accept": "text/json", "Content-Type": content_type}
    answer = post(sandbox, files=None, data=body, headers=headers)
    assert answer.json()["error"]["code"] == 107


def test_what_came_is_kept_but_not_the_api_code(sandbox: Sandbox) -> None:
    """Afterwards one can see what was received, whole, and how it was answered; the API code is not told."""
    post(sandbox, "E103-a")
    post(sandbox, headers={"ApiCode": "secret"})
    post(sandbox, "7", files={"FileUrl": (None, "https://example.com/1.pdf")})
    refused, unknown, link = sandbox.received()
    assert (refused.order_id, refused.status, refused.code, refused.api_code_ok) == ("E103-a", 400, 103, True)
    assert (refused.file_name, refused.size) == ("12345.pdf", len(PDF))
    assert refused.sha256 == hashlib.sha256(PDF).hexdigest()
    assert (unknown.status, unknown.code, unknown.api_code_ok) == (401, None, False)
    assert (link.file_url, link.file_name, link.size, link.sha256) == (
        "https://example.com/1.pdf",
        None,
        None,
        None,
    )
    assert GUID not in repr(sandbox.received())
    assert "secret" not in repr(sandbox.received())


def test_a_fixed_api_code() -> None:
    """With a fixed API code, another GUID is answered 101, none at all 401, and the right one is taken."""
    with running(api_code=GUID) as sandbox:
        wrong = post(sandbox, headers={"ApiCode": OTHER_GUID, "Accept": "text/json"})
        missing = post(sandbox, headers={})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, 101)
        assert missing.status_code == 401
        assert post(sandbox).status_code == 200
        assert [row.api_code_ok for row in sandbox.received()] == [False, False, True]


@pytest.mark.parametrize(("order_id", "retry_after"), [("H503", "2"), ("H429-a", "2"), ("H401", None), ("H302", None)])
def test_http_statuses(sandbox: Sandbox, order_id: str, retry_after: str | None) -> None:
    """H and a status answers that status; 429 and 503 say when to come again."""
    answer = post(sandbox, order_id)
    assert answer.status_code == int(order_id[1:4])
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_redirect_leads_elsewhere(sandbox: Sandbox) -> None:
    """A redirect has a target, so that a client which follows it is found out."""
    assert post(sandbox, "H307").headers["Location"] == "/login"


def test_flaky(sandbox: Sandbox) -> None:
    """FLAKY2 fails twice and is then taken; another FLAKY order counts for itself."""
    assert [post(sandbox, "FLAKY2-a").status_code for _ in range(3)] == [503, 503, 200]
    assert post(sandbox, "FLAKY2-b").status_code == 503


@pytest.mark.slow
def test_slow(sandbox: Sandbox) -> None:
    """SLOW1 answers after one second."""
    before = time.monotonic()
    assert post(sandbox, "SLOW1-a").status_code == 200
    assert time.monotonic() - before >= 1


def test_a_dropped_connection(sandbox: Sandbox) -> None:
    """DROP gives no answer at all, and is on record with none."""
    with pytest.raises(requests.ConnectionError):
        post(sandbox, "DROP")
    assert [(row.order_id, row.status) for row in sandbox.received()] == [("DROP", None)]


def test_a_login_page(sandbox: Sandbox) -> None:
    """HTML answers 200 with a web page, as a captive portal or a proxy does."""
    answer = post(sandbox, "HTML")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<form" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/web-api/order/1/invoice", 405),
        ("PUT", "/web-api/order/1/invoice", 405),
        ("POST", "/order/1/invoice", 404),
        ("POST", "/web-api/order//invoice", 404),
        ("POST", "/web-api/order/1/invoice/", 404),
        ("GET", "/", 404),
        ("POST", "/sandbox/mode", 405),
    ],
)
def test_other_paths_and_methods(sandbox: Sandbox, method: str, path: str, status: int) -> None:
    """Only the documented path and method reach the API."""
    answer = requests.request(method, sandbox.origin + path, data=b"x" * 100_000, timeout=TIMEOUT)
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    assert sandbox.received() == ()


def test_a_connection_serves_many_requests(sandbox: Sandbox) -> None:
    """A connection stays open over answers of every kind, also where nobody looked at the body."""
    connection = http.client.HTTPConnection(urlsplit(sandbox.origin).netloc, timeout=TIMEOUT)
    connection.connect()
    first = connection.sock
    for path, chunked in [
        ("/nowhere", False),
        ("/web-api/order/H401/invoice", True),
        ("/web-api/order/1/invoice", False),
    ]:
        body = iter([b"x" * 70_000, b"y"]) if chunked else b"z" * 70_000
        connection.request("POST", path, body, encode_chunked=chunked, headers={"ApiCode": GUID})
        connection.getresponse().read()
        assert connection.sock is first
    connection.close()
    assert [row.order_id for row in sandbox.received()] == ["H401", "1"]


def test_a_chunked_upload(sandbox: Sandbox) -> None:
    """A body of unknown length is taken too."""
    whole = requests.Request("POST", sandbox.origin, files={"File": ("1.pdf", PDF * 9_000)}).prepare()
    assert isinstance(whole.body, bytes)
    headers = {"ApiCode": GUID, "Content-Type": whole.headers["Content-Type"]}
    pieces = iter([whole.body[:5], whole.body[5:99_999], whole.body[99_999:]])
    assert post(sandbox, files=None, data=pieces, headers=headers).status_code == 200
    assert sandbox.received()[0].sha256 == hashlib.sha256(PDF * 9_000).hexdigest()


def test_a_client_that_waits_to_be_asked_for_the_body(sandbox: Sandbox) -> None:
    """`Expect: 100-continue` is answered before the body is sent, as curl wants it for large files."""
    address = urlsplit(sandbox.origin)
    with socket.create_connection((address.hostname, address.port), TIMEOUT) as client:
        client.sendall(head(["Expect: 100-continue", "Content-Length: 1"]))
        with client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert answer.readline() == b"\r\n"
            client.sendall(b"x")
            assert answer.readline().startswith(b"HTTP/1.1 400 ")


_PART = b'--b\r\nContent-Disposition: form-data; name="File"; filename="1.pdf"\r\n\r\n%PDF'


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["Content-Length: 999"], b"half"),
        (["Content-Length: 999", "Content-Type: multipart/form-data; boundary=b"], _PART),
        (["Content-Length: 999", "Content-Type: multipart/form-data; boundary=b"], _PART + b"\r\n--b--\r\n"),
        (["Transfer-Encoding: chunked"], b"4\r\nhalf\r\n"),
        (["Transfer-Encoding: chunked"], b"9\r\nhalf"),
    ],
)
def test_half_an_upload_is_no_upload(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fields: list[str], body: bytes
) -> None:
    """A request that breaks off in the middle is never on record as received, and is logged as that."""
    caplog.set_level(logging.INFO, "invoice_watcher.sandbox")
    address = urlsplit(sandbox.origin)
    with socket.create_connection((address.hostname, address.port), TIMEOUT) as client:
        client.sendall(head(fields) + body)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert sandbox.received() == ()
    assert caplog.messages == ["a request broke off"]


def test_memory_is_bounded(sandbox: Sandbox) -> None:
    """A file name of any length does not fill the memory: only its start is kept."""
    post(sandbox, files={"File": ("n" * 5_000 + ".pdf", PDF)})
    assert sandbox.received()[0].file_name == "n" * 2048


@pytest.mark.parametrize(
    ("order_id", "line"),
    [
        ("E103", "POST order E103 invoice 12.3 kB -> 400 code 103 Order is already shipped or cancelled"),
        ("12345", "POST order 12345 invoice 12.3 kB -> 200"),
        ("H418", "POST order H418 invoice 12.3 kB -> 418"),
        ("a%0Ab%1B[2J", r"POST order a\nb\x1b[2J invoice 12.3 kB -> 400 code 100 Order ID is wrong"),
    ],
)
def test_the_access_log(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, order_id: str, line: str) -> None:
    """Each request is one line: what came and what was answered, escaped, and without the API code."""
    with caplog.at_level(logging.DEBUG):
        post(sandbox, order_id, files={"File": ("1.pdf", b"x" * 12_300)})
    ours = [record.getMessage() for record in caplog.records if record.name == "invoice_watcher.sandbox"]
    assert ours == [line]
    assert not any(record.name == "werkzeug" for record in caplog.records)
    assert GUID not in caplog.text


def test_many_clients_at_once() -> None:
    """Requests are answered side by side: the second is read while the first still waits for its answer."""
    with running(mode=Mode(latency=30)) as sandbox:
        clients = [
            socket.create_connection((urlsplit(sandbox.origin).hostname, urlsplit(sandbox.origin).port)) for _ in "ab"
        ]
        for client in clients:
            client.sendall(head([]))
        assert len(sandbox.wait_for(2, timeout=TIMEOUT)) == 2
        for client in clients:
            client.close()


def test_json_is_json(sandbox: Sandbox) -> None:
    """The answer is one line of valid JSON, whose length is told."""
    answer = post(sandbox, "E110")
    assert json.loads(answer.content)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
