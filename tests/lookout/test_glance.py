"""A glance: what a hint names is seen at once, however long a look at all of the folder takes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.complaints import Complaints
from invoice_watcher.config.sections import Settle
from invoice_watcher.lookout import Lookout
from invoice_watcher.naming import Naming
from invoice_watcher.schedule import Schedule
from tests.integration.program import until
from tests.support.box import PDF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.box import Box

NAMING = Naming.of(r"[^.]+", ["*.bak"])
FAR = 3600.0  # seconds


class Eyes:
    """A lookout with a real watch, on a folder that takes so long to look at that only glances are to be expected."""

    def __init__(self, box: Box, *, quiet: float = 0.0, most: int = 100, busy: bool = False) -> None:
        self._hinted = threading.Event()
        self._busy = busy
        settle = Settle(quiet=quiet, rescan=FAR)
        self.lookout = Lookout(
            box.spool(), box.drop, settle, NAMING, Complaints(60), on_hint=self._hinted.set, most=most
        )
        self.schedule = Schedule()
        self.lookout.start()
        self.lookout.look(self.schedule)

    def hear(self) -> None:
        """Take the hint that comes."""
        assert self._hinted.wait(5)
        self._hinted.clear()
        self.lookout.hinted()

    def forget_what_it_hears(self) -> None:
        """Let the hint that comes be lost."""
        assert self._hinted.wait(5)
        assert self.lookout._watcher is not None
        assert self.lookout._watcher.names()
        self._hinted.clear()

    def look(self) -> None:
        """Look at what is due now, or becomes due soon."""
        wait = self.lookout.due_at(busy=self._busy) - time.monotonic()
        assert wait < 60, "nothing is due"
        time.sleep(max(0.0, wait))
        self.lookout.look(self.schedule, busy=self._busy)

    def look_until(self, is_seen: Callable[[], object]) -> None:
        """Look again and again, with an end."""
        for _ in range(1000):
            if is_seen():
                return
            self.look()
        pytest.fail(f"a thousand looks saw {self.ready}")

    @property
    def wants_all(self) -> bool:
        """Whether all of the folder is going to be looked at, before a minute has passed, and nothing sooner."""
        return self.lookout.due_at(busy=False) < time.monotonic() + 60

    @property
    def ready(self) -> list[str]:
        """The names of what could be sent."""
        return [task.invoice.name for task in self.schedule.ready_tasks()]


@pytest.fixture
def eyes_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Eyes]]:
    """Look at the folder once; from then on a look at all of it would have to rest for long."""
    opened: list[Eyes] = []

    def open_eyes(**options: float) -> Eyes:
        eyes = Eyes(box, **options)  # type: ignore[arg-type]  # most is a whole number
        opened.append(eyes)
        monkeypatch.setattr("invoice_watcher.lookout.timing.LONG", 0.0)
        monkeypatch.setattr("invoice_watcher.lookout.timing.REST", 1e9)
        return eyes

    yield open_eyes
    for eyes in opened:
        eyes.lookout.stop()


def test_a_new_file_is_seen_at_once(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """However large the folder, a new file is seen at its hint, without a look at what else lies there."""
    box.put("1.pdf")
    eyes = eyes_on()
    (box.drop / "1.pdf").rename(box.root.parent / "1.pdf")  # which gives no hint
    box.put("2.pdf")
    eyes.hear()
    eyes.look()
    assert eyes.ready == ["1.pdf", "2.pdf"]
    assert not eyes.wants_all


def test_every_hint_leads_to_a_look_at_all_of_the_folder(
    box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any hint all of the folder is looked at in its time, so what the kernel did not tell is seen."""
    eyes = eyes_on()
    monkeypatch.setattr("invoice_watcher.lookout.timing.REST", 1000.0)
    box.put("1.pdf")
    eyes.forget_what_it_hears()
    assert not eyes.wants_all
    box.put("2.pdf")
    eyes.hear()
    eyes.look_until(lambda: len(eyes.ready) == 2)
    assert not eyes.wants_all, "once is enough"


