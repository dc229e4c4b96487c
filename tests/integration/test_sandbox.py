"""`sandbox`: a local stand-in that obeys the API document, and the whole program against it."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, TypeAlias

import pytest
import requests

from tests.integration.place import documents, pdf, sample, sidecar
from tests.integration.program import API_CODE, ROOT, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program

TIMEOUT = 10
XML = {"ApiCode": API_CODE}
JSON = {**XML, "Accept": "application/json"}


@pytest.fixture
def sandbox(start: Start) -> Program:
    """Run the command on a free port."""
    return start("sandbox", "--port", "0")


def _base_url(sandbox: Program) -> str:
    return sandbox.prints("api.base_url: ").removeprefix("api.base_url: ")


def _post(
    sandbox: Program, order: str, headers: Mapping[str, str], **parts: tuple[str | None, bytes]
) -> requests.Response:
    # requests takes a part for a field when its file name is None.
    files = parts or {"nothing": (None, b"")}
    return requests.post(f"{_base_url(sandbox)}/order/{order}/invoice", headers=headers, files=files, timeout=TIMEOUT)


def test_its_first_line_is_what_the_configuration_needs(sandbox: Program) -> None:
    """`--port 0` takes a free port; the line on stdout can be copied into the configuration as it is."""
    assert sandbox.prints("api.base_url").startswith("api.base_url: http://127.0.0.1:")
    assert sandbox.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops(sandbox: Program, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the sandbox with status 0, without a traceback."""
    _base_url(sandbox)
    assert sandbox.stop(number) == 0


Parts: TypeAlias = "dict[str, tuple[str | None, bytes]]"

FAULTY: dict[int, Parts] = {
    107: {},
    110: {"File": ("1.pdf", pdf()), "FileUrl": (None, b"https://example.com/1.pdf")},
    108: {"File": ("1.pdf", b"")},
    106: {"File": ("1.txt", b"text")},
    109: {"File": ("1.pdf", pdf("", (10 << 20) + 1))},
    104: {"FileUrl": (None, b"no link")},
}


def test_it_obeys_the_api_document(sandbox: Program) -> None:
    """What the API document calls an error is answered by the sandbox with its code."""
    for code, parts in FAULTY.items():
        answer = _post(sandbox, "12345", JSON, **parts)
        assert answer.json()["error"]["code"] == code


def test_the_shape_of_the_answer_is_the_clients_choice(sandbox: Program) -> None:
    """JSON where the client accepts it; without an Accept header, XML."""
    refusal = _post(sandbox, "E103", JSON, File=("1.pdf", pdf()))
    assert refusal.json()["error"]["code"] == 103
    answer = requests.Request(
        "POST", f"{_base_url(sandbox)}/order/E103/invoice", headers=XML, files={"File": ("1.pdf", pdf())}
    )
    with requests.Session() as session:
        session.headers.pop("Accept")
        response = session.send(session.prepare_request(answer), timeout=TIMEOUT)
    assert response.headers["Content-Type"].startswith("text/xml")
    assert "103" in response.text


def test_an_api_code_can_be_demanded(start: Start) -> None:
    """`--api-code` accepts that one alone; another one is "Wrong API code", none at all is HTTP 401."""
    sandbox = start("sandbox", "--port", "0", "--api-code", API_CODE)
    other = API_CODE.replace("5", "6")
    assert _post(sandbox, "1", JSON, File=("1.pdf", pdf())).status_code == 200
    assert _post(sandbox, "1", {**JSON, "ApiCode": other}, File=("1.pdf", pdf())).json()["error"]["code"] == 101
    assert _post(sandbox, "1", {"Accept": "application/json"}, File=("1.pdf", pdf())).status_code == 401


def test_wrong_usage(sandbox: Program) -> None:
    """A port in use, an API code that is none: status 2 and a sentence."""
    port = _base_url(sandbox).split(":")[2].split("/")[0]
    for arguments in (("--port", port), ("--api-code", "abc")):
        finished = run("sandbox", *arguments)
        assert (finished.status, "Error:" in finished.err) == (2, True)


