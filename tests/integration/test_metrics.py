"""The metrics of the program as it runs: true to what happens, over HTTP and as a file, and no way to disturb it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import names, pdf
from tests.integration.program import API_CODE, run, until
from tests.integration.scrape import (
    Figures,
    ask,
    figures_of,
    free_port,
    scrape,
    short,
    until_listening,
    until_scraped,
)
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place

GONE = "order-4711-hidden"


@pytest.fixture
def port(place: Place) -> int:
    """Configure the metrics at a free port."""
    port = free_port()
    place.configure(metrics__listen=f"127.0.0.1:{port}")
    return port


def test_everything_is_there_from_the_start(place: Place, port: int, start: Start) -> None:
    """A dashboard shows zeros and no gaps before the first invoice; `rate()` sees the first one."""
    start()
    until_listening(port)
    figures = until_scraped(port, lambda found: short(found, "last_delivery_timestamp_seconds") == 0)
    for name in (
        'invoices_total{outcome="delivered"}',
        'invoices_total{outcome="rejected"}',
        *(f'attempts_total{{result="{result}"}}' for result in ("delivered", "rejected", "deferred")),
        *(f'api_errors_total{{code="{code}"}}' for code in (100, 101, *range(103, 111), "other")),
        *("waiting_files", "oldest_waiting_seconds", "failed_files", "paused", "folders_away"),
        "upload_seconds_count",
    ):
        assert short(figures, name) == 0, name
    assert [name for name in figures if name.startswith("invoice_watcher_build_info{version=")]
    assert figures["process_cpu_seconds_total"] > 0
    assert not any("_created" in name or name.startswith("python_") for name in figures)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_the_service_tells_when_it_started(place: Place, port: int, start: Start) -> None:
    """The shipped unit hides all of /proc but processes (ProcSubset=pid), and with it when the machine was booted."""
    before = time.time()
    hidden = 'mount -t proc -o subset=pid proc /proc && exec "$0" "$@"'
    program = start("run", "-c", place.config, within=("unshare", "--mount", "sh", "-c", hidden))
    program.says("ready: watching")
    until_listening(port)
    found = until_scraped(port, lambda found: "process_start_time_seconds" in found)
    assert before - 1 < found["process_start_time_seconds"] < time.time() + 1
    assert found["process_resident_memory_bytes"] > 0
    assert found["process_open_fds"] > 0


def test_the_last_of_many_failures_is_a_failure(api: StandIn, place: Place, port: int, start: Start) -> None:
    """An upload that failed counts as deferred, also when the document is given up for it: the API rejected nothing."""
    api.default = refused(105, "Timeout")
    start()
    until_listening(port)
    place.put("1.pdf", pdf())
    figures = until_scraped(port, lambda found: short(found, 'invoices_total{outcome="rejected"}') == 1)
    attempts = {result: short(figures, f'attempts_total{{result="{result}"}}') for result in ("deferred", "rejected")}
    assert attempts == {"deferred": 3, "rejected": 0}


def test_what_happens_is_counted(api: StandIn, place: Place, port: int, start: Start) -> None:
    """Delivered, refused by the API with its code, refused before sending: each is counted as what it is."""
    start()
    api.script("r1", refused(103, "Order is already shipped or cancelled"))
    api.script("r2", refused(4711, "a code that nobody knows"))
    for name in ("d1.pdf", "d2.pdf", "r1.pdf", "r2.pdf"):
        place.put(name, pdf(name))
    place.put("no.txt", b"no invoice")
    place.until_done("d1.pdf", "d2.pdf")
    place.until_failed("r1.pdf", "r2.pdf", "no.txt")
    until_listening(port)
    found = until_scraped(port, lambda found: short(found, "failed_files") == 3)
    assert short(found, 'invoices_total{outcome="delivered"}') == 2
    assert short(found, 'invoices_total{outcome="rejected"}') == 3
    assert short(found, 'attempts_total{result="delivered"}') == 2
    assert short(found, 'attempts_total{result="rejected"}') == 2
    assert short(found, 'api_errors_total{code="103"}') == 1
    assert short(found, 'api_errors_total{code="other"}') == 1
    assert short(found, 'api_errors_total{code="106"}') == 0
    assert short(found, "upload_seconds_count") == 4
    assert abs(time.time() - (short(found, "last_delivery_timestamp_seconds") or 0)) < 60


def test_an_outage_shows_and_ends(place: Place, port: int, start: Start) -> None:
    """While the API is away: paused, files that wait, an age that grows between two looks; afterwards all is zero."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        for number in range(5):
            place.put(f"{number}.pdf", pdf(f"{number}"))
        start()
        until_listening(port)
        first = until_scraped(port, lambda found: short(found, "paused") == 1)
        assert short(first, "waiting_files") == 5
        age = short(first, "oldest_waiting_seconds") or 0
        until_scraped(port, lambda found: (short(found, "oldest_waiting_seconds") or 0) > age > 0)
        assert (short(scrape(port), 'attempts_total{result="deferred"}') or 0) >= 3
        away.listen()
        place.until_done(*(f"{number}.pdf" for number in range(5)))
    last = until_scraped(port, lambda found: short(found, "paused") == short(found, "waiting_files") == 0)
    assert short(last, "oldest_waiting_seconds") == 0
    assert short(last, 'attempts_total{result="delivered"}') == 5


