"""The upload against a server that does what it likes: what goes over the wire, what is believed, and when it ends."""

from __future__ import annotations

import gzip
import html
import json
import os
import random
import re
import socket
import threading
import time
import tracemalloc
from concurrent.futures import Future
from contextlib import closing, contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from tenacity import wait_fixed

from invoice_watcher.config import Api, Secret, parse
from invoice_watcher.errors import ConfigError
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Deferred, Delivered, Fault, Outcome, Rejected, Source
from invoice_watcher.uploader import Uploader
from invoice_watcher.uploader.body import Body
from invoice_watcher.uploader.transport import _connect
from invoice_watcher.validation import Document
from tests.support.certificates import Certificate, certificate
from tests.support.rawserver import Peer, RawServer, answer, answering, black_hole, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.rawserver import Script

CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"
PDF = b"%PDF-1.4\n%%EOF\n"
MIB = 1024 * 1024
LARGE = bytes(10 * MIB)  # more than any socket buffer holds, so the server decides how far it gets
LINK = "https://billing.example.com/12345.pdf?a=b&c=d"
NAMING = Naming.of(r".+")
SOON = 4.0  # seconds that a busy machine may take for what is over at once; what is not takes 5 or more


def document(raw: bytes | BinaryIO = PDF, name: str = "12345.pdf", link: str | None = None) -> Document:
    """Return a document as `validate` would."""
    file = BytesIO(raw) if isinstance(raw, bytes) else raw
    return Document(NAMING.read(name), file, file.seek(0, 2), link)


@contextmanager
def to(url: str, **api: object) -> Iterator[Uploader]:
    """Give an uploader to this address; `api` replaces what is configured otherwise."""
    given = {"base_url": url, "connect_timeout": 5.0, "read_timeout": 10.0, "deadline": 10.0, **api}
    with closing(Uploader(Api(**given), Secret(CODE))) as uploader:  # type: ignore[arg-type]  # as given
        yield uploader


def outcome_of(script: Script, raw: bytes = PDF, **api: object) -> Outcome:
    """Return what comes of sending a document to a server that plays this script."""
    with RawServer(script) as server, to(server.url, **api) as uploader:
        return uploader.send(document(raw))


def deferral(outcome: Outcome) -> tuple[str, Fault, bool]:
    """Return why it was deferred, whose fault that is, and whether it may have arrived."""
    assert isinstance(outcome, Deferred), outcome
    return outcome.problem.reason, outcome.fault, outcome.in_doubt


# What goes over the wire.


@pytest.mark.parametrize("size", [15, 30_000, 10 * MIB])
def test_the_document_arrives_byte_for_byte(size: int) -> None:
    """A document of any size arrives as one part called File, named after its order, its length announced."""
    raw = random.Random(size).randbytes(size)
    with RawServer(answering()) as server, to(f"{server.url}/web-api") as uploader:
        assert uploader.send(document(raw, "12345.2.PDF")) == Delivered(200, "{}")
    (request,) = server.requests
    (part,) = request.parts
    assert request.line == "POST /web-api/order/12345.2/invoice HTTP/1.1"
    assert part.get_payload(decode=True) == raw
    assert (part.get_param("name", header="Content-Disposition"), part.get_filename()) == ("File", "12345.2.pdf")
    assert part["Content-Type"] == "application/octet-stream"
    assert len(request.body) == int(request.headers["Content-Length"])


def test_a_link_is_sent_in_place_of_the_document() -> None:
    """A link arrives as one part called FileUrl, as it stands in the shortcut."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        assert isinstance(uploader.send(document(PDF, "12345.url", LINK)), Delivered)
    (part,) = server.requests[0].parts
    assert part.get_param("name", header="Content-Disposition") == "FileUrl"
    assert part.get_filename() is None
    assert part.get_payload(decode=True) == LINK.encode()


def test_the_header_holds_what_the_api_asks_for_and_no_more() -> None:
    """The API code and JSON as the answer; no Expect (some servers never answer it), no cookie, no compression."""
    with RawServer(answering(answer(200, b"{}", "Set-Cookie: a=b; Path=/"))) as server, to(server.url) as uploader:
        uploader.send(document())
        uploader.send(document())
    for request in server.requests:
        assert request.headers["ApiCode"] == CODE
        assert request.headers["Accept"] == "application/json"
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert {"Expect", "Cookie", "Authorization", "Transfer-Encoding"}.isdisjoint(request.headers)
        assert len(set(request.headers)) == len(request.headers)


@pytest.mark.parametrize(("order", "path"), [("a b", "a%20b"), ("é?#%", "%C3%A9%3F%23%25"), ("..a", "..a")])
def test_an_order_id_cannot_leave_its_place_in_the_address(order: str, path: str) -> None:
    """Whatever order id a configured pattern lets through, the request goes to the address of that order."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        uploader.send(document(PDF, f"{order}.pdf"))
    assert server.requests[0].line == f"POST /order/{path}/invoice HTTP/1.1"


