"""No half-written file is ever sent: a file is taken when nobody writes it, it is quiet, and it is all there."""

from __future__ import annotations

import mmap
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import Answer
from tests.integration.place import documents, names, pdf, sample, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

# Formats that tell by their end whether they are whole.
_WITH_AN_END = ("invoice.pdf", "invoice.docx", "invoice.xlsx", "invoice.doc", "invoice.xls", "linearized.pdf")
PAUSE = 0.4  # between two writes: longer than settle.quiet


def _pieces(content: bytes, count: int) -> list[bytes]:
    size = -(-len(content) // count)
    return [content[start : start + size] for start in range(0, len(content), size)]


def _write_slowly(path: Path, pieces: list[bytes], *, keep_open: bool) -> None:
    """Be a program that writes with pauses; the pauses are what is tested."""
    file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed and opened again between the pieces
    for piece in pieces:
        if not keep_open:
            file.close()
            file = open(path, "ab", buffering=0)  # noqa: SIM115 - likewise
        file.write(piece)
        time.sleep(PAUSE)
    file.close()


@pytest.mark.parametrize("keep_open", [True, False])
def test_a_file_that_is_written_slowly_is_sent_once_and_whole(
    api: StandIn, place: Place, start: Start, *, keep_open: bool
) -> None:
    """A slow copy pauses longer than settle.quiet, with the file open or closed in between: sent once, whole."""
    place.configure(settle__quiet="200ms")
    start()
    slow = {f"{number}{os.path.splitext(name)[1]}": sample(name) for number, name in enumerate(_WITH_AN_END)}
    writers = [
        threading.Thread(
            target=_write_slowly, args=(place.drop / name, _pieces(text, 4)), kwargs={"keep_open": keep_open}
        )
        for name, text in slow.items()
    ]
    for writer in writers:
        writer.start()
    place.until_done(*slow)
    for writer in writers:
        writer.join()
    assert len(api.requests) == len(slow)
    assert {request.part.file_name: request.part.content for request in api.requests} == slow
    assert names(place.failed) == []


def test_a_file_that_a_program_holds_open_is_left_alone(api: StandIn, place: Place, start: Start) -> None:
    """Whole or not, quiet or not: while a program has it open for writing it is not read; then at once."""
    daemon = start()
    with open(place.drop / "1.pdf", "wb", buffering=0) as writing:
        writing.write(pdf("first version"))
        place.put("2.pdf", pdf())
        place.until_done("2.pdf")
        assert names(place.drop) == ["1.pdf"]
        os.pwrite(writing.fileno(), pdf("final version"), 0)
    place.until_done("1.pdf")
    assert api.of("1")[0].part.content == pdf("final version")
    assert daemon.process.poll() is None


def test_a_file_that_is_still_mapped_for_writing(api: StandIn, place: Place, start: Start) -> None:
    """A program that closed the file and still writes through a mapping: not read before the mapping is gone."""
    start()
    path = place.root / "mapped"
    path.write_bytes(pdf("before"))
    with open(path, "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    path.rename(place.drop / "1.pdf")
    place.put("2.pdf", pdf())
    place.until_done("2.pdf")
    mapped[:] = pdf("behind")
    mapped.close()
    place.until_done("1.pdf")
    assert api.of("1")[0].part.content == pdf("behind")


def test_a_cut_off_document_is_given_time_and_then_rejected(api: StandIn, place: Place, start: Start) -> None:
    """A document without its end stays where it is for settle.incomplete_after, and is then rejected as incomplete."""
    place.configure(settle__incomplete_after="1s")
    start()
    dropped = {"1" + os.path.splitext(name)[1]: sample(name) for name in _WITH_AN_END[:5]}
    changed = time.time()
    for name, content in dropped.items():
        place.put(name, content[: len(content) // 2])
    until(lambda: names(place.failed), "the first of them in failed/")
    assert time.time() - changed >= 0.98  # the kernel's clock for file times may lag by a tick
    place.until_failed(*dropped)
    for name in dropped:
        error = sidecar(place.failed / name)["error"]
        assert (error["source"], error["code"], error["reason"]) == ("validation", None, "incomplete")
    assert api.requests == []


def test_a_document_that_is_completed_in_time(api: StandIn, place: Place, start: Start) -> None:
    """The rest came late, but it came: delivered, and never called failed."""
    place.configure(settle__incomplete_after="5s")
    start()
    content = {f"{number}{os.path.splitext(name)[1]}": sample(name) for number, name in enumerate(_WITH_AN_END)}
    for name, text in content.items():
        place.put(name, text[:-300])
    place.put("last.pdf", pdf())
    place.until_done("last.pdf")
    for name, text in content.items():
        with open(place.drop / name, "ab") as file:
            file.write(text[-300:])
    place.until_done(*content)
    assert {request.part.file_name: request.part.content for request in api.requests[1:]} == content


def test_a_file_that_gets_its_size_before_its_content(api: StandIn, place: Place, start: Start) -> None:
    """Explorer and robocopy give a file its full size first: not sent before its content is there."""
    place.configure(settle__quiet="100ms", settle__incomplete_after="5s")
    start()
    content = {f"{number}{os.path.splitext(name)[1]}": sample(name) for number, name in enumerate(_WITH_AN_END[:5])}
    for name, text in content.items():
        with open(place.drop / name, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, len(text))
    for begin, end in ((0, 1000), (1000, None)):
        time.sleep(PAUSE)
        for name, text in content.items():
            with open(place.drop / name, "r+b", buffering=0) as file:
                file.seek(begin)
                file.write(text[begin:end])
    place.until_done(*content)
    assert {request.part.file_name: request.part.content for request in api.requests} == content


def test_an_empty_file_that_is_filled_a_moment_later(api: StandIn, place: Place, start: Start) -> None:
    """A program makes the file first and writes it a second later: it is not called empty."""
    start()
    path = place.put("12345.pdf", b"")
    time.sleep(1.0)
    with open(path, "ab") as file:
        file.write(pdf())
    place.until_done("12345.pdf")
    assert names(place.failed) == []
    assert len(api.requests) == 1


def test_a_file_is_left_in_peace_for_settle_quiet(api: StandIn, place: Place, start: Start) -> None:
    """settle.quiet: 700ms means that nobody touches it sooner; and hardly later."""
    place.configure(settle__quiet="700ms")
    start()
    dropped = time.monotonic()
    place.put("12345.pdf", pdf())
    (request,) = api.wait_for(1)
    assert 0.68 < request.started - dropped < 5


def test_each_change_starts_the_quiet_anew(api: StandIn, place: Place, start: Start) -> None:
    """A program that rewrites its whole export again and again: only the last version is sent."""
    place.configure(settle__quiet="1500ms")
    start()
    for version in range(4):
        place.put("12345.pdf", pdf(f"version {version}"), "rename")
        time.sleep(0.25)
    place.until_done("12345.pdf")
    (request,) = api.requests
    assert request.part.content == pdf("version 3")


def test_without_hints_the_scan_finds_the_file(api: StandIn, place: Place, start: Start) -> None:
    """On a network file system nothing is heard of new files: settle.mode polling looks for them."""
    place.configure(settle__mode="polling", settle__rescan="300ms")
    start()
    place.put("12345.pdf", pdf())
    place.until_done("12345.pdf")
    assert len(api.requests) == 1


def test_a_file_with_a_second_name_waits_until_it_has_one(api: StandIn, place: Place, start: Start) -> None:
    """Programs that deliver by link and unlink have two names for a moment; a lasting second name is not taken."""
    place.configure(settle__rescan="300ms")
    start()
    first = place.root / "first"
    first.write_bytes(pdf())
    os.link(first, place.drop / "12345.pdf")
    place.put("2.pdf", pdf())
    place.until_done("2.pdf")
    assert names(place.drop) == ["12345.pdf"]
    first.unlink()
    place.until_done("12345.pdf")
    assert len(api.of("12345")) == 1


def test_a_file_that_is_changed_while_it_is_sent_is_sent_again(api: StandIn, place: Place, start: Start) -> None:
    """done/ holds what the API has: what was changed on the way is sent once more, as it is then."""
    hold = threading.Event()
    api.script("12345", Answer(hold=hold), Answer())
    start()
    place.put("12345.pdf", pdf("old"))
    api.wait_for(1)
    (claimed,) = until(lambda: documents(place.work))
    (place.work / claimed).write_bytes(pdf("new"))
    hold.set()
    place.until_done("12345.pdf")
    assert [request.part.content for request in api.of("12345")] == [pdf("old"), pdf("new")]
    assert (place.done / "12345.pdf").read_bytes() == pdf("new")
    assert sidecar(place.done / "12345.pdf")["sha256"] == api.of("12345")[1].part.sha256
