"""One invoice from the drop folder to its place: real folders, a real upload, and a server that does as it is told."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.backoff import RetryRules
from invoice_watcher.config import Api, Secret
from invoice_watcher.delivery import Delivery
from invoice_watcher.ending import Filed, Held, NotReady, Report, Waiting
from invoice_watcher.errors import FolderLostError
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Delivered, Fault, Rejected
from invoice_watcher.policy import keeps_failing
from invoice_watcher.queue import Queue
from invoice_watcher.receipt import error_of
from invoice_watcher.resumption import resumed
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import GONE
from invoice_watcher.spool import Completed, Recovered, syscalls
from invoice_watcher.uploader import Uploader
from invoice_watcher.validation import Limits
from tests.support.box import LARGEST, NAMING, OTHER_PDF, PDF, Box, written
from tests.support.children import fork, killed_at, needs_root
from tests.support.kernel import OldKernel, failing, interrupted
from tests.support.rawserver import Peer, RawServer, answer, answering, saying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.receipt import Receipt
    from tests.support.rawserver import Script

CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"
NAME = "12345.pdf"
NOTE = f".processing/{NAME}.json"
CLOSED = answer(400, b'{"error": {"code": 103, "message": "Order is already shipped or cancelled"}}')
WRONG_CODE = answer(400, b'{"error": {"code": 101, "message": "Wrong API code"}}')
BUSY = answer(503, b"later")
LARGE = PDF.ljust(LARGEST - len(PDF)) + PDF  # more than any socket buffer holds, and copied into a file
LINK = "12345.url"
DOUBTFUL = b"[InternetShortcut]\r\nURL=https://a.example/1"  # no line end: more may follow


@contextmanager
def delivering(box: Box, url: str, *, receipts: bool = True) -> Iterator[Delivery]:
    """Give the walk between these folders and a server at this address."""
    api = Api(base_url=url, connect_timeout=5.0, read_timeout=10.0, deadline=10.0)
    with closing(Uploader(api, Secret(CODE))) as uploader:
        yield Delivery(box.spool(receipts=receipts), uploader, Limits(LARGEST, incomplete_after=60.0))


class Desk:
    """A box, a server, and the walk between them."""

    def __init__(self, box: Box, server: RawServer, delivery: Delivery) -> None:
        self.box, self.server, self._delivery = box, server, delivery

    def drop(self, raw: bytes = PDF, name: str = NAME) -> Task:
        """Drop a file; return its task."""
        self.box.put(name, raw)
        return self.box.task(name)

    def attempt(self, task: Task, *, hold: bool = False) -> Report:
        """Take it as far as it goes."""
        return self._delivery.attempt(task, hold_wrong_api_code=hold)

    @property
    def note(self) -> Receipt:
        """What is written down about the claimed document."""
        return self.box.receipt(NOTE)


@contextmanager
def desk(box: Box, *scripts: Script, receipts: bool = True) -> Iterator[Desk]:
    """Give a desk whose server plays these scripts; without any it takes everything."""
    with RawServer(*(scripts or (answering(),))) as server, delivering(box, server.url, receipts=receipts) as delivery:
        yield Desk(box, server, delivery)


def deferral(report: Report) -> tuple[str, Fault]:
    """Return why an invoice waits, and whose fault that is."""
    assert isinstance(report, Waiting), report
    return report.outcome.problem.reason, report.outcome.fault


def check_delivered(box: Box, raw: bytes = PDF, *, in_doubt: bool = False) -> Receipt:
    """The document lies in done with its receipt, and nothing is left anywhere else."""
    assert box.names() == {f"done/{NAME}", f"done/{NAME}.json"}
    assert box.files()[f"done/{NAME}"] == raw
    receipt = box.receipt(f"done/{NAME}.json")
    assert (receipt.state, receipt.size, receipt.in_doubt) == ("done", len(raw), in_doubt)
    return receipt


def test_an_accepted_invoice_is_filed_with_its_receipt(box: Box) -> None:
    """Everything an accountant needs to prove what was sent, when and by whom."""
    with desk(box, answering(answer(200, b'{"ok": true}'))) as it:
        assert it.attempt(it.drop()) == Filed(Delivered(200, '{"ok": true}'), NAME, sent=True)
        assert it.server.requests[0].parts[0].get_payload(decode=True) == PDF
    receipt = check_delivered(box)
    assert (receipt.order_id, receipt.file, receipt.http_status) == ("12345", NAME, 200)
    assert (receipt.attempts, receipt.error, receipt.response) == (1, None, '{"ok": true}')
    assert receipt.sha256 == hashlib.sha256(PDF).hexdigest()
    assert receipt.received_at <= str(receipt.finished_at)


def test_without_receipts_a_delivery_leaves_only_the_document(box: Box) -> None:
    """With `receipts: false` a delivered document lies in done alone."""
    with desk(box, receipts=False) as it:
        it.attempt(it.drop())
    assert box.names() == {f"done/{NAME}"}


def test_an_invoice_that_the_api_refuses_is_filed_as_failed(box: Box) -> None:
    """What the API refuses lies in failed; its receipt holds what the API said, and what the clerk should do."""
    with desk(box, answering(CLOSED)) as it:
        report = it.attempt(it.drop())
    assert isinstance(report, Filed)
    assert isinstance(report.outcome, Rejected)
    assert box.names() == {f"failed/{NAME}", f"failed/{NAME}.json"}
    receipt = box.receipt(f"failed/{NAME}.json")
    assert (receipt.state, receipt.http_status) == ("failed", 400)
    assert receipt.error is not None
    assert (receipt.error.code, receipt.error.reason) == (103, "order_closed")
    assert receipt.error.hint.startswith("The order has left")
    assert "earlier attempt" not in receipt.error.hint


@pytest.mark.parametrize(("name", "raw", "code"), [
    ("12345.txt", b"text", 106), ("my invoice.pdf", PDF, 100), (NAME, b"", 108), (NAME, bytes(LARGEST + 1), 109),
    (NAME, b"<html>", 106), ("12345.url", b"[InternetShortcut]\r\nURL=ftp://a/b\r\n", 104),
])  # fmt: skip
def test_what_the_api_would_refuse_is_not_sent(box: Box, name: str, raw: bytes, code: int) -> None:
    """What the API would refuse by name, size or content is filed as failed at once, byte for byte, and never sent."""
    with desk(box) as it:
        report = it.attempt(it.drop(raw, name))
        assert isinstance(report, Filed)
        assert not report.sent
        assert not it.server.connections
    assert box.files()[f"failed/{name}"] == raw
    error = box.receipt(f"failed/{name}.json").error
    assert error is not None
    assert (error.source, error.code) == ("validation", code)


def test_the_receipt_of_what_was_not_read_has_no_checksum(box: Box) -> None:
    """A film is too large to be read to its end: its receipt tells its size, and `sha256` is null."""
    with desk(box) as it:
        it.attempt(it.drop(bytes(LARGEST + 1)))
    receipt = box.receipt(f"failed/{NAME}.json")
    assert (receipt.size, receipt.sha256) == (LARGEST + 1, None)
    assert b'"sha256": null' in box.files()[f"failed/{NAME}.json"]


def test_a_link_is_sent_and_its_shortcut_filed(box: Box) -> None:
    """Of a shortcut the API gets the link; in done lies the shortcut that the clerk dropped."""
    raw = b"[InternetShortcut]\r\nURL=https://a.example/1.pdf\r\n"
    with desk(box) as it:
        it.attempt(it.drop(raw, "12345.url"))
        assert it.server.requests[0].parts[0].get_payload(decode=True) == b"https://a.example/1.pdf"
    assert box.files()["done/12345.url"] == raw


def test_what_is_not_ready_stays_where_it_is(box: Box) -> None:
    """Cut off, open for writing, or gone: nothing is claimed, nothing is sent."""
    with desk(box) as it:
        task = it.drop(b"%PDF-1.4\n1 0 obj\n")
        task.unchanged_for = 1.0
        assert isinstance(it.attempt(task), NotReady)
        with (box.drop / NAME).open("ab"):
            assert isinstance(it.attempt(box.task(NAME)), NotReady)
        assert box.names() == {NAME}
        (box.drop / NAME).unlink()
        assert it.attempt(task) == NotReady(GONE)
        assert not it.server.connections


def test_what_was_sent_once_need_not_prove_again_that_it_is_finished(box: Box) -> None:
    """A file that nothing proves to be whole is given time once, and not anew after each answer that says "later"."""
    with desk(box, answering(BUSY, answer())) as it:
        task = it.drop(DOUBTFUL, LINK)
        assert deferral(it.attempt(task)) == ("busy", Fault.WORLD)
        assert isinstance(it.attempt(task), Filed)
        assert len(it.server.requests) == 2


def test_what_changed_in_the_work_folder_is_given_time_anew(box: Box) -> None:
    """However long it had been unchanged before it was claimed: what may still be written is not sent."""
    with desk(box, answering(BUSY)) as it:
        task = it.drop(DOUBTFUL, LINK)
        assert isinstance(it.attempt(task), Waiting)
        box.put(f".processing/{LINK}", DOUBTFUL + b"/2")
        report = it.attempt(task)
        assert isinstance(report, NotReady)
        assert report.unready.wait == pytest.approx(60.0, abs=10.0)
        assert len(it.server.requests) == 1


def test_what_is_decided_is_filed_however_unfinished_it_seems(box: Box) -> None:
    """The API has answered for these bytes, so it is no matter any more whether others follow; also after a stop."""
    with answered_while_open(box, answer(), name=LINK, raw=DOUBTFUL) as (it, held):
        task = found_task(box.spool().recover()[0])
        os.close(held)
        with delivering(box, it.server.url) as delivery:
            assert delivery.attempt(task) == Filed(Delivered(200, "{}"), LINK, sent=False)


def test_a_deferred_invoice_waits_with_a_note(box: Box) -> None:
    """What went wrong is on the disk; nobody finds the document in done or failed."""
    with desk(box, answering(BUSY)) as it:
        task = it.drop()
        assert deferral(it.attempt(task)) == ("busy", Fault.WORLD)
        assert box.names() == {f".processing/{NAME}", NOTE}
        assert (it.note.state, it.note.attempts, it.note.http_status, it.note.in_doubt) == ("waiting", 1, 503, False)
        assert it.note.finished_at is None
        assert it.note.error is not None
        assert it.note.error.hint.startswith("Nothing to do")
        assert not it.note.sending
        assert (task.attempts, task.in_doubt, task.decision) == (1, False, None)


def test_a_later_attempt_is_noted_before_it_is_made(box: Box) -> None:
    """So that a crash in the middle of it counts as one."""
    noted: list[Receipt] = []

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(BUSY)
        peer.request()
        noted.append(box.receipt(NOTE))
        peer.send(answer())

    with desk(box, play) as it:
        task = it.drop()
        it.attempt(task)
        assert isinstance(it.attempt(task), Filed)
    assert noted[0].sending
    assert check_delivered(box).attempts == 2


def test_a_broken_answer_leaves_a_doubt_that_the_receipt_tells(box: Box) -> None:
    """It may have arrived twice, and nobody can say that it did not."""
    with desk(box, saying(b"HTTP/1.1 200 OK\r\n"), answering()) as it:
        task = it.drop()
        assert deferral(it.attempt(task)) == ("unclear_answer", Fault.WORLD)
        assert it.note.in_doubt
        assert isinstance(it.attempt(task), Filed)
        assert len(it.server.requests) == 2
    check_delivered(box, in_doubt=True)


def test_an_order_that_closed_after_a_doubt_is_told_as_such(box: Box) -> None:
    """The clerk must check the order before sending the invoice another way."""
    with desk(box, saying(b""), answering(CLOSED)) as it:
        task = it.drop()
        it.attempt(task)
        assert isinstance(it.attempt(task), Filed)
    error = box.receipt(f"failed/{NAME}.json").error
    assert error is not None
    assert error.hint.startswith("The order has left")
    assert "An earlier attempt to send it was cut off" in error.hint


def test_a_document_changed_while_it_was_sent_is_sent_again(box: Box) -> None:
    """What lies in done is what the API has: the newer one, sent as well."""

    def play(peer: Peer) -> None:
        peer.request()
        box.put(f".processing/{NAME}", OTHER_PDF)
        peer.send(answer())
        peer.request()
        peer.send(answer())

    with desk(box, play) as it:
        task = it.drop()
        assert deferral(it.attempt(task)) == ("changed", Fault.FILE)
        assert isinstance(it.attempt(task), Filed)
        assert [request.parts[0].get_payload(decode=True) for request in it.server.requests] == [PDF, OTHER_PDF]
    check_delivered(box, OTHER_PDF)


def test_another_file_in_its_place_at_any_step_is_no_crash(memory_box: Box) -> None:
    """Replaced before it was sent, and the program stopped right then: the next run knows that nothing was sent."""
    box, happened, call, changed = memory_box, True, 0, 0

    def replace() -> None:
        place = box.drop / NAME
        (box.drop / "~new.tmp").write_bytes(OTHER_PDF)
        (box.drop / "~new.tmp").rename(place if place.exists() else box.work / NAME)

    with RawServer(answering()) as server, delivering(box, server.url) as delivery:
        while happened and not server.requests:
            call += 1
            _empty(box)
            task = _dropped(box, earlier=False)
            with interrupted(call, replace) as has_happened:
                report = _attempt(delivery, task)
            happened = has_happened()
            if isinstance(report, Waiting) and not server.requests and task.claimed:
                changed += 1
                box.reopen()
                (found,) = box.spool().recover()
                assert (found_task(found).crashes, found_task(found).in_doubt) == (0, False)
    assert changed


def test_a_document_that_is_open_when_it_shall_be_filed_is_filed_later(box: Box) -> None:
    """Somebody's program holds it open for writing and changes nothing: it is not sent again."""
    held: list[int] = []

    def play(peer: Peer) -> None:
        peer.request()
        held.append(os.open(box.work / NAME, os.O_WRONLY))
        peer.send(answer())

    with desk(box, play) as it:
        task = it.drop()
        assert deferral(it.attempt(task)) == ("changed", Fault.FILE)
        assert it.note.state == "done", "the next run need not ask again"
        assert isinstance(it.attempt(task), NotReady)
        os.close(held[0])
        assert it.attempt(task) == Filed(Delivered(200, "{}"), NAME, sent=False)
        assert len(it.server.requests) == 1
    check_delivered(box)