def test_a_file_name_cannot_break_out_of_its_part() -> None:
    """A quotation mark in an order id stays a part of the file name that the API reads."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        uploader.send(document(PDF, 'a"; name="FileUrl.pdf'))
    (part,) = server.requests[0].parts
    assert part.get_param("name", header="Content-Disposition") == "File"


@pytest.mark.parametrize("name", ["12345.pdf", 'a"b.pdf', "é ü.pdf", "a\\b%.pdf"])
def test_a_document_looks_the_same_from_memory_and_from_a_file(tmp_path: Path, name: str) -> None:
    """The server sees the same bytes, but for the boundary, whether a document was small or large."""
    (tmp_path / "file").write_bytes(PDF)
    with (tmp_path / "file").open("rb") as file, RawServer(answering()) as server, to(server.url) as uploader:
        uploader.send(document(PDF, name))
        uploader.send(document(file, name))
    boundaries = [str(request.headers.get_boundary()).encode() for request in server.requests]
    small, large = (
        request.body.replace(boundary, b"-") for request, boundary in zip(server.requests, boundaries, strict=True)
    )
    assert small == large
    assert [len(boundary) for boundary in boundaries] == [32, 32]


def _after_the_head(change: Callable[[], object]) -> Script:
    """Give a well-behaved API before whose eyes something changes when the head of a request has come."""

    def script(peer: Peer) -> None:
        while head := peer.head():
            change()
            if peer.body(*head) is None:
                return
            peer.send(answer())

    return script


def test_a_file_that_grows_meanwhile_is_sent_as_it_was(tmp_path: Path) -> None:
    """Somebody writes on while `upload` sends: no byte more than was announced, so the next document is understood."""
    path = tmp_path / "12345.pdf"
    path.write_bytes(LARGE)
    with path.open("rb") as file, path.open("ab", buffering=0) as writer:
        script = _after_the_head(lambda: writer.write(LARGE))
        with RawServer(script) as server, to(server.url) as uploader:
            assert isinstance(uploader.send(document(file)), Delivered)
            assert isinstance(uploader.send(document()), Delivered)
    (part,), (small,) = (request.parts for request in server.requests)
    assert part.get_payload(decode=True) == LARGE
    assert small.get_payload(decode=True) == PDF
    assert (server.connections, path.stat().st_size) == (1, 3 * len(LARGE))


def test_a_file_that_shrinks_meanwhile_is_not_sent(tmp_path: Path) -> None:
    """Somebody empties the file while `upload` sends: the API never gets a whole request, and the caller hears why."""
    path = tmp_path / "12345.pdf"
    path.write_bytes(LARGE)
    script = _after_the_head(lambda: os.truncate(path, 0))
    with path.open("rb") as file, RawServer(script) as server, to(server.url) as uploader:
        with pytest.raises(OSError, match="it became shorter while it was being sent"):
            uploader.send(document(file))
        assert isinstance(uploader.send(document()), Delivered)
    assert [len(request.parts) for request in server.requests] == [1]
    assert server.connections == 2


@pytest.mark.parametrize("size", [0, 15, MIB])
def test_a_document_in_memory_is_through_only_when_all_of_it_was_taken(size: int) -> None:
    """A document counts as handed over, and so in doubt, when the connection asks for more than its last piece."""
    body = Body(document(bytes(size)))
    sent = 0
    while piece := body.read(128 * 1024):
        assert not body.is_through
        sent += len(piece)
    assert (body.is_through, sent) == (True, body.len)


def test_the_memory_stays_flat() -> None:
    """A document of ten megabytes is sent in pieces, without being held in memory as a whole."""

    def discard(peer: Peer) -> None:
        head = peer.head()
        assert head is not None
        peer.discard(int(head[1]["Content-Length"]))
        peer.send(answer())

    with TemporaryFile() as file, RawServer(discard) as server, to(server.url) as uploader:
        file.truncate(10 * MIB)
        uploader.send(document())
        tracemalloc.start()
        assert isinstance(uploader.send(document(file)), Delivered)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2 * MIB


def test_one_connection_serves_many_documents() -> None:
    """A connection is kept for the next document: a thousand invoices are not a thousand handshakes."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        for number in range(20):
            assert isinstance(uploader.send(document(PDF, f"{number}.pdf")), Delivered)
    assert server.connections == 1
    assert len(server.requests) == 20