@pytest.mark.slow  # where nothing happens, the folder is looked at every 10 s
def test_a_failed_file_that_somebody_takes_care_of(api: StandIn, place: Place, port: int, start: Start) -> None:
    """A clerk deletes what failed: the figure goes down by itself, and the alert ends."""
    api.script("1", refused(103, "closed"))
    place.put("1.pdf", pdf())
    start()
    place.until_failed("1.pdf")
    until_listening(port)
    until_scraped(port, lambda found: short(found, "failed_files") == 1)
    for name in names(place.failed):
        (place.failed / name).unlink()
    until_scraped(port, lambda found: short(found, "failed_files") == 0)


def test_after_a_restart_the_folders_tell(api: StandIn, place: Place, port: int, start: Start) -> None:
    """Counters begin anew, as Prometheus expects; what failed and when something was delivered last does not."""
    api.script("1", refused(103, "closed"))
    place.put("1.pdf", pdf("1"))
    place.put("2.pdf", pdf("2"))
    daemon = start()
    place.until_failed("1.pdf")
    place.until_done("2.pdf")
    assert daemon.stop() == 0
    before = time.time()
    start()
    until_listening(port)
    found = until_scraped(
        port, lambda found: short(found, "failed_files") == 1 and bool(short(found, "last_delivery_timestamp_seconds"))
    )
    assert 0 < before - (short(found, "last_delivery_timestamp_seconds") or 0) < 60
    assert short(found, 'invoices_total{outcome="delivered"}') == 0


def test_a_reload_keeps_the_counts_and_changes_the_address(place: Place, port: int, start: Start) -> None:
    """SIGHUP: the same process counts on; another port is listened at, the old one no longer; null ends it."""
    daemon = start()
    place.put("1.pdf", pdf("1"))
    place.until_done("1.pdf")
    other = free_port()
    place.configure(metrics__listen=f"127.0.0.1:{other}")
    daemon.send(signal.SIGHUP)
    until_listening(other)
    assert short(scrape(other), 'invoices_total{outcome="delivered"}') == 1
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    place.configure(metrics__listen=None)
    daemon.send(signal.SIGHUP)
    daemon.says("ready: watching", 3)
    with pytest.raises(ConnectionRefusedError):
        ask(other)
    place.put("2.pdf", pdf("2"))
    place.until_done("2.pdf")
    place.configure(metrics__listen=f":{port}")
    daemon.send(signal.SIGHUP)
    until_listening(port)
    until_scraped(port, lambda found: short(found, 'invoices_total{outcome="delivered"}') == 2)


@pytest.mark.parametrize(("address", "hosts"), [("[::1]", ["::1"]), ("localhost", ["127.0.0.1"]), ("", ["127.0.0.1"])])
def test_every_way_of_writing_an_address(place: Place, start: Start, address: str, hosts: list[str]) -> None:
    """IPv6, a name, or a port alone: each is listened at."""
    port = free_port()
    place.configure(metrics__listen=f"{address}:{port}")
    start().says("metrics are served")
    for host in hosts:
        assert ask(port, host=host).status == 200


def test_a_port_in_use_is_told_once_and_taken_when_it_is_free(place: Place, port: int, start: Start) -> None:
    """Somebody else has the port: a line in the log, invoices flow, and a reload gets it once it is free."""
    with socket.create_server(("127.0.0.1", port)):
        daemon = start()
        line = daemon.says("metrics cannot be served")
        assert f"127.0.0.1:{port}" in line
        assert "in use" in line
        place.put("1.pdf", pdf())
        place.until_done("1.pdf")
        daemon.send(signal.SIGHUP)
        daemon.says("ready: watching", 2)
    daemon.send(signal.SIGHUP)
    until_listening(port)
    assert len([line for line in daemon.lines if "cannot be served" in line]) == 1


