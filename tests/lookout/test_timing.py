"""When a look at all of the folder is due, and when a glance: by their contract, with a clock that the tests turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from invoice_watcher.config.sections import Mode, Settle
from invoice_watcher.lookout.timing import Timing, is_polled
from invoice_watcher.lookout.wanted import NEVER, Wanted
from tests.support.fuse import mounted_by_somebody

if TYPE_CHECKING:
    from pathlib import Path

RESCAN = 30.0
SHORT, LONG = 0.01, 0.5  # seconds that a look takes


class Folder:
    """A folder that was looked at from 100 to 101, and what is wanted of it since."""

    def __init__(self, took: float) -> None:
        self.wanted = Wanted()
        self.timing = Timing(self.wanted, RESCAN)
        self.timing.began(100.0)
        self.timing.looked(101.0, took)

    def due(self, *, busy: bool = False, crowded: bool = False) -> list[float]:
        """Return when to look or to glance, and when to glance."""
        due = self.timing.due_at(busy=busy, crowded=crowded)
        return [due, self.timing.glance_due_at(busy=busy, crowded=crowded)]


@pytest.mark.parametrize("took", [SHORT, LONG])
def test_all_of_the_folder_is_looked_at_once_each_rescan(took: float) -> None:
    """Nothing happened: the next look begins half a minute after the last one began."""
    assert Folder(took).due() == [130.0, NEVER]


@pytest.mark.parametrize(("busy", "due"), [(False, 101.02), (True, 102.0)])
def test_a_hint_brings_a_look_after_a_rest(busy: bool, due: float) -> None:  # noqa: FBT001 - parametrized
    """Between two looks lies twice the time that one takes; a second, while there is enough to do anyway."""
    folder = Folder(SHORT)
    folder.timing.hinted(101.0)
    assert folder.due(busy=busy) == pytest.approx([due, NEVER])


def test_the_first_hint_counts() -> None:
    """A storm of hints does not put off the look that the first one asked for; a look answers all before it."""
    folder = Folder(SHORT)
    folder.timing.hinted(105.0)
    folder.timing.hinted(107.0)
    assert folder.due() == [105.0, NEVER]
    folder.timing.began(108.0)
    assert folder.due() == [138.0, NEVER]


def test_a_name_that_is_worth_it_brings_a_look() -> None:
    """Where a look is cheap, it is all that is needed to see a file that has settled."""
    folder = Folder(SHORT)
    folder.wanted.name("1.pdf", 103.0)
    assert folder.due() == [103.0, NEVER]


def test_where_a_look_takes_long_a_glance_goes_first() -> None:
    """A name is glanced at when it is due; the look that its hint asks for rests twenty times as long as one takes."""
    folder = Folder(LONG)
    folder.timing.hinted(103.0)
    folder.wanted.name("1.pdf", 103.0)
    assert folder.due() == [103.0, 103.0]
    assert folder.wanted.take(103.0) == ["1.pdf"]
    assert folder.due() == [111.0, NEVER]


def test_a_hint_long_after_a_long_look_leaves_room_for_the_glance() -> None:
    """Though the long rest is over, the look that follows a hint lets the glance go first."""
    folder = Folder(LONG)
    folder.timing.hinted(124.0)
    assert folder.due() == [125.0, NEVER]


@pytest.mark.parametrize(
    ("took", "busy", "due"), [(0.5, False, 106.0), (0.01, False, 105.02), (0.01, True, 105.25), (0.5, True, 106.0)]
)
def test_glances_rest_as_well(took: float, busy: bool, due: float) -> None:  # noqa: FBT001 - parametrized
    """Between two glances lies twice the time that one takes; a quarter of a second, while there is enough to do."""
    folder = Folder(LONG)
    folder.timing.glanced(105.0, took)
    folder.wanted.name("1.pdf", 104.0)
    assert folder.due(busy=busy) == pytest.approx([due, due])


@pytest.mark.parametrize("took", [SHORT, LONG])
def test_when_all_is_wanted_nothing_is_glanced_at(took: float) -> None:
    """An older file, that nobody named, comes first: all of the folder is looked at, once the last look has rested."""
    folder = Folder(took)
    folder.wanted.all(0.0)
    folder.wanted.name("1.pdf", 0.0)
    assert folder.due() == [101.0 + 2 * took, NEVER]


def test_files_that_were_too_many() -> None:
    """As soon as there is room for them all of the folder is looked at; not before, and not without a rest."""
    folder = Folder(LONG)
    assert folder.due(crowded=True) == [102.0, NEVER]
    assert folder.due(crowded=True, busy=True) == [130.0, NEVER]
    folder.wanted.name("1.pdf", 105.0)
    assert folder.due(crowded=True) == [102.0, NEVER]


def test_while_the_next_look_rests_glances_go_on() -> None:
    """A look went on for all of a rescan, and there is enough to do: what settles meanwhile is not kept waiting."""
    folder = Folder(LONG)
    folder.timing.looked(130.0, 0.1)
    folder.wanted.name("1.pdf", 130.5)
    assert folder.due() == [130.2, NEVER]
    assert folder.due(busy=True) == [130.5, 130.5]


def test_the_first_looks_of_a_machine_that_has_just_started() -> None:
    """Nothing rests before the first look, nor before the first glance, though the clock may begin at 0."""
    wanted = Wanted()
    timing = Timing(wanted, RESCAN)
    assert timing.due_at(busy=False, crowded=False) == RESCAN
    wanted.name("1.pdf", 0.5)
    assert timing.due_at(busy=False, crowded=False) == 0.5
    wanted.all(0.0)
    assert timing.due_at(busy=False, crowded=False) == 0.0
    timing.began(0.0)
    timing.looked(0.5, LONG)
    wanted.name("1.pdf", 0.6)
    assert timing.glance_due_at(busy=False, crowded=False) == 0.6


def test_a_look_sees_whatever_was_wanted() -> None:
    """What was to be looked at by its name needs no glance after a look at all of the folder."""
    folder = Folder(LONG)
    folder.wanted.name("1.pdf", 103.0)
    folder.timing.began(104.0)
    folder.timing.looked(105.0, LONG)
    assert folder.due() == [134.0, NEVER]


MODES: tuple[Mode, ...] = get_args(Mode)


def test_a_disk_of_this_machine_gives_hints(tmp_path: Path) -> None:
    """Its folder is looked at by the clock alone where that was asked for, and not otherwise."""
    assert {mode: is_polled(Settle(mode=mode), tmp_path) for mode in MODES} == {
        "auto": False, "native": False, "polling": True,
    }  # fmt: skip


def test_a_network_file_system_gives_none(tmp_path: Path) -> None:
    """Its folder is looked at by the clock alone, unless somebody says that its hints do."""
    with mounted_by_somebody(tmp_path / "share", "fuse.sshfs"):
        assert {mode: is_polled(Settle(mode=mode), tmp_path / "share") for mode in MODES} == {
            "auto": True, "native": False, "polling": True,
        }  # fmt: skip