def test_workers_do_not_mix_their_documents() -> None:
    """Each order gets its own invoice, and its own answer."""
    outcomes: dict[int, Outcome] = {}

    def echo(peer: Peer) -> None:
        while request := peer.request():
            peer.send(answer(200, b'{"order": "%s"}' % request.line.split("/")[2].encode()))

    def send(number: int) -> None:
        for _ in range(10):
            outcomes[number] = uploader.send(document(b"%d" % number, f"{number}.pdf"))

    with RawServer(echo) as server, to(server.url, workers=4) as uploader:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == {number: Delivered(200, f'{{"order": "{number}"}}') for number in range(8)}
    assert len(server.requests) == 80
    for request in server.requests:
        assert request.parts[0].get_payload(decode=True) == request.line.split("/")[2].encode()


# Where it goes, and where it does not.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """A redirect leads nowhere: the API code goes to nobody else, and an administrator has to look."""
    with RawServer(answering()) as other:
        redirect = answering(answer(status, b"", f"Location: {other.url}/order/12345/invoice"))
        assert deferral(outcome_of(redirect)) == ("redirected", Fault.OPERATOR, False)
    assert other.connections == 0


def test_the_environment_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, password file or certificate of somebody's shell changes where the API code goes."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "missing"))
    with RawServer(answering()) as proxy, RawServer(answering()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with to(server.url) as uploader:
            assert isinstance(uploader.send(document()), Delivered)
    assert proxy.connections == 0
    assert "Authorization" not in server.requests[0].headers


def test_the_configured_proxy_is_used() -> None:
    """`api.proxy` is used; one that is not there is waited for, like a line that is down."""
    with RawServer(answering()) as proxy, to("http://name.invalid", proxy=proxy.url) as uploader:
        assert isinstance(uploader.send(document()), Delivered)
    assert proxy.requests[0].line == "POST http://name.invalid/order/12345/invoice HTTP/1.1"
    with _closed_port() as address, to("http://name.invalid", proxy=address) as uploader:
        assert deferral(uploader.send(document())) == ("unreachable", Fault.WORLD, False)


@pytest.mark.parametrize(("status", "reason", "fault"), [
    (302, "wrong_address", Fault.OPERATOR),
    (403, "wrong_address", Fault.OPERATOR),
    (407, "wrong_address", Fault.OPERATOR),
    (429, "unreachable", Fault.WORLD),
    (502, "unreachable", Fault.WORLD),
])  # fmt: skip
def test_a_proxy_that_opens_no_way(status: int, reason: str, fault: Fault) -> None:
    """A password or a login is for the administrator; a way beyond that is down passes. The status is told."""

    def refuse(peer: Peer) -> None:
        peer.head()
        peer.send(answer(status, b"", "Connection: close"))

    with RawServer(refuse) as proxy, to("https://name.invalid", proxy=proxy.url) as uploader:
        outcome = uploader.send(document())
    assert deferral(outcome) == (reason, fault, False)
    assert f"the proxy answered {status}" in str(outcome)


_HOSTS = st.text(st.sampled_from("aZ09-_.:*%é☃ß[]@ ~,'"), min_size=1, max_size=8)
_SOUND_HOSTS = st.sampled_from(["a", "a.b.", "[::1]", "127.0.0.1", "xn--a", "a_b", "a:1", "u:p%zz@a", "@a"])


@given(host=_HOSTS | _SOUND_HOSTS, path=st.text(max_size=8), key=st.sampled_from(["base_url", "proxy"]))
def test_whatever_address_a_configuration_may_hold_can_be_sent_to(host: str, path: str, key: str) -> None:
    """What `check` lets pass never ends in a traceback, nor in an address that cannot be used."""
    address = json.dumps(f"https://{host}/{path}")
    try:
        api = parse(f"drop_dir: /x\napi: {{{key}: {address}, deadline: 1s}}", where="c", base=Path("/")).api
    except ConfigError:
        return
    with closing(Uploader(api, Secret(CODE))) as uploader:
        uploader.stop()
        assert deferral(uploader.send(document())) == ("stopped", Fault.WORLD, False)
        adapter, proxies = uploader._client._adapter, uploader._client._proxies
        request = requests.Request("POST", uploader._client._base_url).prepare()
        adapter.get_connection_with_tls_context(request, True, proxies)


# What is believed.


@pytest.mark.parametrize("body", [b"", b"{}", b"<InvoiceResponse/>"])
def test_a_whole_answer_without_an_error_is_a_delivery(body: bytes) -> None:
    """Status 200 with an empty, JSON or XML body in which there is no error is a delivery."""
    assert outcome_of(answering(answer(200, body))) == Delivered(200, body.decode())


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
])  # fmt: skip
def test_every_sound_way_to_end_an_answer_is_understood(raw: bytes) -> None:
    """An answer that is chunked, ends with its connection, is of HTTP/1.0, or follows a Continue is understood."""
    assert isinstance(outcome_of(saying(raw)), Delivered)


