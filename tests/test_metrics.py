"""The figures, the answers over HTTP, and the file: each by itself, with what the running program seldom meets."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.audience import Attempt
from invoice_watcher.config import Config
from invoice_watcher.config import Metrics as Keys
from invoice_watcher.metrics import Metrics
from invoice_watcher.metrics.endpoint import Endpoint, listening, respond
from invoice_watcher.metrics.figures import Figures
from invoice_watcher.metrics.textfile import Textfile
from invoice_watcher.outcome import Problem, Source
from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Paused, Standing
from tests.integration.program import until
from tests.integration.scrape import ask, figures_of, free_port, short, until_listening

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.scrape import Figures as Found

SOURCES = [*Source]


def _problem(source: Source = Source.API, code: int | None = 103) -> Problem:
    return Problem(source, code, "reason", "message SO-4711", "hint")


def _attempt(
    result: str | None, filed: str | None, problem: Problem | None = None, seconds: float | None = 0.2
) -> Attempt:
    taken = None if result is None else seconds
    return Attempt("SO-4711.pdf", result, taken, filed, problem)  # type: ignore[arg-type]


def _standing(**changes: object) -> Standing:
    known = {"pid": 1, "drop_dir": "/in", "started_at": timestamp(0), "as_of": timestamp(0), **changes}
    return Standing(**known)  # type: ignore[arg-type]


def _paused() -> Paused:
    return Paused(reason="r", message="m", hint="h", cure="c", fault="world", since=timestamp(0), next_try=None)


def _shown(figures: Figures) -> Found:
    return figures_of(figures.text(machine=False).decode())


@pytest.mark.parametrize(
    ("attempt", "changed"),
    [
        (
            _attempt("delivered", "delivered"),
            {'invoices_total{outcome="delivered"}', 'attempts_total{result="delivered"}'},
        ),
        (
            _attempt("rejected", "rejected", _problem()),
            {
                'invoices_total{outcome="rejected"}',
                'attempts_total{result="rejected"}',
                'api_errors_total{code="103"}',
            },
        ),
        (_attempt(None, "rejected", _problem(Source.VALIDATION, 106)), {'invoices_total{outcome="rejected"}'}),
        (_attempt(None, "rejected", _problem()), {'invoices_total{outcome="rejected"}'}),
        (_attempt("deferred", None, _problem(Source.NETWORK, None)), {'attempts_total{result="deferred"}'}),
        (_attempt("deferred", None, _problem(Source.HTTP, None)), {'attempts_total{result="deferred"}'}),
        (
            _attempt("rejected", None, _problem(code=101)),
            {'attempts_total{result="rejected"}', 'api_errors_total{code="101"}'},
        ),
        (
            _attempt("deferred", None, _problem(code=9)),
            {'attempts_total{result="deferred"}', 'api_errors_total{code="other"}'},
        ),
        (_attempt(None, None, _problem(Source.VALIDATION, None)), set()),
    ],
    ids=["delivered", "rejected", "no invoice", "filed later", "network", "503", "held", "unknown code", "disk full"],
)  # fmt: skip
def test_an_attempt_is_counted_as_what_it_was(attempt: Attempt, changed: set[str]) -> None:
    """An upload counts when it was made, an invoice when it is filed, an error of the API when the API answered it."""
    figures = Figures()
    before = _shown(figures)
    figures.count(attempt)
    after = _shown(figures)
    counters = [name for name in after if "_total" in name]
    assert {name for name in counters if after[name] != before[name]} == {f"invoice_watcher_{one}" for one in changed}
    assert short(after, "upload_seconds_count") == (attempt.result is not None)


@given(st.integers() | st.none(), st.sampled_from(SOURCES))
def test_no_answer_makes_a_new_series(code: int | None, source: Source) -> None:
    """An API that answers a new number each time cannot fill Prometheus' memory."""
    figures = Figures()
    known = _shown(figures).keys()
    figures.count(_attempt("rejected", "rejected", _problem(source, code)))
    assert _shown(figures).keys() == known
    assert b"SO-4711" not in figures.text(machine=True)


