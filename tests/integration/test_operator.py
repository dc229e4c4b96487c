"""The operator's fault, not the invoices': the queue pauses, says why, and nothing is called failed."""

from __future__ import annotations

import socketserver
import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Who are you?</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}

REDIRECTS = (301, 302, 303, 307, 308)
WORKERS = 4

# What the API's machine says, and a word that the log has to say about it.
# "Wrong API code" comes first: once something was delivered, it would mean the orders.
FAULTS = {
    "101": (refused(101, "Wrong API code"), "API code"),
    "401": (Answer(401, b""), "API code"),
    "401-page": (Answer(401, PAGE, HTML), "API code"),
    "403": (Answer(403, b"forbidden"), "denies"),
    "404": (Answer(404, b""), "address"),
    "405": (Answer(405, b""), "address"),
    "page": (Answer(200, PAGE, HTML), "web page"),
    "page-without-a-type": (Answer(200, PAGE), "web page"),
    **{str(status): (Answer(status, b"", {"Location": "/login"}), "moved") for status in REDIRECTS},
}


def test_the_queue_pauses_and_goes_on_when_it_is_mended(api: StandIn, place: Place, start: Start) -> None:
    """Wrong code, wrong address, a login page: the log says so, later files wait in sight, all are sent in the end.

    One after another, in one life of the daemon: each is recovered from without a restart.
    """
    place.configure(retry__initial="10ms", retry__max="20ms")
    daemon = start()
    for times, (fault, (answer, word)) in enumerate(FAULTS.items(), start=1):
        api.default = answer
        first = [place.put(f"{fault}-{number}.pdf", pdf()).name for number in range(3)]
        sentence = daemon.says("the queue is paused", times)
        assert word.lower() in sentence.lower()
        assert " ERROR " in sentence
        later = [place.put(f"{fault}-late-{number}.pdf", pdf()).name for number in range(5)]
        api.wait_for(len(api.requests) + 3)
        assert place.waiting() == sorted(first + later)
        assert names(place.failed) == []
        assert len(documents(place.work)) <= 2 * WORKERS
        api.default = OK
        place.until_done(*first, *later)
        daemon.says("flows", times)


def test_a_redirect_is_never_followed(api: StandIn, place: Place, daemon: Program) -> None:
    """Neither the invoice nor the API code goes to another address than the configured one."""
    with StandIn() as other:
        location = f"{other.base_url}/order/1/invoice"
        for status in REDIRECTS:
            api.script(str(status), Answer(status, b"", {"Location": location}), OK)
            place.put(f"{status}.pdf", pdf())
            place.until_done(f"{status}.pdf")
            assert len(api.of(str(status))) == 2
        assert (other.requests, other.faults) == ([], [])


def test_two_orders_of_another_account_are_the_orders_fault(api: StandIn, place: Place, start: Start) -> None:
    """Fewer than three "wrong API code" in a row, then a success: the code is right, those two orders are not ours."""
    place.configure(api__workers=1)
    api.script("1", refused(101, "Wrong API code"))
    api.script("2", refused(101, "Wrong API code"))
    dropped = [place.put("1.pdf", pdf())]
    dropped += [place.put_after(dropped[-1], "2.pdf", pdf())]
    place.put_after(dropped[-1], "3.pdf", pdf())
    start()
    place.until_done("3.pdf")
    place.until_failed("1.pdf", "2.pdf")
    assert len(api.of("1")) == len(api.of("2")) == 1
    assert sidecar(place.failed / "1.pdf")["error"]["reason"] == "wrong_api_code"


def test_a_wrong_api_code_later_on_is_the_orders_fault(api: StandIn, place: Place, daemon: Program) -> None:
    """Once something was delivered, any number of 101 in a row is about those orders."""
    place.put("0.pdf", pdf())
    place.until_done("0.pdf")
    api.default = refused(101, "Wrong API code")
    wrong = [place.put(f"{number}.pdf", pdf()).name for number in range(1, 6)]
    place.until_failed(*wrong)
    assert len(api.requests) == 6


def test_a_wrong_code_that_an_administrator_puts_right(api: StandIn, place: Place, start: Start) -> None:
    """All is 101 at first; with the right code after a restart everything is delivered, and nothing had failed."""
    api.default = refused(101, "Wrong API code")
    daemon = start()
    dropped = [place.put(f"{number}.pdf", pdf()).name for number in range(5)]
    daemon.says("paused")
    assert daemon.stop() == 0
    assert place.waiting() == dropped
    api.default = OK
    start()
    place.until_done(*dropped)
    assert names(place.failed) == []


class _NoTls(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Answer a TLS hello with what is none."""
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_a_tls_fault_pauses_the_queue(place: Place, start: Start) -> None:
    """No secure connection: the log says so, and not one byte of an invoice goes out."""
    with socketserver.TCPServer(("127.0.0.1", 0), _NoTls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            place.configure(api__base_url=f"https://127.0.0.1:{server.server_address[1]}/web-api")
            daemon = start()
            place.put("1.pdf", pdf())
            assert "secure connection" in daemon.says("the queue is paused")
            assert place.waiting() == ["1.pdf"]
            assert place.note_of("1.pdf")["in_doubt"] is False
        finally:
            server.shutdown()
            thread.join()