@pytest.mark.parametrize(("raw", "reason"), [
    (b"HTTP/1.1 200 OK\r\n", "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", "broken_connection"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", "broken_connection"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "broken_connection"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", "broken_connection"),
    (b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"order":', "unclear_answer"),
    (answer(200, b"thank you"), "unclear_answer"),
    (answer(200, b"\x1f\x8b\x08garbage", "Content-Encoding: gzip"), "unclear_answer"),
    (answer(204, b""), "unclear_answer"),
    (answer(202, b"{}"), "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}", "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "unclear_answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\n", "unclear_answer"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "broken_connection"),
    (b"\0" * 70_000, "broken_connection"),
    (b"", "broken_connection"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "broken_connection"),
])  # fmt: skip
def test_an_answer_that_proves_nothing_leaves_the_document_in_doubt(raw: bytes, reason: str) -> None:
    """The whole document was handed over, so it may have arrived; it is sent again, and the receipt will say so."""
    assert deferral(outcome_of(saying(raw))) == (reason, Fault.WORLD, True)


def test_a_status_that_nobody_documents_is_the_worlds_fault() -> None:
    """Status 999, which nobody documents, is no reason to reject an invoice: it waits."""
    assert deferral(outcome_of(answering(answer(999, b"")))) == ("request_failed", Fault.WORLD, False)


def test_what_the_api_says_is_told() -> None:
    """The status of an answer, its raw text and the wait that it asks for come through."""
    busy = outcome_of(answering(answer(503, b"later", "Retry-After: 120")))
    assert isinstance(busy, Deferred)
    assert (busy.http_status, busy.response, busy.retry_after, busy.reached) == (503, "later", 120.0, True)
    closed = outcome_of(answering(answer(400, b'{"error": {"code": 103, "message": "Order is closed"}}')))
    assert isinstance(closed, Rejected)
    assert (closed.problem.source, closed.problem.code, closed.problem.message) == (Source.API, 103, "Order is closed")


def _escaped(text: str, form: str) -> bytes:
    """Return the text with each letter as an escape of this form."""
    return "".join(form.format(ord(letter)) for letter in text).encode()


@pytest.mark.parametrize("shown", [CODE, CODE.upper()])
def test_an_answer_that_echoes_the_api_code_is_blackened(shown: str) -> None:
    """A debugging server repeats our request: the secret gets into no sidecar and no log."""
    body = b'{"error": {"code": 101, "message": "Wrong API code %s"}}' % shown.encode()
    outcome = outcome_of(answering(answer(400, body)))
    assert isinstance(outcome, Rejected)
    assert outcome.problem.message == "Wrong API code ***"
    assert CODE not in repr(outcome).lower()


SPELLINGS = {
    "UTF-16": b"\xff\xfe" + f'{{"error": {{"code": 101, "message": "No {CODE}!"}}}}'.encode("utf-16-le"),
    "JSON escapes": b'{"error": {"code": 101, "message": "No %s!"}}' % _escaped(CODE, "\\u{:04x}"),
    "JSON escapes of the dashes": b'{"error": {"code": 101, "message": "No %s!"}}'
    % CODE.replace("-", "\\u002d").encode(),
    "hexadecimal references": b"<R><Code>101</Code><Message>No %s!</Message></R>" % _escaped(CODE, "&#x{:x};"),
    "decimal references": b"<R><Code>101</Code><Message>No %s!</Message></R>" % _escaped(CODE, "&#{};"),
    "no dashes": b'{"error": {"code": 101, "message": "No %s!"}}' % CODE.replace("-", "").encode(),
    "no dashes, and no JSON": b"No %s!" % CODE.replace("-", "").upper().encode(),
}


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_api_code_is_blackened_however_it_is_spelled(how: str, status: int) -> None:
    """Neither the message nor the raw answer shows it, once its escapes are undone; the rest of the message stays."""
    outcome = outcome_of(answering(answer(status, SPELLINGS[how])))
    assert isinstance(outcome, Rejected | Deferred)
    if "no JSON" not in how:
        assert outcome.problem.message == "No ***!"
    for shown in (outcome.problem.message, outcome.response or ""):
        plain = html.unescape(re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), shown))
        assert CODE.replace("-", "") not in re.sub(r"[^0-9a-z]", "", plain.lower())


