"""`upload FILE…`: sends files now, without the folders, and prints what became of each."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import Answer, refused
from tests.integration.place import names, pdf, sample
from tests.integration.program import redirected, run
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder that is none of the program's."""
    (tmp_path / "desk").mkdir()
    return tmp_path / "desk"


def _file(desk: Path, name: str, content: bytes | None = None) -> Path:
    path = desk / name
    path.write_bytes(pdf(name) if content is None else content)
    return path


def test_each_file_is_sent_and_told(api: StandIn, place: Place, desk: Path) -> None:
    """Several files: each is sent, each gets its line, all stay where they are, nothing is written beside them."""
    paths = [
        _file(desk, "1.pdf"),
        _file(desk, "2.DOCX", sample("invoice.docx")),
        _file(desk, "3.url", sample("shortcut.url")),
    ]
    before = {path: path.read_bytes() for path in paths}
    finished = run("upload", "-c", place.config, *paths)
    assert finished.status == 0, finished.err
    assert finished.out.splitlines() == [f"{path}: delivered" for path in paths]
    assert [request.order_id for request in api.requests] == ["1", "2", "3"]
    assert api.requests[0].part.content == pdf("1.pdf")
    assert {path: path.read_bytes() for path in paths} == before
    assert names(desk) == ["1.pdf", "2.DOCX", "3.url"]
    assert os.listdir(place.drop) == []


def test_the_folders_are_not_needed(api: StandIn, place: Place, desk: Path) -> None:
    """The share is not mounted, and an invoice has to go out now: it does, and no folder is made."""
    place.drop.rmdir()
    assert run("upload", "-c", place.config, _file(desk, "1.pdf")).status == 0
    assert len(api.requests) == 1
    assert not place.drop.exists()


def test_a_running_daemon_is_no_obstacle(api: StandIn, place: Place, desk: Path, start: Start) -> None:
    """While the daemon holds the folders, a file can be sent by hand."""
    start()
    assert run("upload", "-c", place.config, _file(desk, "1.pdf")).status == 0


def test_one_of_them_is_rejected(api: StandIn, place: Place, desk: Path) -> None:
    """The API refuses the second: status 1, with code, message and what to do; the third is sent all the same."""
    api.script("2", refused(103, "Order is already shipped or cancelled"))
    paths = [_file(desk, f"{number}.pdf") for number in (1, 2, 3)]
    finished = run("upload", "-c", place.config, *paths)
    assert finished.status == 1
    first, second, third = finished.out.splitlines()
    assert (first, third) == (f"{paths[0]}: delivered", f"{paths[2]}: delivered")
    assert second.startswith(f"{paths[1]}: rejected")
    assert "103" in second
    assert "Order is already shipped or cancelled" in second
    assert "can no longer be changed" in second


BAD = {
    "my invoice.pdf": (pdf(), "100"),
    "1.txt": (b"text", "106"),
    "2.pdf": (b"text", "106"),
    "3.pdf": (b"", "108"),
    "4.pdf": (pdf("", (10 << 20) + 1), "109"),
    "5.url": (b"[InternetShortcut]\nURL=ftp://example.com/\n", "104"),
    "6.pdf": (sample("invoice.pdf")[:5000], "rejected"),
}


def test_what_is_no_invoice_is_not_sent(api: StandIn, place: Place, desk: Path) -> None:
    """`upload` judges a document as the daemon does: what is no invoice gives status 1, and not one request."""
    paths = {_file(desk, name, content): code for name, (content, code) in BAD.items()}
    finished = run("upload", "-c", place.config, *paths)
    assert finished.status == 1
    for line, (path, code) in zip(finished.out.splitlines(), paths.items(), strict=True):
        assert line.startswith(f"{path}: rejected")
        assert code in line
    assert api.requests == []


def test_the_api_cannot_be_reached(place: Place, desk: Path) -> None:
    """`upload` without a connection to the API: status 75, and the line says so."""
    with StandIn(listening=False) as away:
        place.configure(api__base_url=away.base_url)
        finished = run("upload", "-c", place.config, _file(desk, "1.pdf"))
    assert finished.status == 75
    assert "Try again later" in finished.out  # nobody else will send it
    assert "by itself" not in finished.out
    assert "not sent" in finished.out
    assert "cannot be reached" in finished.out


def test_the_api_does_not_take_it_now(api: StandIn, place: Place, desk: Path) -> None:
    """An answer that blames the configuration or the weather: status 75, for the invoice may be all right."""
    statuses = (401, 404, 302, 429, 503)
    for status in statuses:
        api.script(str(status), Answer(status, b"", {"Location": "/login", "Retry-After": "3600"}))
    finished = run("upload", "-c", place.config, *(_file(desk, f"{status}.pdf") for status in statuses))
    assert finished.status == 75
    assert all(": not sent: " in line for line in finished.out.splitlines())
    assert len(api.requests) == len(statuses)


