"""Killed, or told an error, at every call of a start that finds the remains of crashes; then started once more.

What is found is what five crashes and a stop left, each a real one: a document whose room for a receipt was never
written, one in doubt, one decided and not yet filed, one whose receipt already lies in its place, one filed whose note
is still there, one that waits for its next attempt; and a fresh one in the drop folder. Also where the crashed runs, or
those that find what they left, had `done_layout: month`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.injection import READING_CALLS, START_CALLS, injected, needs_strace, was_hit
from tests.faults.invariants import assert_all_delivered
from tests.integration.answers import Answer
from tests.integration.place import Place, documents, names, pdf, with_months
from tests.integration.program import until
from tests.integration.stand_in import StandIn
from tests.support.box import written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.warm import Warm
    from tests.integration.stand_in import Request

MOST = 200
# At which call of a delivery the program is killed, and so what it leaves.
CRASHES = {"room": ("ftruncate", 1), "decided": ("linkat", 1), "placed": ("renameat2", 2), "filed": ("unlinkat", 1)}
ANSWERED = ("decided", "placed", "filed")  # with the answer written down
# Of the errors one at each call, in turn, and EACCES besides; at calls that only read, one of the last two.
STEPS = {"newfstatat": 3}  # a start looks at so much that only every third look is disturbed
ERRORS = ("ENOSPC", "EROFS", "EIO", "EACCES")
# That of the runs that crashed, and that of those that find what they left.
LAYOUTS = [("flat", "flat"), ("flat", "month"), ("month", "flat"), ("month", "month")]


class Remains(NamedTuple):
    """What the crashes left: a drop folder, what was dropped into it, and what the API got until then."""

    drop: Path
    dropped: dict[str, bytes]
    requests: list[Request]


@pytest.fixture
def remains(request: pytest.FixtureRequest, api: StandIn, place: Place, warm: Warm, tmp_path: Path) -> Remains:
    """Crash again and again, in a layout, and collect what that leaves in one drop folder."""
    place.configure(api__workers=1, done_layout=getattr(request, "param", "flat"))
    found = Remains(tmp_path / "remains", {"fresh.pdf": pdf("fresh")}, api.requests)
    found.drop.mkdir()
    for name, (call, number) in CRASHES.items():
        pid, _ = warm.start_on(api, place, f"{name}-first.pdf")
        first = place.delivered()[f"{name}-first.pdf"]
        first.with_name(f"{first.name}.json").unlink()
        first.unlink()
        with injected(pid, call, "signal=KILL", number, tmp_path / "trace"):
            place.put(f"{name}.pdf", pdf(name))
            until(lambda: warm.has_ended, name)
        assert warm.kill().status == -9
        _collect(place, found, name)
    for name, answer in (("doubt", Answer(hold=Event())), ("waiting", Answer(503, b""))):
        _leave_unanswered(api, place, warm, name, answer)
        _collect(place, found, name)
    (found.drop / "fresh.pdf").write_bytes(found.dropped["fresh.pdf"])
    found.requests[:] = [one for one in api.requests if not one.order_id.endswith("-first")]
    return found


def _leave_unanswered(api: StandIn, place: Place, warm: Warm, name: str, answer: Answer) -> None:
    api.script(name, answer)
    warm.start("run", "-c", place.config)
    place.put(f"{name}.pdf", pdf(name))
    if answer.hold:
        api.wait_for(1, name)
        warm.kill()
    else:
        place.note_of(f"{name}.pdf")
        warm.stop()


def _collect(place: Place, found: Remains, name: str) -> None:
    found.dropped[f"{name}.pdf"] = pdf(name)
    for folder in (place.work, *with_months(place.done)):
        target = found.drop / folder.relative_to(place.drop)
        target.mkdir(exist_ok=True)
        for one in names(folder):
            (folder / one).rename(target / (f"{one}-{name}" if one.startswith(".") else one))


@needs_strace
@pytest.mark.parametrize(("remains", "layout"), LAYOUTS, indirect=["remains"])
def test_killed_at_every_call_of_a_start(
    remains: Remains, layout: str, warm: Warm, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed at the first, the second, … call on a folder: the next start completes what was begun, in any layout."""
    kills = dict.fromkeys((*START_CALLS, "mkdirat") if layout == "month" else START_CALLS, 0)
    for call in kills:
        for number in range(1, MOST):
            if not _disturb(remains, warm, tmp_path, (call, "signal=KILL", number), layout):
                break
            kills[call] = number
    record_property(f"killed at each call of a start ({layout})", kills)
    assert all(kills.values())