@pytest.mark.parametrize("fields", [
    [f"Content-Length: {100 * MIB}"],
    ["Connection: close"],
])  # fmt: skip
def test_an_endless_answer_is_cut(fields: list[str]) -> None:
    """An answer of a hundred megabytes is read to a bound and kept in no memory; the API's are never so long."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode())
        for _ in range(100):
            peer.send(bytes(MIB))

    assert deferral(_measured(play)) == ("unclear_answer", Fault.WORLD, True)


def test_a_compressed_bomb_is_cut() -> None:
    """An answer of a hundred kilobytes that unpacks to a hundred megabytes fills no memory."""
    bomb = gzip.compress(bytes(100 * MIB), 1)
    assert deferral(_measured(saying(answer(200, bomb, "Content-Encoding: gzip"))))[0] == "unclear_answer"


def test_the_body_of_a_redirect_is_bounded_too() -> None:
    """The body of a redirect, which is not followed, is not read to its end."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n")
        for _ in range(100):
            peer.send(bytes(MIB))

    assert isinstance(_measured(play), Deferred)


def _measured(script: Script) -> Outcome:
    """Send, and see that no more than a few pieces of the answer were held at once."""
    with RawServer(answering(), script) as server:
        with to(server.url) as uploader:
            uploader.send(document())
        tracemalloc.start()
        with to(server.url) as uploader:
            outcome = uploader.send(document())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * MIB
    return outcome


# Connections that break.


def _before_the_body(peer: Peer) -> None:
    peer.reset()


def _in_the_body(peer: Peer) -> None:
    peer.head()
    peer.discard(MIB)
    peer.reset()


def _after_the_body(peer: Peer) -> None:
    peer.request()
    peer.reset()


@pytest.mark.parametrize("script", [_before_the_body, _in_the_body])
def test_a_reset_before_the_document_was_through_is_tried_again_at_once(script: Script) -> None:
    """A connection that is reset before the document was through is tried three times; it leaves no doubt."""
    with RawServer(script) as server, to(server.url) as uploader:
        reason, fault, in_doubt = deferral(uploader.send(document(LARGE)))
    assert (reason in {"broken_connection", "unreachable"}, fault, in_doubt) == (True, Fault.WORLD, False)
    assert server.connections == 3


def test_a_second_try_may_succeed() -> None:
    """A connection that is reset before the document was through is tried again at once, and then it is delivered."""
    with RawServer(_in_the_body, answering()) as server, to(server.url) as uploader:
        assert isinstance(uploader.send(document(LARGE)), Delivered)
    assert len(server.requests) == 1


def test_a_reset_after_the_document_leaves_it_in_doubt() -> None:
    """A connection that is reset after the document was through leaves it in doubt: it is not sent again at once."""
    with RawServer(_after_the_body) as server, to(server.url) as uploader:
        assert deferral(uploader.send(document(LARGE))) == ("broken_connection", Fault.WORLD, True)
    assert server.connections == 1


def test_an_early_refusal_is_heard() -> None:
    """A 413 that comes while the document is still being sent is taken for what it says."""

    def play(peer: Peer) -> None:
        peer.head()
        peer.send(answer(413, b"", "Connection: close"))
        peer.discard(len(LARGE))

    outcome = outcome_of(play, LARGE)
    assert isinstance(outcome, Rejected)
    assert outcome.problem.reason == "http_413"


@pytest.mark.parametrize("status", [413, 200])
def test_an_early_answer_and_a_reset_do_not_loop_and_prove_nothing(status: int) -> None:
    """A server that answers without reading has not got the document, whatever it says."""

    def play(peer: Peer) -> None:
        peer.head()
        peer.send(answer(status, b"", "Connection: close"))

    with RawServer(play) as server, to(server.url) as uploader:
        outcome = uploader.send(document(LARGE))
    assert server.connections <= 3
    assert not isinstance(outcome, Delivered)
    assert isinstance(outcome, Rejected) or not outcome.in_doubt


