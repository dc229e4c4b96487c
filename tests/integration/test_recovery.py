"""Crashes and full disks: every file is in exactly one folder at every moment, and is delivered in the end."""

from __future__ import annotations

import fcntl
import json
import random
import resource
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, names, pdf, sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

ROUNDS = 20
BATCH = 25
SEED = 20_261_122


@pytest.mark.slow  # 20 starts, one after another
def test_kill_at_any_moment(api: StandIn, place: Place, start: Start) -> None:
    """20 times kill -9 at a random moment: then all is delivered, and sent twice only where the receipt says so."""
    chance = random.Random(SEED)
    api.default = Answer(delay=0.002)
    dropped: dict[str, bytes] = {}
    for number in range(ROUNDS):
        batch = {f"{number}-{one}.pdf": pdf(f"{number} {one}") for one in range(BATCH)}
        for name, content in batch.items():
            place.put(name, content)
        dropped |= batch
        _kill(api, start, place.config, chance, early=number % 2 == 1)
        _assert_each_in_one_folder(place, dropped)
    finished = place.once()
    assert finished.status == 0, finished.err
    _assert_delivered(api, place, dropped)


def _kill(api: StandIn, start: Start, config: Path, chance: random.Random, *, early: bool) -> None:
    """Start the daemon and kill it: early, while it starts and recovers, or late, when it has sent a few.

    Every other time late: a document on which the program dies three times in a row would be put aside.
    """
    program = start("run", "-c", config) if early else start()
    if early:
        time.sleep(chance.uniform(0.2, 0.5))  # the moment is what is tested
    else:
        api.wait_for(len(api.requests) + chance.randint(10, BATCH))
        time.sleep(chance.uniform(0, 0.01))
    program.process.kill()
    program.wait()


def _assert_each_in_one_folder(place: Place, dropped: dict[str, bytes]) -> None:
    lying = names(place.drop) + documents(place.work) + documents(place.done) + documents(place.failed)
    assert sorted(lying) == sorted(dropped)


def _assert_delivered(api: StandIn, place: Place, dropped: dict[str, bytes]) -> None:
    assert documents(place.done) == sorted(dropped)
    assert names(place.drop) == names(place.work) == names(place.failed) == []
    for name, content in dropped.items():
        requests, told = api.of(name[:-4]), sidecar(place.done / name)
        assert (place.done / name).read_bytes() == content
        assert {request.part.content for request in requests} == {content}
        assert len(requests) == 1 or told["in_doubt"], f"{name} was sent {len(requests)} times"
        assert told["state"] == "done"


def test_a_crash_during_an_upload_leaves_a_doubt(api: StandIn, place: Place, start: Start) -> None:
    """Killed before the answer came: sent again at the next start, and the receipt says so."""
    api.script("12345", Answer(hold=threading.Event()), OK)
    daemon = start()
    place.put("12345.pdf", pdf())
    api.wait_for(1)
    daemon.process.kill()
    daemon.wait()
    assert documents(place.work) == ["12345.pdf"]
    assert place.once().status == 0
    told = sidecar(place.done / "12345.pdf")
    assert (told["in_doubt"], told["attempts"], len(api.requests)) == (True, 2, 2)


@pytest.mark.parametrize("how", ["killed", "cut"])
def test_a_repeat_that_is_refused_for_a_closed_order(api: StandIn, place: Place, start: Start, how: str) -> None:
    """Killed, or cut off, before the answer came, and the repeat comes too late: the hint says that it may be there."""
    unanswered = Answer(hold=threading.Event()) if how == "killed" else Answer(drop="late")
    api.script("12345", unanswered, refused(103, "Order is already shipped or cancelled"))
    place.put("12345.pdf", pdf())
    if how == "killed":
        daemon = start()
        api.wait_for(1)
        daemon.process.kill()
        daemon.wait()
    assert place.once().status == 1
    told = sidecar(place.failed / "12345.pdf")
    assert (told["error"]["reason"], told["in_doubt"], told["attempts"]) == ("order_closed", True, 2)
    assert "may have gone through" in told["error"]["hint"]