def test_a_rejection_outweighs_a_wait(api: StandIn, place: Place, desk: Path) -> None:
    """One has to wait and one is rejected: a person is needed, so the status is 1."""
    api.script("1", Answer(503, b""))
    finished = run("upload", "-c", place.config, _file(desk, "1.pdf"), _file(desk, "2.pdf", b"text"))
    assert finished.status == 1
    assert len(finished.out.splitlines()) == 2


def test_wrong_usage(api: StandIn, place: Place, desk: Path) -> None:
    """No file, a file that is not there, a folder: status 2, a sentence, and nothing is sent."""
    for arguments in ([], [desk / "none.pdf"], [desk], [_file(desk, "1.pdf"), desk / "none.pdf"]):
        finished = run("upload", "-c", place.config, *arguments)
        assert finished.status == 2
        assert "Error:" in finished.err
    assert api.requests == []


def test_a_fifo_does_not_hang(api: StandIn, place: Place, desk: Path) -> None:
    """A FIFO among the files is refused with a sentence; the command does not wait for its writer."""
    os.mkfifo(desk / "1.pdf")
    finished = run("upload", "-c", place.config, desk / "1.pdf", timeout=10)
    assert finished.status in {1, 2}
    assert "1.pdf" in finished.out + finished.err
    assert api.requests == []


def test_hostile_names_are_escaped(api: StandIn, place: Place, desk: Path) -> None:
    """A name with a line break or colours in it is shown escaped, on one line."""
    path = _file(desk, "1\n2\x1b[31m.pdf")
    finished = run("upload", "-c", place.config, path)
    assert finished.status == 1
    assert len(finished.out.splitlines()) == 1
    assert r"1\n2\x1b[31m.pdf: rejected" in finished.out


def test_an_echoed_secret_is_not_printed(api: StandIn, place: Place, desk: Path) -> None:
    """An API that repeats the API code in its message: it is blackened on the terminal too."""
    place.put("unused.pdf", b"")
    api.default = refused(103, "closed for 5EC2E7C0-DE0F-4A11-BEA2-1A7E57001DEA")
    finished = run("upload", "-c", place.config, _file(desk, "1.pdf"))
    assert "closed for ***" in finished.out


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true", ">&- 2>&-"])
def test_what_cannot_be_printed_is_sent(api: StandIn, place: Place, desk: Path, redirection: str) -> None:
    """Standard output takes nothing: every file is sent all the same, and the status is that of the invoices."""
    paths = [_file(desk, f"{number}.pdf") for number in (1, 2, 3)]
    finished = redirected(redirection, "upload", "-c", place.config, *paths)
    assert finished.status == 0
    assert [request.order_id for request in api.requests] == ["1", "2", "3"]
    assert ("cannot write to the standard output" in finished.err) == (redirection in {">/dev/full", ">&-"})
    api.default = refused(103, "Order is already shipped or cancelled")
    assert redirected(redirection, "upload", "-c", place.config, *paths).status == 1


def test_a_file_that_cannot_be_read_is_named(place: Place, desk: Path) -> None:
    """A read that fails in the middle: the sentence names the file and the reason."""
    unreadable = "/sys/class/net/lo/speed"  # to be seen and opened, but the loopback has no speed to be read
    if not os.path.exists(unreadable):
        pytest.skip("no sysfs here")
    (desk / "2.pdf").symlink_to(unreadable)
    finished = run("upload", "-c", place.config, _file(desk, "1.pdf"), desk / "2.pdf")
    assert finished.status == 2
    assert f"cannot read {desk / '2.pdf'}: Invalid argument" in finished.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_the_one_finish_that_is_being_sent(
    api: StandIn, place: Place, desk: Path, start: Start, number: signal.Signals
) -> None:
    """Ctrl-C in the middle of several: the one under way gets its answer, and the others are named as not sent."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    first, second = _file(desk, "1.pdf"), _file(desk, "2.pdf")
    program = start("upload", "-c", place.config, first, second)
    api.wait_for(1)
    program.send(number)
    program.says("stopping: waiting up to 20 s")
    hold.set()
    assert program.wait() == 75
    assert program.out.splitlines() == [f"{first}: delivered", f"{second}: not sent: the program was stopped before"]
    assert len(api.requests) == 1


def test_a_second_stop_breaks_off(api: StandIn, place: Place, desk: Path, start: Start) -> None:
    """Ctrl-C twice, for the API does not answer: the program ends, and says that the invoice may have arrived."""
    api.script("1", Answer(hold=threading.Event()))
    program = start("upload", "-c", place.config, _file(desk, "1.pdf"))
    api.wait_for(1)
    program.send(signal.SIGINT)
    program.says("again (Ctrl-C) to break off")
    program.send(signal.SIGTERM)
    assert program.wait(10) == 75
    assert "may have arrived" in program.out