def test_a_connection_that_was_closed_while_idle_is_replaced() -> None:
    """The server gave up an unused connection: the next document is neither lost nor in doubt."""

    def once(peer: Peer) -> None:
        peer.request()
        peer.send(answer())

    with RawServer(once) as server, to(server.url) as uploader:
        for _ in range(3):
            assert isinstance(uploader.send(document()), Delivered)
            assert server.closed.acquire(timeout=5)
    assert len(server.requests) == server.connections == 3


@contextmanager
def _closed_port() -> Iterator[str]:
    """Give an address where nobody listens, nor will: it is bound, so no other test is given it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        pytest.param(_closed_port, id="closed port"),
        pytest.param(lambda: nullcontext("http://name.invalid"), id="no such name"),
        pytest.param(lambda: nullcontext("https://name.invalid"), id="no such name, with TLS"),
    ],
)
def test_an_api_that_is_not_there_is_the_worlds_fault(address: Callable[[], AbstractContextManager[str]]) -> None:
    """Refused, or a name that is not found: nothing was sent, and it is soon clear."""
    began = time.monotonic()
    with address() as url, to(url) as uploader:
        outcome = uploader.send(document())
    assert deferral(outcome) == ("unreachable", Fault.WORLD, False)
    assert isinstance(outcome, Deferred)
    assert not outcome.reached
    assert time.monotonic() - began < SOON


# An end to everything.


def _silent(peer: Peer) -> None:
    peer.request()
    peer.wait()


def _dripping_header(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.drip(b"X: y\r\n")


def _dripping_body(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    peer.drip(b" ")


def _endless_continue(peer: Peer) -> None:
    peer.request()
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def _not_reading(peer: Peer) -> None:
    peer.head()
    peer._server.ended.wait()


def _reading_slowly(peer: Peer) -> None:
    peer.head()
    while not peer._server.ended.wait(0.05):
        peer.discard(1000)


@pytest.mark.slow
@pytest.mark.parametrize("script", [_silent, _dripping_header, _dripping_body, _endless_continue])
def test_the_deadline_ends_a_server_that_never_comes_to_an_end(script: Script) -> None:
    """A server whose answer never ends is given up at the deadline; it had the document, so that is in doubt."""
    began = time.monotonic()
    assert deferral(outcome_of(script, deadline=0.5)) == ("timeout", Fault.WORLD, True)
    assert 0.45 < time.monotonic() - began < SOON


@pytest.mark.slow
@pytest.mark.parametrize("script", [_not_reading, _reading_slowly])
def test_the_deadline_ends_a_server_that_does_not_read(script: Script) -> None:
    """A server that stops reading the document is given up at the deadline; it cannot have it: no doubt."""
    began = time.monotonic()
    reason, fault, in_doubt = deferral(outcome_of(script, LARGE, deadline=0.5))
    assert (reason in {"timeout", "broken_connection"}, fault, in_doubt) == (True, Fault.WORLD, False)
    assert 0.45 < time.monotonic() - began < SOON


def test_the_read_timeout_ends_a_silence() -> None:
    """A server that says nothing is given up after `api.read_timeout`, long before the deadline."""
    began = time.monotonic()
    assert deferral(outcome_of(_silent, read_timeout=0.3)) == ("timeout", Fault.WORLD, True)
    assert time.monotonic() - began < SOON


def test_stopping_breaks_off_what_is_under_way() -> None:
    """Systemctl stop does not wait for a server that is asleep; what comes afterwards is not sent at all."""
    received = threading.Event()

    def silent(peer: Peer) -> None:
        peer.request()
        received.set()
        peer.wait()

    with RawServer(silent) as server, to(server.url) as uploader:
        outcomes: list[Outcome] = []
        sending = threading.Thread(target=lambda: outcomes.append(uploader.send(document())))
        sending.start()
        assert received.wait(5)
        began = time.monotonic()
        uploader.stop()
        sending.join(5)
        outcomes.append(uploader.send(document()))
        assert time.monotonic() - began < SOON
    assert [deferral(outcome) for outcome in outcomes] == [
        ("stopped", Fault.WORLD, True),
        ("stopped", Fault.WORLD, False),
    ]
    assert len(server.requests) == 1


def test_what_begins_after_the_stop_is_not_sent_over_a_connection_kept_alive() -> None:
    """After a stop nothing is sent over a kept connection: its answer would be disbelieved, and it be sent twice."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        assert isinstance(uploader.send(document()), Delivered)
        uploader.stop()
        assert deferral(uploader.send(document())) == ("stopped", Fault.WORLD, False)
    assert len(server.requests) == server.connections == 1