def test_a_document_that_kills_the_program_is_put_aside(api: StandIn, place: Place, start: Start) -> None:
    """Three crashes over one document: it is rejected as poison, and not sent a fourth time."""
    _let_it_die_three_times(api, place, start, "12345")
    start()
    place.until_failed("12345.pdf")
    told = sidecar(place.failed / "12345.pdf")
    assert (told["error"]["source"], told["error"]["code"], told["error"]["reason"]) == ("validation", None, "poison")
    assert told["in_doubt"] is True
    assert told["attempts"] == len(api.requests) == 3


def _let_it_die_three_times(api: StandIn, place: Place, start: Start, order: str) -> None:
    api.script(order, Answer(hold=threading.Event()))
    place.put(f"{order}.pdf", pdf())
    for number in range(3):
        daemon = start()
        api.wait_for(number + 1)
        daemon.process.kill()
        daemon.wait()


def test_nothing_is_poison_before_another_was_answered(api: StandIn, place: Place, start: Start) -> None:
    """Three crashes, and the only other document is still being written: that one shows first that the API is there."""
    _let_it_die_three_times(api, place, start, "12345")
    answer = threading.Event()
    api.script("2", Answer(hold=answer))
    place.configure(log__level="debug")
    with place.put("2.pdf", pdf()).open("ab"):
        start().says("2.pdf is still open for writing")
    api.wait_for(4)
    assert documents(place.failed) == []
    answer.set()
    place.until_done("2.pdf")
    place.until_failed("12345.pdf")


def test_attempts_count_across_a_failure_and_a_crash(api: StandIn, place: Place, start: Start) -> None:
    """Answered 503, then killed while it was sent again, then delivered: the receipt tells of three attempts."""
    api.script("12345", Answer(503, b""), Answer(hold=threading.Event()), OK)
    daemon = start()
    place.put("12345.pdf", pdf())
    api.wait_for(2)
    daemon.process.kill()
    daemon.wait()
    assert place.once().status == 0
    told = sidecar(place.done / "12345.pdf")
    assert (told["attempts"], told["in_doubt"], len(api.requests)) == (3, True, 3)


def test_an_orderly_stop_loses_no_count(api: StandIn, place: Place, start: Start) -> None:
    """Stopped while it waited for another attempt: the next start goes on counting, and there is no doubt."""
    api.default = Answer(500, b"")
    daemon = start()
    place.put("12345.pdf", pdf())
    api.wait_for(2)
    assert daemon.stop() == 0
    before = len(api.requests)
    note = sidecar(place.work / "12345.pdf")
    assert (note["attempts"], note["in_doubt"]) == (before, False)
    api.default = OK
    start()
    place.until_done("12345.pdf")
    told = sidecar(place.done / "12345.pdf")
    assert (told["attempts"], told["in_doubt"]) == (before + 1, False)
    assert told["received_at"] == note["received_at"]


def test_a_note_that_is_garbage_does_no_harm(api: StandIn, place: Place, start: Start) -> None:
    """A power cut left rubbish in the work folder: the document is delivered, in doubt."""
    place.work.mkdir(parents=True)
    (place.work / "1.pdf").write_bytes(pdf("1"))
    (place.work / "1.pdf.json").write_bytes(b"\0" * 512)
    (place.work / "2.pdf").write_bytes(pdf("2"))
    (place.work / "2.pdf.json").write_bytes(b"")
    (place.work / "3.pdf").write_bytes(pdf("3"))
    start()
    place.until_done("1.pdf", "2.pdf", "3.pdf")
    assert all(sidecar(place.done / f"{number}.pdf")["in_doubt"] for number in (1, 2, 3))
    assert all(json.loads((place.done / f"{number}.pdf.json").read_text()) for number in (1, 2, 3))


def test_a_strange_folder_in_the_work_folder_does_no_harm(api: StandIn, place: Place, start: Start) -> None:
    """A folder of any name in the work folder: the program starts, delivers, and leaves it alone."""
    (place.work / ".receipt-1").mkdir(parents=True)
    daemon = start()
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert (place.work / ".receipt-1").is_dir()