@needs_strace
@pytest.mark.parametrize("call", START_CALLS + READING_CALLS)
def test_an_error_at_every_call_of_a_start(
    remains: Remains, warm: Warm, tmp_path: Path, record_property: Callable[[str, object], None], call: str
) -> None:
    """Whatever call on a folder fails: it goes on, or ends with 75 or 78 and says why; the next start delivers all."""
    met = 0
    for number in range(1, MOST, STEPS.get(call, 1)):
        errors = (ERRORS[number % 3], "EACCES") if call in START_CALLS else (ERRORS[2 + number % 2],)
        hits = [_disturb(remains, warm, tmp_path, (call, f"error={error}", number)) for error in errors]
        met += sum(hits)
        if not any(hits):
            break
    record_property(f"an error at each {call} of a start", met)
    assert met


def _disturb(remains: Remains, warm: Warm, tmp_path: Path, fault: tuple[str, str, int], layout: str = "flat") -> bool:
    """Start on a copy of the remains, with a fault, and then without; False when the fault was not met."""
    root = tmp_path / "copy"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    with StandIn() as api:
        api.requests = list(remains.requests)
        place = Place(root, api.base_url)
        place.configure(api__workers=1, done_layout=layout)
        subprocess.run(["cp", "-a", f"{remains.drop}/.", place.drop], check=True)  # with hard links, as they were
        hit = _start_with(place, warm, tmp_path / "trace", fault)
        finished = warm.run("run", "--once", "-c", place.config)
        assert finished.status == 0, finished.err
        assert_all_delivered(api, place, remains.dropped)
        assert [len(api.of(name)) for name in ANSWERED] == [1] * len(ANSWERED), "sent again, though it was answered"
        assert api.faults == []
    return hit


def _start_with(place: Place, warm: Warm, trace: Path, fault: tuple[str, str, int]) -> bool:
    trace.unlink(missing_ok=True)
    folders = (place.drop, place.work, *with_months(place.done), place.failed)
    receipts = (place.work / f".receipt-{number}" for number in range(1, 9))
    files = (place.work / name for name in documents(place.work))
    pid = warm.start("run", "--once", "-c", place.config, held=True)
    with injected(pid, *fault, trace, (*folders, *receipts, *files)):
        warm.go()
        ended = warm.wait()
    if fault[1] == "signal=KILL":
        assert ended.status in {0, -9}, ended.err
        return ended.status == -9
    assert ended.status in {0, 75, 78}, ended.err
    # The log has a writer of its own, so its last line may come after the program's last word.
    told = any(re.match(r"invoice-watcher: |\d+ delivered, .* waiting$", line) for line in ended.err.splitlines())
    assert ended.status == 0 or told, ended.err
    return was_hit(trace)


@needs_strace
def test_a_note_on_a_bad_place_of_the_disk(api: StandIn, place: Place, warm: Warm, tmp_path: Path) -> None:
    """That document is named and left, others go; the next start files it, and does not ask the API again."""
    place.configure(api__workers=1)
    place.work.mkdir()
    (place.work / "12345.pdf").write_bytes(pdf("12345"))
    note = place.work / "12345.pdf.json"
    note.write_bytes(written("done", raw=pdf("12345")))
    place.put("1.pdf", pdf("1"))
    pid = warm.start("run", "--once", "-c", place.config, held=True)
    with injected(pid, "read", "error=EIO", "1+", tmp_path / "trace", [note]):
        warm.go()
        ended = warm.wait()
    assert ended.status == 75, ended.err
    assert "12345.pdf in the work folder, or its note, cannot be read (Input/output error)" in ended.err
    assert (documents(place.done), documents(place.work)) == (["1.pdf"], ["12345.pdf"])
    assert warm.run("run", "--once", "-c", place.config).status == 0
    assert (documents(place.done), names(place.work)) == (["1.pdf", "12345.pdf"], [])
    assert [one.order_id for one in api.requests] == ["1"]