def test_an_age_is_that_of_now() -> None:
    """However long ago the daemon told of it: an alert on a program that hangs has to come all the same."""
    figures = Figures()
    figures.standing = _standing(waiting=1, oldest=timestamp(time.time() - 100))
    first = short(_shown(figures), "oldest_waiting_seconds") or 0
    assert first >= 100
    until(lambda: (short(_shown(figures), "oldest_waiting_seconds") or 0) > first)
    figures.standing = _standing(waiting=1, oldest=timestamp(time.time() + 100))
    assert short(_shown(figures), "oldest_waiting_seconds") == 0, "a clock that was set back"


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (None, {"waiting_files": None, "paused": None, "folders_away": None, "oldest_waiting_seconds": None}),
        (_standing(waiting=3), {"waiting_files": 3, "paused": 0, "folders_away": 0, "oldest_waiting_seconds": 0}),
        (_standing(pause=_paused()), {"waiting_files": 0, "paused": 1, "folders_away": 0}),
        (_standing(trouble="gone"), {"waiting_files": None, "paused": None, "folders_away": 1}),
    ],
    ids=["not told yet", "well", "paused", "folders away"],
)
def test_what_is_not_known_is_left_out(standing: Standing | None, expected: dict[str, float | None]) -> None:
    """A figure that is not known is left out: a 0 that nobody counted would end an alert."""
    figures = Figures()
    figures.standing = standing
    found = _shown(figures)
    assert {name: short(found, name) for name in expected} == expected