def test_a_file_that_another_program_has_for_itself_holds_up_nobody(api: StandIn, place: Place, start: Start) -> None:
    """A file that another program has leased, as Samba does: it waits, the others go, and the queue does not pause."""
    path = place.put("1.pdf", pdf())
    with path.open("rb") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        daemon = start()
        for number in range(2, 8):
            place.put(f"{number}.pdf", pdf())
        place.until_done(*(f"{number}.pdf" for number in range(2, 8)))
        assert names(place.drop) == ["1.pdf"]
    place.until_done("1.pdf")
    assert daemon.stop() == 0
    assert "paused" not in daemon.err


def test_nothing_is_sent_that_could_not_be_recorded(api: StandIn, place: Place, start: Start) -> None:
    """No room for a receipt: nothing goes out, the log says so, and it goes on by itself when there is room again."""
    daemon = start()
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1024, hard))
    dropped = [place.put(f"{number}.pdf", pdf()).name for number in range(5)]
    daemon.says("paused")
    daemon.says("could not", times=2)
    assert api.requests == []
    assert place.waiting() == dropped
    assert names(place.failed) == []
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))
    place.until_done(*dropped)
    assert len(api.requests) == 5
    assert not any(sidecar(place.done / name)["in_doubt"] for name in dropped)


def test_files_that_vanish_do_no_harm(api: StandIn, place: Place, start: Start) -> None:
    """A clerk deletes files again as soon as they are dropped: the daemon takes or misses each, and goes on."""
    daemon = start()
    for number in range(200):
        (place.drop / f"{number}.pdf").write_bytes(pdf())
        (place.drop / f"{number}.pdf").unlink(missing_ok=True)
    place.put("last.pdf", pdf())
    place.until_done("last.pdf")
    assert daemon.stop() == 0
    assert len(documents(place.done)) == len({request.order_id for request in api.requests})


def test_what_was_decided_and_not_filed_is_told_by_whoever_files_it(api: StandIn, place: Place) -> None:
    """The program died between the API's answer and the filing: the next run files, counts and tells it, unasked."""
    api.script("1", refused(103, "closed"))
    place.put("1.pdf", pdf())
    place.once()
    for name in ("1.pdf", "1.pdf.json"):  # as they lay before the first move
        (place.failed / name).rename(place.work / name)
    finished = place.once()
    assert (finished.status, finished.out) == (1, "")
    assert "WARNING rejected 1.pdf: closed" in finished.err
    assert "0 delivered, 1 rejected, 0 waiting" in finished.err
    assert names(place.failed) == ["1.pdf", "1.pdf.json"]
    assert len(api.of("1")) == 1


def test_a_file_that_is_deleted_while_it_is_sent(api: StandIn, place: Place, start: Start) -> None:
    """Somebody empties the hidden work folder during an upload: said in the log, and nothing waits for it for ever."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    daemon = start()
    place.put("1.pdf", pdf())
    api.wait_for(1)
    (place.work / "1.pdf").unlink()
    hold.set()
    place.put("2.pdf", pdf())
    place.until_done("2.pdf")
    daemon.says("1.pdf")
    assert daemon.stop() == 0
    assert place.once().status == 0
    assert names(place.work) == []  # a note left behind would be taken for that of the next file of this name


@pytest.mark.slow  # a file is left in peace for 5 s after a failure
def test_a_file_that_does_not_fit_keeps_nobody_else_back(api: StandIn, place: Place, start: Start) -> None:
    """The disk has room for small copies but not for a large one, which came first: the small ones are delivered."""
    place.configure(retry__initial="6s", retry__max="6s")  # longer than a file is left in peace after a failure
    daemon = start()
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))
    large = place.put("large.pdf", pdf("", 3 << 20))
    daemon.says("paused")
    small = [place.put_after(large, f"{number}.pdf", pdf()).name for number in range(6)]
    place.until_done(*small)
    assert names(place.drop) == ["large.pdf"]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    place.until_done("large.pdf")
