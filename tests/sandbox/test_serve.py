"""The stand-in as a program: started, heard from, stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from invoice_watcher.sandbox import Mode, running, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TIMEOUT = 20


@contextmanager
def program(arguments: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `serve` in a process of its own; give the process and the base URL it told."""
    text = f"""
import logging
from invoice_watcher.sandbox import serve
logging.basicConfig(level="INFO")
serve(port=0, on_ready=lambda url: print(url, flush=True), {arguments})
print("returned")
"""
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def post(base_url: str, api_code: str = GUID) -> int:
    """Send an invoice; return the HTTP status."""
    answer = requests.post(
        f"{base_url}/order/1/invoice",
        headers={"ApiCode": api_code},
        files={"File": ("1.pdf", b"%PDF")},
        timeout=TIMEOUT,
    )
    return answer.status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end it at once with status 0, even while a client keeps its connection open."""
    with program() as (process, base_url), requests.Session() as client:
        assert client.get(base_url, timeout=TIMEOUT).status_code == 404
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (0, "returned\n")
    assert "Traceback" not in err


def test_the_log_is_on_stderr() -> None:
    """Each request is one line on stderr, also where a log is set up; nothing else is, nor the API code."""
    with program(f"api_code={GUID!r}") as (process, base_url):
        assert post(base_url) == 200
        process.terminate()
        _, err = process.communicate(timeout=TIMEOUT)
    assert err.endswith(" POST order 1 invoice 0.0 kB -> 200\n")
    assert err.count("\n") == 1
    assert GUID not in err


def test_it_can_start_out_failing() -> None:
    """`fail` answers every call with that status from the start."""
    with program("fail=500, latency=0.01") as (_, base_url):
        assert post(base_url) == 500


def test_without_werkzeug() -> None:
    """Where the extra is missing the table can be read, and starting it says what to install."""
    text = """
import sys
sys.modules["werkzeug"] = None
from invoice_watcher.errors import MissingExtraError
from invoice_watcher.sandbox import explain, serve
assert "E103" in explain()
try:
    serve(on_ready=print)
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert "pip install werkzeug" in done.stdout, done.stderr


def test_a_port_that_is_taken() -> None:
    """A port in use is an OSError for the caller to report, not the end of the process."""
    with running() as first, pytest.raises(OSError, match="in use"):
        serve(port=int(first.origin.rpartition(":")[2]), on_ready=lambda _: None)


def test_an_api_code_that_is_none() -> None:
    """An API code that is no GUID is refused at the start, and is not repeated in the message."""
    with pytest.raises(ValueError, match="GUID") as caught:
        serve(port=0, api_code="hunter2", on_ready=lambda _: None)
    assert "hunter2" not in str(caught.value)


def test_what_was_set_up_is_restored() -> None:
    """After serving, signals do to this process what they did before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    serve(port=0, on_ready=lambda _: signal.raise_signal(signal.SIGTERM))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_ipv6_and_wildcard_addresses() -> None:
    """The URL told is one that a client can use, whatever address is listened on."""
    with running(host="0.0.0.0") as sandbox:  # noqa: S104 - for the time of a test
        assert post(sandbox.base_url) == 200
    if socket.has_ipv6:
        with running(host="::1") as sandbox:
            assert sandbox.base_url.startswith("http://[::1]:")
            assert post(sandbox.base_url) == 200


def test_leaving_the_block_ends_everything() -> None:
    """After the `with` block no thread is left, a waiting client is let go, and the port is free."""
    before = threading.active_count()
    with running(mode=Mode(latency=3600)) as sandbox:
        port = int(sandbox.origin.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        client.sendall(f"POST /web-api/order/1/invoice HTTP/1.1\r\nHost: x\r\nApiCode: {GUID}\r\n\r\n".encode())
        assert sandbox.wait_for(1, timeout=TIMEOUT)
    assert client.recv(1) == b""
    client.close()
    assert threading.active_count() <= before
    with running(port=port) as again:
        assert post(again.base_url) == 200