@contextmanager
def no_more_threads() -> Iterator[None]:
    """Ask for stacks that no machine has: the system refuses each new thread with EAGAIN, as at a limit of tasks."""
    usual = threading.stack_size(1 << 50)
    try:
        yield
    finally:
        threading.stack_size(usual)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_machine_that_gives_no_thread_loses_nothing(scheme: str) -> None:
    """At the limit of its tasks an order waits, unsent and without blame, and goes once there is room."""
    with RawServer(answering()) as server, to(server.url) as uploader:
        with to(server.url.replace("http", scheme)) as other, no_more_threads():
            outcome = other.send(document())
        assert deferral(outcome) == ("unreachable", Fault.WORLD, False)
        assert isinstance(outcome, Deferred)
        assert not outcome.reached
        assert "can't start new thread" in outcome.problem.message
        assert isinstance(uploader.send(document()), Delivered)
    assert server.connections == 1


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_stopping_breaks_off_a_connection_that_is_being_made(scheme: str) -> None:
    """A machine that drops our packets holds up no stop, however long `api.connect_timeout` is."""
    with black_hole() as url, to(url.replace("http", scheme), connect_timeout=60.0, deadline=60.0) as uploader:
        threading.Timer(0.3, uploader.stop).start()
        began = time.monotonic()
        assert deferral(uploader.send(document())) == ("stopped", Fault.WORLD, False)
        assert 0.25 < time.monotonic() - began < SOON
        assert deferral(uploader.send(document())) == ("stopped", Fault.WORLD, False)
        assert time.monotonic() - began < SOON


@pytest.mark.slow
def test_the_deadline_holds_while_a_connection_is_being_made() -> None:
    """Connecting ends at the deadline, for all tries together, and for all addresses of a name."""
    with black_hole() as url, to(url, connect_timeout=60.0, deadline=0.5) as uploader:
        began = time.monotonic()
        assert deferral(uploader.send(document()))[1:] == (Fault.WORLD, False)
        assert time.monotonic() - began < SOON


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_connect_timeout_gives_up_a_machine_that_does_not_answer(scheme: str) -> None:
    """Of `api.connect_timeout`, not of the far deadline, is each try to connect; nothing was sent by then."""
    with black_hole() as url, to(url.replace("http", scheme), connect_timeout=0.2, deadline=60.0) as uploader:
        began = time.monotonic()
        outcome = uploader.send(document())
        assert time.monotonic() - began >= 0.2
        assert time.monotonic() - began < 30, "three tries and the pauses between them take three seconds"
    assert deferral(outcome) == ("unreachable", Fault.WORLD, False)
    assert isinstance(outcome, Deferred)
    assert not outcome.reached


def test_a_connection_that_comes_after_the_stop_is_closed() -> None:
    """A machine that answers after the stop is not left with an idle connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connecting: Future[socket.socket] = Future()
        connecting.cancel()
        _connect(lambda: ours, connecting)
        theirs.settimeout(5)
        assert theirs.recv(1) == b""


@pytest.mark.parametrize("tried", [1, 2])
def test_stopping_breaks_off_the_pause_between_two_tries(tried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection was reset, and the next try is a while away: a stop does not wait for it, nor is it made."""
    monkeypatch.setattr("invoice_watcher.uploader._FIRST_PAUSE", 60.0 if tried == 1 else 0.0)
    monkeypatch.setattr("invoice_watcher.uploader.wait_random_exponential", lambda **_: wait_fixed(60))

    def reset(peer: Peer) -> None:
        peer.reset()
        if server.connections == tried:
            threading.Timer(0.1, uploader.stop).start()  # by then the pause has begun

    with RawServer(reset) as server, to(server.url, deadline=120.0) as uploader:
        began = time.monotonic()
        assert isinstance(uploader.send(document(LARGE)), Deferred)
        assert time.monotonic() - began < SOON
        assert server.connections == tried


# The secure connection.


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give a certificate for the server's own address."""
    return certificate(tmp_path_factory.mktemp("sound"))


def test_a_certificate_of_the_configured_authority_is_accepted(sound: Certificate) -> None:
    """A server that `api.ca_bundle` vouches for gets the document, and its connection is kept."""
    with RawServer(answering(), tls=sound.server) as server, to(server.url, ca_bundle=sound.path) as uploader:
        for _ in range(2):
            assert isinstance(uploader.send(document(LARGE)), Delivered)
    assert server.connections == 1