def test_a_hint_after_a_long_rest_is_followed_by_a_glance_first(
    box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the folder, who drops the first file in an hour does not wait until all of it has been seen."""
    eyes = eyes_on()
    monkeypatch.setattr("invoice_watcher.lookout.timing.REST", 0.0)
    monkeypatch.setattr("invoice_watcher.lookout.timing._SHORT_REST", 1000.0)
    eyes.lookout._timing.looked_at = eyes.lookout._timing._glanced_at = 0.0
    box.put("2.pdf")
    eyes.hear()
    eyes.look()
    assert eyes.ready == ["2.pdf"]
    assert not eyes.lookout.is_looking


def test_a_small_folder_is_looked_at_whole(
    box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is looked at quickly is looked at whole at each hint."""
    eyes = eyes_on()
    monkeypatch.setattr("invoice_watcher.lookout.timing.LONG", 3600.0)
    box.put("1.pdf")
    eyes.forget_what_it_hears()
    box.put("2.pdf")
    eyes.hear()
    eyes.look()
    assert eyes.ready == ["1.pdf", "2.pdf"]


def test_nothing_is_glanced_at_while_all_of_the_folder_is_wanted(
    box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that nobody named may be older than one that somebody did, and for the same order."""
    eyes = eyes_on()
    monkeypatch.setattr("invoice_watcher.lookout.timing._SHORT_REST", 1000.0)
    (box.drop / "5.pdf.part").write_bytes(PDF)
    eyes.hear()
    (box.drop / "5.pdf").hardlink_to(box.drop / "5.pdf.part")
    (box.drop / "5.pdf.part").unlink()
    eyes.hear()
    box.put("5.doc")
    eyes.hear()
    eyes.look_until(lambda: eyes.ready)
    assert eyes.ready == ["5.pdf", "5.doc"]


def test_what_arrives_behind_a_look(box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that has passed a name by sees it before it offers a younger file of the same order."""
    for number in range(200):
        box.put(f"a{number}.pdf")
    eyes = eyes_on(most=1000)
    monkeypatch.setattr("invoice_watcher.lookout._SLICE", 0.0)
    eyes.lookout._wanted.all(0.0)
    eyes.look()
    for number in range(200):
        eyes.lookout.look(eyes.schedule)
        if number == 3:
            for order in range(40):
                box.put(f"q{order}.pdf")
            until(lambda: len(eyes.lookout._watcher._listener._names) == 40)  # type: ignore[union-attr]
            for order in range(40):
                box.put(f"q{order}.doc")
        if number > 3 and not eyes.lookout.is_looking:
            break
    assert not eyes.lookout.is_looking
    offered = set(eyes.ready)
    assert "a0.pdf" in offered
    assert [order for order in range(40) if f"q{order}.doc" in offered and f"q{order}.pdf" not in offered] == []


@pytest.mark.slow
def test_what_has_to_settle_is_looked_at_again_by_its_name(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A file that has to settle counts as waiting meanwhile, and is taken once when it is ready."""
    eyes = eyes_on(quiet=2.0)
    box.put("2.pdf")
    eyes.hear()
    eyes.look()
    assert (eyes.ready, eyes.lookout.more, eyes.lookout.expects_more()) == ([], 1, True)
    assert [one.name for one in eyes.lookout.unfinished] == ["2.pdf"]
    eyes.look()
    assert (eyes.ready, eyes.lookout.more, eyes.lookout.expects_more()) == (["2.pdf"], 0, False)
    assert eyes.lookout.oldest_ns is None
    assert not eyes.wants_all


def test_glances_at_more_unready_files_than_are_remembered(
    box: Box, eyes_on: Callable[..., Eyes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a file is glanced at that still changes, it is counted once."""
    monkeypatch.setattr("invoice_watcher.lookout.findings._MOST_UNFINISHED", 2)
    for number in range(4):
        box.put(f"{number}.pdf")
    eyes = eyes_on(quiet=3600.0)
    for _ in range(3):
        for number in range(4):
            eyes.lookout._wanted.name(f"{number}.pdf", 0.0)
        eyes.look()
        assert eyes.lookout.more == 4


@pytest.mark.slow
def test_what_has_to_settle_and_goes_away_is_forgotten(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A file that its clerk took back before it was settled counts as waiting no longer."""
    eyes = eyes_on(quiet=2.0)
    path = box.put("2.pdf")
    eyes.hear()
    eyes.look()
    path.rename(box.root.parent / "2.pdf")  # which gives no hint
    eyes.look()
    assert (eyes.ready, eyes.lookout.more, eyes.lookout.expects_more()) == ([], 0, False)


def test_a_known_file_that_changed(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A file that was ready and changes is taken as it is by then, after a look at all of the folder."""
    path = box.put("1.pdf")
    eyes = eyes_on()
    path.write_bytes(b"%PDF-1.7 anew")
    eyes.hear()
    eyes.look()
    assert eyes.wants_all
    eyes.look()
    assert eyes.ready == ["1.pdf"]
    signature = eyes.schedule.ready_by_name()["1.pdf"].signature
    assert signature is not None
    assert signature.size == path.stat().st_size
    assert not eyes.wants_all


def test_a_known_file_that_did_not_change(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A file that was opened for writing and closed unchanged causes no look at the whole folder."""
    path = box.put("1.pdf")
    eyes = eyes_on()
    before = eyes.schedule.ready_by_name()["1.pdf"]
    path.open("r+b").close()
    eyes.hear()
    eyes.look()
    assert eyes.schedule.ready_by_name()["1.pdf"] is before
    assert not eyes.wants_all


@pytest.mark.parametrize("name", ["old.bak", "done"])
def test_what_is_never_taken(box: Box, eyes_on: Callable[..., Eyes], name: str) -> None:
    """A name that is left alone stays so when a hint names it."""
    eyes = eyes_on()
    eyes.lookout._wanted.name(name, 0.0)
    (box.drop / "old.bak").touch()
    eyes.look()
    assert (eyes.ready, eyes.lookout.more, eyes.lookout.left_alone) == ([], 0, [])


def test_a_folder_that_is_dropped_is_told_of_once(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A folder in the drop folder is told of once, however often something happens to it."""
    eyes = eyes_on()
    for _ in range(2):
        (box.root.parent / "scans").mkdir(exist_ok=True)
        if not (box.drop / "scans").exists():
            (box.root.parent / "scans").rename(box.drop / "scans")
            eyes.hear()
        eyes.lookout._wanted.name("scans", 0.0)
        eyes.look()
    assert eyes.lookout.left_alone == ["scans"]


def test_what_does_not_fit_into_the_memory(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """Beyond what may be held in memory, a look at all of the folder chooses which files are held."""
    for number in range(4):
        box.put(f"{number}.pdf")
    eyes = eyes_on(most=4)
    for number in (4, 5):
        box.put(f"{number}.pdf")
        eyes.hear()
        eyes.look()
    assert eyes.ready == [f"{number}.pdf" for number in range(5)], "a quarter more than it should hold, and no more"
    assert eyes.wants_all


def test_a_correction_never_passes_an_invoice_that_is_not_held(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """However little is held, the API never ends with the older of two files of one order."""
    for name in ("0.pdf", "1.pdf", "2.pdf", "3.pdf", "9.pdf"):
        box.put(name)
    eyes = eyes_on(most=4, busy=True)
    assert "9.pdf" not in eyes.ready
    box.put("9.doc")
    eyes.hear()
    eyes.look()
    assert eyes.ready == ["0.pdf", "1.pdf", "2.pdf", "3.pdf"]
    assert eyes.lookout.more == 2
    box.put("7.doc")
    eyes.hear()
    eyes.look()
    assert eyes.ready == ["0.pdf", "1.pdf", "2.pdf", "3.pdf", "7.doc"]


@pytest.mark.slow
def test_what_a_worker_has_in_hand(box: Box, eyes_on: Callable[..., Eyes]) -> None:
    """A file that is dropped under the name of one that is being sent has its turn when that one is through."""
    path = box.put("1.pdf")
    eyes = eyes_on()
    task = eyes.schedule.next(0.0)
    assert task is not None
    path.unlink()
    box.put("1.pdf")
    eyes.lookout._wanted.name("1.pdf", 0.0)
    eyes.look()
    assert eyes.ready == []
    eyes.schedule.finished(task)
    eyes.look()
    assert eyes.ready == ["1.pdf"]