@pytest.mark.parametrize(("reply", "folder"), [(answer(), "done"), (CLOSED, "failed")])
def test_an_answer_is_kept_when_it_cannot_be_filed(
    box: Box, reply: bytes, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails after the API answered: once it is well, the invoice is filed and not sent again."""

    def play(peer: Peer) -> None:
        peer.request()
        monkeypatch.setattr(syscalls, "_libc", OldKernel(errno.EIO))
        peer.send(reply)

    with desk(box, play) as it:
        task = it.drop()
        for is_first in (True, False):
            report = it.attempt(task)
            assert deferral(report) == ("not_recordable", Fault.OURS)
            assert isinstance(report, Waiting)
            assert isinstance(report.answer, Rejected if folder == "failed" else Delivered) == is_first
        assert box.files()[f".processing/{NAME}"] == PDF
        monkeypatch.undo()
        report = it.attempt(task)
        assert isinstance(report, Filed)
        assert not report.sent
        assert len(it.server.requests) == 1
    assert box.names() == {f"{folder}/{NAME}", f"{folder}/{NAME}.json"}


def test_an_answer_is_reported_when_its_document_cannot_be_moved(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is mounted on it meanwhile: the upload counts, and the API is known to be there."""

    def play(peer: Peer) -> None:
        peer.request()
        monkeypatch.setattr(syscalls, "_libc", OldKernel(errno.EBUSY))
        peer.send(answer())

    with desk(box, play) as it:
        task = it.drop()
        report = it.attempt(task)
        assert isinstance(report, NotReady)
        assert report.unready.reason.startswith("may not be moved")
        assert report.answer == Delivered(200, "{}")
        monkeypatch.undo()
        assert it.attempt(task) == Filed(Delivered(200, "{}"), NAME, sent=False)


def test_a_retry_after_is_heeded_though_it_cannot_be_noted(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails as the API asks to be left alone for a while."""

    def play(peer: Peer) -> None:
        peer.request()
        monkeypatch.setattr(os, "rename", failing(errno.EIO))
        peer.send(answer(503, b"later", "Retry-After: 600"))

    with desk(box, play) as it:
        report = it.attempt(it.drop())
    assert deferral(report) == ("not_recordable", Fault.OURS)
    assert isinstance(report, Waiting)
    assert report.outcome.retry_after == 600


def test_nothing_is_sent_that_could_not_be_recorded(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: the file stays where the clerk sees it, and goes as soon as there is room."""
    with desk(box) as it:
        task = it.drop()
        monkeypatch.setattr(os, "pwrite", failing(errno.ENOSPC))
        report = it.attempt(task)
        assert deferral(report) == ("not_recordable", Fault.OURS)
        assert "No space left" in str(report)
        assert isinstance(report, Waiting)
        assert task.last == report.outcome  # which people are told who ask why it waits
        assert box.names() == {NAME}
        assert not it.server.connections
        monkeypatch.undo()
        assert isinstance(it.attempt(task), Filed)
    check_delivered(box)


def test_a_copy_that_cannot_be_read_on_is_this_machines_fault(box: Box) -> None:
    """The disk does not give the rest of a large document while it is sent: the API and the network are not blamed."""

    def play(peer: Peer) -> None:
        copy = next(int(fd) for fd in os.listdir("/proc/self/fd") if _is_copy(fd))
        os.dup2(box.folders.work.fd, copy)  # a folder: no read(2) of it succeeds
        peer.request()

    with desk(box, play, answering()) as it:
        task = it.drop(LARGE)
        report = it.attempt(task)
        assert deferral(report) == ("not_recordable", Fault.OURS)
        assert isinstance(report, Waiting)
        assert report.outcome is task.last
        assert "Is a directory" in str(report)
        assert not it.note.sending
        assert not it.note.in_doubt
        assert isinstance(it.attempt(task), Filed)
    assert check_delivered(box, LARGE).attempts == 2


def _is_copy(descriptor: str) -> bool:
    """Tell whether it is that of the large document's copy, which has no name."""
    with suppress(OSError):  # the list's own is closed by now
        found = os.fstat(int(descriptor))
        return (found.st_size, found.st_nlink) == (len(LARGE), 0)
    return False


@pytest.mark.parametrize("earlier", [False, True])
def test_a_stop_after_a_fault_of_the_disk_is_no_crash(memory_box: Box, earlier: bool) -> None:  # noqa: FBT001 - parametrized
    """Any call fails before the document is sent, and the program is stopped: it did not die, nothing is in doubt."""
    box, happened, call = memory_box, True, 0
    with RawServer(answering()) as server, delivering(box, server.url) as delivery:
        while happened:
            call += 1
            _empty(box)
            server.requests.clear()
            task = _dropped(box, earlier=earlier)
            with interrupted(call, failing(errno.EIO)) as has_happened:
                _attempt(delivery, task)
            happened = has_happened()
            if not server.requests:
                assert not any(one.died for one in box.spool().recover() if isinstance(one, Recovered))
    assert call > 25


def test_nothing_is_sent_when_a_folder_is_not_the_one_it_was(box: Box) -> None:
    """Where done or failed was replaced since the start nothing is sent: its answer would lie where nobody looks."""
    with desk(box) as it:
        task = it.drop()
        box.done.rename(box.root.parent / "moved")
        box.done.mkdir()
        with pytest.raises(FolderLostError, match="done is not the folder it was"):
            it.attempt(task)
        assert not it.server.connections
    assert box.names() == {NAME}


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nobody change, move or remove a file, for the length of a block."""
    if subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no immutable files")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@needs_root
def test_a_file_that_may_not_be_moved_is_left_alone(box: Box) -> None:
    """It is named with its reason, and does not stop the others."""
    with desk(box) as it:
        it.drop()
        with immutable(box.drop / NAME):
            report = it.attempt(box.task(NAME))
        assert isinstance(report, NotReady)
        assert report.unready.reason.startswith("may not be moved")
        assert not it.server.connections
        assert box.names() == {NAME}
        assert isinstance(it.attempt(box.task(NAME)), Filed)


def test_a_file_that_cannot_be_moved_for_its_own_sake_is_left_alone(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is mounted on it, or a Windows client has it open: the others flow."""
    with desk(box) as it:
        task = it.drop()
        monkeypatch.setattr(syscalls, "_libc", OldKernel(errno.EBUSY))
        assert isinstance(it.attempt(task), NotReady)
        assert not it.server.connections


def test_nothing_is_sent_for_a_name_that_may_be_cut_short(box: Box) -> None:
    """It is refused with what to do, whatever the pattern: a part of a name could be another order's."""
    name = "INV-7-" + "n" * 240 + ".pdf"
    with desk(box) as it:
        task = it.drop(name=name)
        task.invoice = Naming.of(r"INV-(?P<order_id>[0-9]+)-.*").read(name)
        assert isinstance(it.attempt(task), Filed)
        assert not it.server.connections
    (receipt,) = (box.receipt(place) for place in box.names() if place.endswith(".json"))
    assert (receipt.order_id, receipt.error and receipt.error.reason) == (None, "bad_name")


def test_a_wrong_api_code_is_held_while_it_may_be_the_configurations_fault(box: Box) -> None:
    """Nothing goes to failed yet; once it is clear whose fault it is, it is filed without being sent again."""
    with desk(box, answering(WRONG_CODE)) as it:
        task = it.drop()
        report = it.attempt(task, hold=True)
        assert isinstance(report, Held)
        assert (it.note.state, it.note.error and it.note.error.code) == ("waiting", 101)
        report = it.attempt(task, hold=True)
        assert isinstance(report, Filed)
        assert not report.sent
        assert len(it.server.requests) == 1
    assert box.names() == {f"failed/{NAME}", f"failed/{NAME}.json"}


def test_a_wrong_api_code_is_the_orders_fault_when_others_went_through(box: Box) -> None:
    """Once others went through, an order that is answered 101 (wrong API code) is rejected at once."""
    with desk(box, answering(WRONG_CODE)) as it:
        assert isinstance(it.attempt(it.drop()), Filed)


def test_a_held_answer_that_cannot_be_noted_is_asked_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk does not turn the configuration's fault into a rejection."""

    def play(peer: Peer) -> None:
        peer.request()
        monkeypatch.setattr(os, "rename", failing(errno.ENOSPC))
        peer.send(WRONG_CODE)

    with desk(box, play, answering(WRONG_CODE)) as it:
        task = it.drop()
        assert deferral(it.attempt(task, hold=True)) == ("not_recordable", Fault.OURS)
        monkeypatch.undo()
        assert it.server.closed.acquire(timeout=5)
        assert isinstance(it.attempt(task, hold=True), Held)


def test_what_another_program_has_for_itself_is_left_alone_when_it_shall_be_claimed(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server refuses the rename for that one file's sake, in whichever words: the queue does not pause."""
    with desk(box) as it:
        task = it.drop()
        for code in (errno.ETXTBSY, errno.EAGAIN):
            monkeypatch.setattr(syscalls, "_libc", OldKernel(code))
            assert isinstance(it.attempt(task), NotReady)
        monkeypatch.undo()
        assert not it.server.connections
        assert isinstance(it.attempt(task), Filed)


@needs_root
def test_a_delivery_does_not_wait_for_an_old_receipt_that_cannot_be_removed(box: Box) -> None:
    """Somebody made it immutable: the invoice is filed beside its own receipt, and the old one stays."""
    old = box.put(f"failed/{NAME}.json", written("failed"))
    with desk(box) as it, immutable(old):
        assert isinstance(it.attempt(it.drop()), Filed)
    assert box.names() == {f"done/{NAME}", f"done/{NAME}.json", f"failed/{NAME}.json"}


def test_a_claimed_document_that_was_taken_away_leaves_no_history(box: Box) -> None:
    """Another file of its name, cut off by a crash, does not go to the old one's order with the old one's count."""
    with desk(box, answering(BUSY)) as it:
        task = it.drop()
        it.attempt(task)
        (box.work / NAME).unlink()
        assert it.attempt(task) == NotReady(GONE)
    assert box.names() == set()


@contextmanager
def answered_while_open(
    box: Box, *replies: bytes, in_doubt: bool = False, name: str = NAME, raw: bytes = PDF
) -> Iterator[tuple[Desk, int]]:
    """Let the API answer for a document that somebody has open for writing, and the program stop; give that file."""
    held: list[int] = []

    def play(peer: Peer) -> None:
        for reply in replies:
            peer.request()
            if not held:
                held.append(os.open(box.work / name, os.O_WRONLY))
            peer.send(reply)

    with desk(box, play) as it:
        task = it.drop(raw, name)
        task.in_doubt = in_doubt
        assert deferral(it.attempt(task)) == ("changed", Fault.FILE)
        box.reopen()
        yield it, held[0]


@pytest.mark.parametrize(("reply", "folder"), [(answer(200, b'{"ok": true}'), "done"), (CLOSED, "failed")])
def test_an_answer_that_could_not_be_filed_outlives_a_stop(box: Box, reply: bytes, folder: str) -> None:
    """The document is closed by the next start: it is filed there and then, and not sent again."""
    with answered_while_open(box, reply) as (it, held):
        os.close(held)
        (found,) = box.spool().recover()
        assert isinstance(found, Completed)
        assert len(it.server.requests) == 1
    assert box.names() == {f"{folder}/{NAME}", f"{folder}/{NAME}.json"}


@pytest.mark.parametrize(("reply", "folder"), [(answer(200, b'{"ok": true}'), "done"), (CLOSED, "failed")])
def test_an_answer_is_kept_until_the_document_is_closed(box: Box, reply: bytes, folder: str) -> None:
    """It is still open at the next start, so it is filed later, as answered; the stop does not count as a crash."""
    with answered_while_open(box, reply) as (it, held):
        note = it.note
        (found,) = box.spool().recover()
        task = found_task(found)
        assert (task.crashes, task.attempts, task.in_doubt) == (0, 1, False)
        with delivering(box, it.server.url) as delivery:
            assert isinstance(delivery.attempt(task), NotReady)
            os.close(held)
            report = delivery.attempt(task)
        assert isinstance(report, Filed)
        assert not report.sent
        assert len(it.server.requests) == 1
    assert box.names() == {f"{folder}/{NAME}", f"{folder}/{NAME}.json"}
    receipt = box.receipt(f"{folder}/{NAME}.json")
    assert (receipt.http_status, receipt.response, receipt.error) == (note.http_status, note.response, note.error)


def test_an_answer_is_not_for_what_was_written_after_it(box: Box) -> None:
    """The document was changed while the program was stopped: it is sent as it is now, and nothing is in doubt."""
    with answered_while_open(box, answer(), answer()) as (it, held):
        os.pwrite(held, OTHER_PDF, 0)
        os.close(held)
        (found,) = box.spool().recover()
        task = found_task(found)
        assert (task.crashes, task.invoice.order_id) == (0, "12345")
        with delivering(box, it.server.url) as delivery:
            assert isinstance(delivery.attempt(task), Filed)
        assert [request.parts[0].get_payload(decode=True) for request in it.server.requests] == [PDF, OTHER_PDF]
    assert check_delivered(box, OTHER_PDF).attempts == 2


def test_a_hint_of_doubt_is_given_once(box: Box) -> None:
    """The receipt of a refusal mentions an earlier attempt that was cut off once, also if it was filed after a stop."""
    with answered_while_open(box, CLOSED, in_doubt=True) as (it, held):
        task = found_task(box.spool().recover()[0])
        os.close(held)
        with delivering(box, it.server.url) as delivery:
            assert isinstance(delivery.attempt(task), Filed)
    error = box.receipt(f"failed/{NAME}.json").error
    assert error is not None
    assert error.hint.count("An earlier attempt to send it was cut off") == 1


def test_a_document_counted_out_is_filed_without_being_sent(box: Box) -> None:
    """A document that alone kept failing, while others went through, goes to failed without being sent once more."""
    with desk(box, answering(BUSY)) as it:
        task = it.drop()
        report = it.attempt(task)
        assert isinstance(report, Waiting)
        assert task.took is not None
        task.decision = Decision(keeps_failing(report.outcome, 10), None)
        assert isinstance(it.attempt(task), Filed)
        assert len(it.server.requests) == 1
        assert task.took is None  # or the metrics would count another upload
    error = box.receipt(f"failed/{NAME}.json").error
    assert error is not None
    assert error.reason == "keeps_failing"


def test_a_document_that_failed_for_the_network_says_so_in_its_receipt(box: Box) -> None:
    """A document at which each connection breaks, while others go through: source `network`, no status, no answer."""
    with desk(box, saying(b"")) as it:
        task = it.drop()
        report = it.attempt(task)
        assert isinstance(report, Waiting)
        task.decision = Decision(keeps_failing(report.outcome, 10), None)
        assert isinstance(it.attempt(task), Filed)
    receipt = box.receipt(f"failed/{NAME}.json")
    assert receipt.error is not None
    assert (receipt.error.source, receipt.error.code) == ("network", None)
    assert (receipt.http_status, receipt.response) == (None, None)


# Crashes.


def found_task(found: Recovered | Completed) -> Task:
    """Return the task that a restart makes of what it found."""
    assert isinstance(found, Recovered)
    return resumed(found, NAMING, lambda _: None)


def test_why_a_document_waits_is_still_known_after_a_stop(box: Box) -> None:
    """People are told what the API said last, not nothing, until it is tried again; and so does its note, till then."""
    noted: list[Receipt] = []

    def play(peer: Peer) -> None:
        peer.request()
        noted.append(box.receipt(NOTE))
        peer.send(answer())

    with desk(box, answering(BUSY)) as it:
        it.attempt(it.drop())
        told = it.note
    box.reopen()
    task = found_task(box.spool().recover()[0])
    assert task.last is not None
    assert error_of(task.last.problem) == told.error
    with RawServer(play) as server, delivering(box, server.url) as delivery:
        assert isinstance(delivery.attempt(task), Filed)
    assert noted[0].sending
    assert (noted[0].error, noted[0].http_status, noted[0].response) == (told.error, told.http_status, told.response)


def test_a_document_at_which_the_program_dies_three_times_is_put_aside(box: Box) -> None:
    """Sent three times, each time the program was killed in the middle; it does not take down a fourth run."""
    received = threading.Semaphore(0)

    def silent(peer: Peer) -> None:
        peer.request()
        received.release()
        peer.wait()

    with RawServer(silent) as server:
        box.put(NAME)
        task = box.task(NAME)
        for crashes in (1, 2, 3):
            _killed_while_sending(box, server, task, received)
            box.reopen()
            (found,) = box.spool().recover()
            task = found_task(found)
            assert (task.crashes, task.in_doubt) == (crashes, True)
        queue = Queue(RetryRules(2, 300, 10), 4, LARGEST)
        queue.resume(task, died=True)
        assert queue.next(0.0) is task
        with delivering(box, server.url) as delivery:
            report = delivery.attempt(task)
        assert isinstance(report, Filed)
        assert len(server.requests) == 3
    receipt = box.receipt(f"failed/{NAME}.json")
    assert receipt.error is not None
    assert (receipt.error.reason, receipt.in_doubt) == ("poison", True)


@pytest.mark.parametrize(("work_name", "note", "order_id"), [
    (f"{NAME}~1~", None, "12345"), (f"{NAME}~1~", "234", "234"), ("12345.2.pdf", "12345", "12345"),
    ("n" * 236 + ".pdf", None, None), ("n" * 231 + "12345.pdf", "12345", "12345"), (NAME, "12344", "12345"),
])  # fmt: skip
def test_a_recovered_document_belongs_to_the_order_it_was_dropped_for(
    box: Box, work_name: str, note: str | None, order_id: str | None
) -> None:
    """As its note says; not to one that only a damaged note names, nor to what the program itself made of its name."""
    box.put(f".processing/{work_name}")
    if note is not None:
        text = written("waiting").replace(b'"order_id": "12345"', f'"order_id": "{note}"'.encode())
        box.put(f".processing/{work_name}.json", text)
    (found,) = box.spool().recover()
    assert isinstance(found, Recovered)
    assert resumed(found, Naming.of("[A-Za-z0-9._-]+"), lambda _: None).invoice.order_id == order_id


def test_a_document_whose_note_cannot_be_read_is_not_sent(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    """Its note may hold an answer: it is named in the log, and its order waits, until a person takes it away."""
    path = box.put(f".processing/{NAME}")
    with box.put(NOTE, written("done")).open("r+b") as file, desk(box) as it:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        (found,) = box.spool().recover()
        task = found_task(found)
        assert f"{NAME} in the work folder, or its note, cannot be read" in caplog.text
        queue = Queue(RetryRules(2, 300, 10), 4, LARGEST)
        queue.resume(task, died=False)
        queue.schedule.offer([it.drop(OTHER_PDF)])
        assert queue.next(0.0) is task
        report = it.attempt(task)
        assert isinstance(report, NotReady)
        queue.report(task, report, 0.0, 1.0)
        assert queue.next(1.0) is None
        path.unlink()
        assert it.attempt(task) == NotReady(GONE)
        assert not it.server.requests
    assert box.names() == {NAME}


def test_a_recovered_document_whose_order_cannot_be_known_is_sent_to_none(box: Box) -> None:
    """Its old receipt cannot be read, and its name may mean another order: the start goes on, nothing is guessed."""
    name = "12345.2.pdf"
    box.put(f".processing/{name}")
    with box.put(f"failed/{name}.json", written("failed", name)).open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        (found,) = box.spool().recover()
        assert isinstance(found, Recovered)
        task = resumed(found, Naming.of("[0-9.]+"), box.spool().filed_for)
    assert task.invoice.order_id is None


@pytest.mark.slow
def test_a_crash_at_any_step_of_a_document_that_was_moved_back(memory_box: Box) -> None:
    """`12345.2.pdf` is known by the receipt of its failure alone: that goes only when the decision is written down."""
    box, name, killed, call = memory_box, "12345.2.pdf", True, 0
    with RawServer(answering()) as server:
        while killed:
            call += 1
            _empty(box)
            box.put(name)
            box.put(f"failed/{name}.json", written("failed", name))
            task = box.task(name)
            task.invoice = NAMING.read(name, box.spool().filed_for(name))
            killed = killed_at(call, lambda: _walk(box, server, task))  # noqa: B023 - run at once
            box.reopen()
            tasks = [
                resumed(found, NAMING, box.spool().filed_for)
                for found in box.spool().recover()
                if isinstance(found, Recovered)
            ]
            for one in [*tasks, *([task] if name in box.names() else [])]:
                assert one.invoice.order_id == "12345"
                _walk(box, server, one)
            assert box.names() == {f"done/{name}", f"done/{name}.json"}
    assert call > 25


def _killed_while_sending(box: Box, server: RawServer, task: Task, received: threading.Semaphore) -> None:
    if (pid := fork()) == 0:
        with delivering(box, server.url) as delivery:
            delivery.attempt(task)
        os._exit(0)
    assert received.acquire(timeout=10)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _empty(box: Box) -> None:
    for place in box.names():
        (box.root / place).unlink()


@pytest.mark.slow
@pytest.mark.parametrize(("reply", "folder"), [(answer(), "done"), (CLOSED, "failed")])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_crash_at_any_step_of_the_walk(memory_box: Box, reply: bytes, folder: str, earlier: bool) -> None:  # noqa: FBT001 - parametrized
    """Killed between any two calls and started again: one copy, filed; sent twice only if the receipt says so."""
    box, killed, call = memory_box, True, 0
    with RawServer(answering(reply)) as server:
        while killed:
            call += 1
            _empty(box)
            server.requests.clear()
            task = _dropped(box, earlier=earlier)
            killed = killed_at(call, lambda: _walk(box, server, task))  # noqa: B023 - run at once
            assert [raw for place, raw in box.files().items() if raw == PDF] == [PDF]
            _restart(box, server)
            assert box.files()[f"{folder}/{NAME}"] == PDF
            assert box.names() == {f"{folder}/{NAME}", f"{folder}/{NAME}.json"}
            sent = len(server.requests)
            assert sent == 1 or (sent == 2 and box.receipt(f"{folder}/{NAME}.json").in_doubt)
    assert call > 25


def _dropped(box: Box, *, earlier: bool) -> Task:
    """Drop a file; one that was tried `earlier` lies in the work folder with its note."""
    box.put(NAME)
    task = box.task(NAME)
    if earlier:
        with RawServer(answering(BUSY)) as server, delivering(box, server.url) as delivery:
            assert isinstance(delivery.attempt(task), Waiting)
    return task


def _walk(box: Box, server: RawServer, task: Task) -> Report:
    with delivering(box, server.url) as delivery:
        return delivery.attempt(task)


def _restart(box: Box, server: RawServer) -> None:
    """Start anew, and deliver whatever is left."""
    box.reopen()
    tasks = [found_task(found) for found in box.spool().recover() if isinstance(found, Recovered)]
    if NAME in box.names():
        tasks.append(box.task(NAME))
    for task in tasks:
        assert isinstance(_walk(box, server, task), Filed)


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_fault_of_the_disk_at_any_step_of_the_walk(memory_box: Box, code: int, earlier: bool) -> None:  # noqa: FBT001 - parametrized
    """Any call fails once: nothing is raised, nothing is lost, and what the API said is not asked again."""
    box, happened, call = memory_box, True, 0
    with RawServer(answering()) as server, delivering(box, server.url) as delivery:
        while happened:
            call += 1
            _empty(box)
            server.requests.clear()
            task = _dropped(box, earlier=earlier)
            with interrupted(call, failing(code)) as has_happened:
                report = _attempt(delivery, task)
            happened = has_happened()
            _attempt_until_filed(box, delivery, task, report)
            assert len(server.requests) == 1
            box.spool().recover()
            check_delivered(box)
    assert call > 25


def _attempt(delivery: Delivery, task: Task) -> Report | None:
    try:
        return delivery.attempt(task)
    except FolderLostError:  # the folder could not be looked at; found before anything was done
        return None


def _attempt_until_filed(box: Box, delivery: Delivery, task: Task, report: Report | None) -> None:
    if isinstance(report, NotReady):
        assert report.unready.reason.startswith("cannot be read")
    if not isinstance(report, Filed):
        assert report is None or isinstance(report, NotReady) or deferral(report) == ("not_recordable", Fault.OURS)
        assert [raw for raw in box.files().values() if raw == PDF] == [PDF]
        assert isinstance(delivery.attempt(task), Filed)