# Order ids of the sandbox, and what has to become of them: the folder, the API's code, and the attempts.
ORDERS = {
    "12345": ("done", None, 1),
    "E100": ("failed", 100, 1),
    "E103": ("failed", 103, 1),
    "E106": ("failed", 106, 1),
    "H422": ("failed", None, 1),
    "FLAKY1": ("done", None, 2),
    "SLOW1": ("done", None, 1),
}


def test_the_whole_program_against_it(place: Place, sandbox: Program) -> None:
    """Somebody tries the program out: each order fares as the sandbox's own help says."""
    place.configure(api__base_url=_base_url(sandbox))
    for order in ORDERS:
        place.put(f"{order}.pdf", pdf(order))
    finished = place.once()
    assert finished.status == 1, finished.err
    for order, (folder, code, attempts) in ORDERS.items():
        told = sidecar(place.drop / folder / f"{order}.pdf")
        assert (told["error"] or {}).get("code") == code
        assert told["attempts"] == attempts
    assert place.waiting() == []


def test_it_remembers_what_it_got(place: Place, sandbox: Program) -> None:
    """GET /sandbox/invoices lists every document with its digest, the same as in the receipt; no API code is in it."""
    place.configure(api__base_url=_base_url(sandbox))
    place.put("1.docx", sample("invoice.docx"))
    place.put("2.url", sample("shortcut.url"))
    assert place.once().status == 0
    answer = requests.get(_base_url(sandbox).replace("/web-api", "/sandbox/invoices"), timeout=TIMEOUT)
    rows = {row["order_id"]: row for row in answer.json()}
    assert (
        rows["1"]["sha256"]
        == sidecar(place.done / "1.docx")["sha256"]
        == hashlib.sha256(sample("invoice.docx")).hexdigest()
    )
    assert rows["1"]["file_name"] == "1.docx"
    assert rows["2"]["file_url"] == "https://billing.example.com/invoices/12345.pdf"
    assert API_CODE not in json.dumps(rows) + sandbox.err


def test_the_help_tells_what_can_be_played() -> None:
    """`sandbox --help`: every option, every error of the API with its order id, and what the other ids do."""
    finished = run("sandbox", "--help")
    assert (finished.status, finished.err) == (0, "")
    for option in ("--host", "--port", "--api-code", "--latency", "--fail ", "--fail-for"):
        assert f"  {option}" in finished.out
    for code in (100, 101, *range(103, 111)):
        assert f"  E{code}           HTTP 400, code {code}: " in finished.out
    for order in ("H<status>", "SLOW<seconds>", "FLAKY<times>", "DROP", "HTML", "any other"):
        assert f"\n  {order} " in finished.out


def test_an_outage_can_be_played(place: Place, start: Start) -> None:
    """`--fail 503 --fail-for 3s`: nothing is called failed meanwhile, and all is delivered afterwards."""
    sandbox = start("sandbox", "--port", "0", "--fail", "503", "--fail-for", "3s")
    place.configure(api__base_url=_base_url(sandbox))
    dropped = [place.put(f"{number}.pdf", pdf()).name for number in range(6)]
    daemon = start()
    place.until_done(*dropped)
    assert documents(place.failed) == []
    assert "deferred" in daemon.err


def test_a_full_log_is_no_obstacle() -> None:
    """Standard error is full: requests are answered all the same, and it ends in good order."""
    command = [sys.executable, "-m", "invoice_watcher", "sandbox", "--port", "0"]
    with open("/dev/full", "wb") as full:
        sandbox = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=full, text=True)
    with sandbox:
        assert sandbox.stdout
        base_url = sandbox.stdout.readline().removeprefix("api.base_url: ").strip()
        for _ in range(3):
            assert requests.get(base_url, timeout=TIMEOUT).status_code == 404
        sandbox.terminate()
        assert sandbox.wait(TIMEOUT) == 0