@pytest.mark.parametrize(("name", "days", "trusted"), [
    ("IP:127.0.0.1", 2, False),
    ("DNS:api.example.com", 2, True),
    ("IP:127.0.0.1", -1, True),
])  # fmt: skip
def test_an_unsound_certificate_gets_nothing(tmp_path: Path, name: str, days: int, trusted: bool) -> None:  # noqa: FBT001 - parametrized
    """A certificate that is unknown, for another name, or expired gets not one byte; an administrator has to look."""
    unsound = certificate(tmp_path, name=name, days=days)
    bundle = unsound.path if trusted else None
    with RawServer(answering(), tls=unsound.server) as server, to(server.url, ca_bundle=bundle) as uploader:
        assert deferral(uploader.send(document())) == ("tls", Fault.OPERATOR, False)
    assert server.connections == 1
    assert not server.requests


def test_the_system_says_why(tmp_path: Path) -> None:
    """The log and the sidecar say why the system refused a connection, and what a certificate lacks."""
    expired = certificate(tmp_path, name="IP:127.0.0.1", days=-1)
    with RawServer(answering(), tls=expired.server) as server, to(server.url, ca_bundle=expired.path) as uploader:
        assert "certificate has expired" in str(uploader.send(document()))
        away = server.url
    with to(away.replace("https", "http")) as uploader:
        assert "Connection refused" in str(uploader.send(document()))


def test_a_server_without_tls_gets_nothing() -> None:
    """At an https:// address that speaks no TLS nothing is sent."""

    def play(peer: Peer) -> None:
        peer.send(answer(400, b"", "Connection: close"))
        peer.wait()

    with RawServer(play) as server, to(server.url.replace("http", "https")) as uploader:
        assert deferral(uploader.send(document())) == ("tls", Fault.OPERATOR, False)


def test_tls_that_breaks_after_its_handshake_is_a_broken_connection(sound: Certificate) -> None:
    """Garbage in the middle of an exchange blames no certificate, so it stops no queue; the document is in doubt."""

    def play(peer: Peer) -> None:
        peer.request()
        socket.socket.send(peer._sock, b"HTTP/1.1 502 from something in between\r\n\r\n")  # past the encryption
        peer.wait()

    with RawServer(play, tls=sound.server) as server, to(server.url, ca_bundle=sound.path) as uploader:
        assert deferral(uploader.send(document())) == ("broken_connection", Fault.WORLD, True)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_certificates_that_go_away_are_the_administrators_fault(
    sound: Certificate, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """`api.ca_bundle` was there when the program started: it says so, loudly, and rejects nothing."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(sound.path.read_bytes())
    with RawServer(answering(), tls=sound.server) as server, to(server.url, ca_bundle=bundle) as uploader:
        spoil(bundle)
        assert deferral(uploader.send(document())) == ("tls", Fault.OPERATOR, False)
    assert not server.requests


def test_plain_http_to_a_secure_port_is_no_delivery(sound: Certificate) -> None:
    """An http:// address at which TLS is spoken delivers nothing."""
    with RawServer(answering(), tls=sound.server) as server, to(server.url.replace("https", "http")) as uploader:
        assert deferral(uploader.send(document()))[:2] == ("broken_connection", Fault.WORLD)
    assert not server.requests


def test_the_deadline_ends_a_secure_exchange_too(sound: Certificate) -> None:
    """A byte now and then inside TLS does not keep a worker beyond the deadline."""
    began = time.monotonic()
    server, bundle = RawServer(_dripping_body, tls=sound.server), sound.path
    with server, to(server.url, ca_bundle=bundle, deadline=0.5) as uploader:
        assert deferral(uploader.send(document())) == ("timeout", Fault.WORLD, True)
    assert 0.45 < time.monotonic() - began < SOON


def _dripping_handshake(peer: Peer) -> None:
    peer.send(b"\x16\x03\x03\x3f\xff")  # the head of a record of 16 KiB, RFC 8446 section 5.1
    peer.drip(b"\x02")


@pytest.mark.slow
@pytest.mark.parametrize("script", [_silent, _dripping_handshake])
def test_a_handshake_that_never_ends_is_ended(script: Script) -> None:
    """A TLS handshake that does not end is given up at the deadline, and at once when the program stops."""
    with RawServer(script) as server:
        began = time.monotonic()
        with to(server.url.replace("http", "https"), deadline=0.5) as uploader:
            assert deferral(uploader.send(document()))[1:] == (Fault.WORLD, False)
        assert time.monotonic() - began < SOON
        with to(server.url.replace("http", "https")) as uploader:
            threading.Timer(0.3, uploader.stop).start()
            began = time.monotonic()
            assert deferral(uploader.send(document())) == ("stopped", Fault.WORLD, False)
            assert time.monotonic() - began < SOON