def test_an_address_that_is_none(place: Place, start: Start) -> None:
    """metrics.listen names no machine: a line in the log says so, and invoices are delivered."""
    place.configure(metrics__listen="no..machine:9187")
    daemon = start()
    daemon.says("metrics cannot be served at no..machine:9187")
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def test_only_what_is_asked_for_is_answered(place: Place, port: int, start: Start) -> None:
    """A person who opens the address in a browser is told where to look; nothing can be changed."""
    start()
    until_listening(port)
    answer = ask(port)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    head = ask(port, method="HEAD")
    assert (head.status, head.text) == (200, "")
    assert int(head.headers["Content-Length"]) > 1000
    assert ask(port, "/metrics?name=x").status == 200
    assert "/metrics" in ask(port, "/").text
    assert ask(port, "/etc/passwd").status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        refusal = ask(port, method=method)
        assert (refusal.status, refusal.headers["Allow"]) == (405, "GET, HEAD")


def _say(port: int, request: bytes) -> bytes:
    """Send these bytes and nothing more, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(request)
        one.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := one.recv(65536):
            received += chunk
        return received


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"400"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000, b"405"),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", b"200"),
    ],
    ids=["long-line", "long-head", "tls", "http-0.9", "http-2", "large-body", "pipelined"],
)
def test_hostile_requests_get_an_answer_and_do_no_harm(
    place: Place, port: int, start: Start, request_: bytes, status: bytes
) -> None:
    """Whatever is sent to the metrics' port gets one short answer, and the next scraper is served."""
    start()
    until_listening(port)
    answer = _say(port, request_)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert ask(port).status == 200


@pytest.mark.slow  # a connection may take 5 s
def test_slow_clients_keep_nobody_out(place: Place, port: int, start: Start) -> None:
    """A hundred that send one byte and wait: Prometheus is answered, invoices flow, and each is shut out in the end."""
    daemon = start()
    until_listening(port)
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(socket.create_connection(("127.0.0.1", port)))) for _ in range(100)]
        for one in slow:
            one.sendall(b"G")
        place.put("1.pdf", pdf())
        place.until_done("1.pdf")
        until_scraped(port, lambda found: short(found, 'invoices_total{outcome="delivered"}') == 1)
        assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 80
        for one in slow:
            one.settimeout(30)
            assert _is_ended(one)
    assert daemon.stop() == 0