def _taken_apart(answer: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    assert version == b"HTTP/1.1"
    return int(status), dict(line.split(b": ", 1) for line in lines), body


@given(
    st.none()
    | st.binary()
    | st.builds(
        lambda method, path, rest: method + b" " + path + b" HTTP/1.1\r\n" + rest,
        st.sampled_from([b"GET", b"HEAD", b"POST", b"get", b""]),
        st.sampled_from([b"/", b"/metrics", b"http://x:1/metrics", b"/metrics?a", b"//", b"*"]) | st.binary(),
        st.binary(),
    )
)
def test_whatever_is_asked_gets_one_whole_answer(head: bytes | None) -> None:
    """No request makes it fail, or say anything that the client wrote."""
    status, headers, body = _taken_apart(respond(head, lambda: b"figures"))
    assert status in {200, 400, 404, 405, 431}
    assert headers[b"Connection"] == b"close"
    is_head = head is not None and head.startswith(b"HEAD ")
    assert int(headers[b"Content-Length"]) == len(body) or (is_head and body == b"")
    assert (body == b"figures") <= (status == 200)


@pytest.mark.parametrize(
    ("head", "status", "body"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", 200, b"figures"),
        (b"GET http://host:1/metrics HTTP/1.1\r\n\r\n", 200, b"figures"),
        (b"GET /metrics?x=/ HTTP/1.0\r\n\r\n", 200, b"figures"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200, b""),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", 404, b"invoice-watcher. The metrics are at /metrics\n"),
        (b"PROPFIND /metrics HTTP/1.1\r\n\r\n", 405, b"Method Not Allowed\n"),
        (None, 431, b"Request Header Fields Too Large\n"),
    ],
)
def test_the_answers(head: bytes | None, status: int, body: bytes) -> None:
    """The metrics endpoint answers each method and path as RFC 9110 and a person with a browser expect."""
    found = _taken_apart(respond(head, lambda: b"figures"))
    assert (found[0], found[2]) == (status, body)


def test_an_address_in_part() -> None:
    """Where a name stands for several addresses, of which one is taken, metrics are shown at none of them."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listening(f"localhost:{port}")
    for one in listening(f"localhost:{port}"):
        one.close()


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6 `:PORT` is every IPv4 address; only when nothing at all is left it is an error."""
    kept, port = socket.socket, free_port()

    def refuse(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return kept(family, *rest)

    monkeypatch.setattr(socket, "socket", refuse)
    (one,) = listening(f":{port}")
    with one:
        assert one.family == socket.AF_INET
    with pytest.raises(OSError, match="not supported"):
        listening(f"[::1]:{port}")


def test_an_endpoint_lets_go_of_its_address() -> None:
    """The address of metrics that were ended, once or twice, or before they began, can be had by the next at once."""
    port = free_port()
    for _ in range(3):
        Endpoint(f"127.0.0.1:{port}", lambda: b"").close()
    one = Endpoint(f"127.0.0.1:{port}", lambda: b"figures")
    until_listening(port)
    assert ask(port).text == "figures"
    one.close()
    one.close()
    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_who_asks_without_pause_costs_little() -> None:
    """A thousand scrapes a second cost the time of ten texts: the others get the same one."""
    texts = itertools.count()
    port = free_port()
    one = Endpoint(f"127.0.0.1:{port}", lambda: str(next(texts)).encode())
    try:
        until_listening(port)
        began = time.monotonic()
        answers = {ask(port).text for _ in range(50)}
        assert len(answers) <= 10 * (time.monotonic() - began) + 1
    finally:
        one.close()


def test_the_file_is_new_each_time(tmp_path: Path) -> None:
    """Whoever has the metrics file open reads on in the old one; a temporary file that is in the way does no harm."""
    path = tmp_path / "x.prom"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / ".x.prom.tmp").symlink_to(elsewhere)
    file = Textfile(path)
    kept = os.umask(0o077)
    try:
        file.write(b"1\n")
        with path.open("rb") as opened:
            file.write(b"2\n")
            assert opened.read() == b"1\n"
    finally:
        os.umask(kept)
    assert path.read_bytes() == b"2\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert elsewhere.read_bytes() == b"precious"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["elsewhere", "x.prom"]


def test_the_file_is_only_written_for_something_new(tmp_path: Path) -> None:
    """The metrics file is written every 15 s at most; while it says the same, once a minute as a sign of life."""
    path = tmp_path / "x.prom"
    file = Textfile(path)
    assert file.is_due(time.monotonic())
    file.write(b"1\n")
    first = path.stat().st_ino
    now = time.monotonic()
    assert not file.is_due(now)
    assert file.is_due(now + 15)
    file.write(b"1\n")
    assert path.stat().st_ino == first
    file._written_at -= 60
    file.write(b"1\n")
    assert path.stat().st_ino != first


def test_trouble_with_the_file_is_told_once_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Why the metrics file cannot be written is said once for each reason, with what mends it; then it is written."""
    path = tmp_path / "folder" / "x.prom"
    file = Textfile(path)
    with caplog.at_level(logging.WARNING):
        file.write(b"1\n")
        file.write(b"2\n")
        path.mkdir(parents=True)
        file.write(b"3\n")
        file.write(b"4\n")
        path.rmdir()
        file.write(b"5\n")
    assert ["make its folder" in message for message in caplog.messages] == [True, False]
    assert path.read_bytes() == b"5\n"


def test_only_our_own_file_is_removed(tmp_path: Path) -> None:
    """At the end the metrics file is removed; one that was there before, and could not be replaced, stays."""
    path = tmp_path / "x.prom"
    path.write_bytes(b"theirs")
    Textfile(path).remove()
    assert path.exists()
    file = Textfile(path)
    file.write(b"ours")
    file.remove()
    file.remove()
    assert not path.exists()


def _config(tmp_path: Path, **keys: object) -> Config:
    for name in ("done", "failed"):
        (tmp_path / name).mkdir(exist_ok=True)
    return Config(drop_dir=tmp_path, metrics=Keys(**keys))  # type: ignore[arg-type]


def test_another_configuration_goes_on_counting(tmp_path: Path) -> None:
    """After a reload that names another metrics file, what was counted before stands in the new one."""
    first, second = tmp_path / "1.prom", tmp_path / "2.prom"
    metrics = Metrics()
    metrics.follow(_config(tmp_path, textfile=first))
    metrics.attempted(_attempt("delivered", "delivered"))
    metrics.hear(_standing())
    until(first.exists)
    metrics.follow(_config(tmp_path))
    metrics.hear(_standing(waiting=1))
    until(lambda: not first.exists())
    metrics.follow(_config(tmp_path, textfile=second))
    metrics.hear(_standing(waiting=2))
    metrics.close()
    found = figures_of(second.read_text())
    assert short(found, 'invoices_total{outcome="delivered"}') == 1
    assert short(found, "waiting_files") == 2
    assert short(found, "failed_files") == 0


def test_the_last_word_is_written_however_soon(tmp_path: Path) -> None:
    """A stop a moment after the metrics file was written: it is written once more, and tells how the program ended."""
    path = tmp_path / "x.prom"
    metrics = Metrics()
    metrics.follow(_config(tmp_path, textfile=path))
    metrics.hear(_standing(waiting=5))
    until(path.exists)
    metrics.hear(_standing(is_over=True))
    metrics.close()
    assert short(figures_of(path.read_text()), "waiting_files") == 0


def test_folders_that_cannot_be_read_are_not_known(tmp_path: Path) -> None:
    """While failed or done cannot be read, what is in it is left out of the metrics; it comes back by itself."""
    path = tmp_path / "x.prom"
    drop = tmp_path / "drop"
    metrics = Metrics()
    metrics.follow(Config(drop_dir=drop, metrics=Keys(textfile=path)))
    metrics.hear(_standing())
    until(path.exists)
    found = figures_of(path.read_text())
    assert short(found, "failed_files") is short(found, "last_delivery_timestamp_seconds") is None
    for name in ("done", "failed"):
        (drop / name).mkdir(parents=True)

    def both() -> bool:
        metrics.hear(_standing(is_over=True))
        found = figures_of(path.read_text())
        return short(found, "failed_files") == short(found, "last_delivery_timestamp_seconds") == 0

    until(both)
    metrics.close()