def _is_ended(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_scraper_that_does_not_read_holds_nothing_up(place: Place, port: int, start: Start) -> None:
    """It asks and never takes the answer: uploads go on, others are served, and a stop is not delayed."""
    daemon = start()
    until_listening(port)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        for number in range(10):
            place.put(f"{number}.pdf", pdf(f"{number}"))
        place.until_done(*(f"{number}.pdf" for number in range(10)))
        assert ask(port).status == 200
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 5


def test_no_name_and_no_secret_is_ever_shown(api: StandIn, place: Place, port: int, start: Start) -> None:
    """Order ids, file names and what the API said stay where they belong: whoever may scrape need not know them."""
    text = place.root / "x.prom"
    place.configure(metrics__textfile=str(text))
    api.script(GONE, refused(103, f"{GONE} is closed, {API_CODE}"))
    start()
    place.put(f"{GONE}.pdf", pdf())
    place.put(f'{GONE}"}} 1\nx{{y="z.pdf', pdf())
    until(lambda: len([name for name in names(place.failed) if not name.endswith(".json")]) == 2)
    until_listening(port)
    until_scraped(port, lambda found: short(found, "failed_files") == 2)
    until(text.exists)
    for shown in (ask(port).text, text.read_text()):
        assert GONE not in shown
        assert API_CODE not in shown
        assert str(place.drop) not in shown


def _of_file(path: Path) -> Figures:
    return figures_of(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_the_file_for_node_exporter(place: Place, start: Start) -> None:
    """Whole at every moment, readable by everyone, without what node_exporter tells of itself; and true at the end."""
    folder = place.root / "collector"
    folder.mkdir()
    path = folder / "invoice-watcher.prom"
    place.configure(metrics__textfile=str(path))
    seen: set[str] = set()
    broken: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.001):
            seen.update(names(folder))
            if path.exists() and not path.read_text().endswith("\n"):
                broken.append(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        daemon = start()
        found = until(lambda: _of_file(path))
        assert short(found, 'invoices_total{outcome="delivered"}') == 0
        assert path.stat().st_mode & 0o777 == 0o644
        place.put("1.pdf", pdf())
        place.until_done("1.pdf")
        assert daemon.stop() == 0
    finally:
        over.set()
        reader.join()
    last = _of_file(path)
    assert short(last, 'invoices_total{outcome="delivered"}') == 1
    assert short(last, "waiting_files") == 0
    assert not any(name.startswith("process_") for name in last)
    assert broken == []
    assert [name for name in seen if name.endswith(".prom")] == [path.name]
    assert names(folder) == [path.name]


def test_a_file_that_cannot_be_written_is_told_once(place: Place, start: Start) -> None:
    """The collector's folder is missing: a line in the log with its cure, and invoices flow."""
    place.configure(metrics__textfile=str(place.root / "missing" / "x.prom"))
    daemon = start()
    assert "make its folder" in daemon.says("metrics cannot be written")
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert len([line for line in daemon.lines if "cannot be written" in line]) == 1


def test_a_file_that_is_not_wanted_any_more_goes_away(place: Place, start: Start) -> None:
    """A reload without metrics.textfile takes the file away; else node_exporter would tell of it for ever."""
    path = place.root / "x.prom"
    place.configure(metrics__textfile=str(path))
    daemon = start()
    until(path.exists)
    place.configure(metrics__textfile=None)
    daemon.send(signal.SIGHUP)
    until(lambda: not path.exists(), "the end of the file")


def test_folders_that_are_away(place: Place, port: int, start: Start) -> None:
    """The disk is gone: that is told, and what is not known is left out instead of called 0."""
    place.configure(settle__rescan="200ms")
    daemon = start()
    until_listening(port)
    until_scraped(port, lambda found: short(found, "folders_away") == 0 == short(found, "failed_files"))
    away = place.root / "away"
    place.drop.rename(away)
    daemon.says("waiting for the folders")
    found = until_scraped(port, lambda found: short(found, "folders_away") == 1)
    assert short(found, "waiting_files") is None
    away.rename(place.drop)
    until_scraped(port, lambda found: short(found, "folders_away") == 0 == short(found, "waiting_files"))


def test_without_the_library_invoices_flow(place: Place, port: int, start: Start) -> None:
    """The package is not installed: the log and `check` say which one and how, and everything else works."""
    hidden = place.root / "hidden" / "prometheus_client"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError(\"No module named 'prometheus_client'\")\n")
    daemon = start(PYTHONPATH=str(hidden.parent))
    assert "python3-prometheus-client" in daemon.says("there are no metrics")
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def test_check_looks_at_the_file(place: Place) -> None:
    """What would keep node_exporter from reading the file is told beforehand, with its cure."""
    place.configure(metrics__textfile=str(place.root / "missing" / "x.txt"))
    finished = run("check", "-c", place.config)
    assert finished.status == 0
    notes = [line for line in finished.out.splitlines() if line.startswith("note") and "metrics" in line]
    assert any("missing" in line and "does not exist" in line for line in notes)
    assert any(".prom" in line for line in notes)


def test_nobody_loads_the_library_who_did_not_ask(place: Place, port: int, start: Start) -> None:
    """Without metrics the program starts as fast as before."""
    loaded = "prometheus_client.registry"
    daemon = start(PYTHONPROFILEIMPORTTIME="1")
    daemon.says(loaded)
    assert daemon.stop() == 0
    place.configure(metrics__listen=None)
    daemon = start(PYTHONPROFILEIMPORTTIME="1")
    assert daemon.stop() == 0
    assert loaded not in daemon.err


def test_an_upload_that_takes_long_is_measured(api: StandIn, place: Place, port: int, start: Start) -> None:
    """An upload of which the API took long is counted by its seconds in the histogram."""
    api.default = Answer(delay=0.3)
    start()
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    until_listening(port)
    found = until_scraped(port, lambda found: short(found, "upload_seconds_count") == 1)
    assert (short(found, "upload_seconds_sum") or 0) >= 0.3
    assert short(found, 'upload_seconds_bucket{le="0.25"}') == 0
    assert short(found, 'upload_seconds_bucket{le="120.0"}') == 1
    api.default = OK
