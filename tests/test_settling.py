"""When a dropped file is ready: never early, never stuck, wherever the clock is set to meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from invoice_watcher.settling import LONGEST_RECHECK, Clock, Settling, Signature, Unready

QUIET = 1.0
NOW = Clock(5000.0, 1_790_000_000.0)
DAY = 86_400.0
WRITING = Unready("is still open for writing")
EMPTY = Unready("is still empty", wait=7.0)
HOPELESS = Unready("is no regular file", needs_person=True)

# Steps of the wall clock: none, what ntpd steps at least, an hour of daylight saving, days, and to 1970 or 2099.
STEPS = st.sampled_from([0.0, 0.0, 0.13, -0.13, 3600.0, -3600.0, DAY, -DAY, -NOW.wall, 2.3e9])


def _later(seconds: float, now: Clock = NOW, *, set_by: float = 0.0) -> Clock:
    return Clock(now.mono + seconds, now.wall + seconds + set_by)


def _changed(seconds_ago: float, now: Clock = NOW) -> Signature:
    return Signature(12, 30_211, 0, int((now.wall - seconds_ago) * 1e9))


@pytest.fixture
def local() -> Settling:
    """Watch a local disk."""
    return Settling(QUIET, trust_ctime=True)


def test_backlog_is_ready_at_once(local: Settling) -> None:
    """What already lay there when the program started is sent without delay."""
    assert local.wait_for("1.pdf", _changed(60), NOW) == 0


def test_fresh_file_waits_for_what_is_left_of_its_quiet_time(local: Settling) -> None:
    """A file that changed 0.4 s ago is looked at again in 0.6 s, and is ready then."""
    file = _changed(0.4)
    wait = local.wait_for("1.pdf", file, NOW)
    assert wait == pytest.approx(0.6, abs=1e-6)
    assert local.wait_for("1.pdf", file, _later(0.601)) == 0


def test_each_change_starts_the_quiet_time_anew(local: Settling) -> None:
    """A file that keeps growing is never ready, however long it has been there."""
    for second in range(0, 100, 2):
        now = _later(second)
        assert local.wait_for("1.pdf", _changed(0.1, now), now) > 0.8


@pytest.mark.parametrize("trust_ctime", [True, False])
@pytest.mark.parametrize("age", [-DAY, -40 * 365 * DAY, 60])
def test_what_the_clock_cannot_tell_is_observed(age: float, trust_ctime: bool) -> None:  # noqa: FBT001 - a parameter
    """A file from the future (the clock was set back), or on a network share, is ready once it was seen unchanged."""
    settling, file = Settling(QUIET, trust_ctime=trust_ctime), _changed(age)
    if age > 0 and trust_ctime:
        assert settling.wait_for("1.pdf", file, NOW) == 0
        return
    assert settling.wait_for("1.pdf", file, NOW) == QUIET
    assert settling.wait_for("1.pdf", file, _later(0.75)) == 0.25
    assert settling.wait_for("1.pdf", file._replace(size=1), _later(0.9)) == QUIET
    assert settling.wait_for("1.pdf", file._replace(size=1), _later(1.9)) == 0
    assert settling.unchanged_for("1.pdf", file._replace(size=1), _later(60.9)) == 60


@pytest.mark.parametrize("trust_ctime", [True, False])
def test_quiet_of_nothing_is_ready_at_once(trust_ctime: bool) -> None:  # noqa: FBT001 - a parameter
    """`settle.quiet: 0` takes a file at the first look, on any file system, even one from the future."""
    settling = Settling(0.0, trust_ctime=trust_ctime)
    assert settling.wait_for("1.pdf", _changed(0), NOW) == 0
    assert settling.wait_for("2.pdf", _changed(-DAY), NOW) == 0


@pytest.mark.parametrize("step", [DAY, 30 * 365 * DAY])
def test_clock_set_forward_does_not_age_a_file(local: Settling, step: float) -> None:
    """A file still being copied when the clock jumps ahead is neither taken nor given up as cut off."""
    file = _changed(0.1)
    local.wait_for("1.pdf", file, NOW)
    after = _later(0.2, set_by=step)
    assert local.wait_for("1.pdf", file, after) == QUIET
    assert local.wait_for("1.pdf", file, _later(QUIET, after)) == 0
    assert local.unchanged_for("1.pdf", file, _later(30, after)) == pytest.approx(30, abs=1e-3)
    assert not local._observed, "what its time tells again need not be remembered"


def test_clock_set_forward_is_noticed_without_any_file(local: Settling) -> None:
    """The first file of the day came just before the clock was set: it is as young as it is, and has to be quiet."""
    local.begin_scan(NOW)
    local.end_scan()
    assert local.wait_for("1.pdf", _changed(-60), _later(60.2, set_by=DAY)) == QUIET


def test_clock_set_back_restarts_nothing(local: Settling) -> None:
    """A cut-off file's patience runs on while the clock is set back, and when the clock comes by its time again."""
    file = _changed(10)
    back = _later(1, set_by=-20.0)
    assert local.unchanged_for("1.pdf", file, NOW) == pytest.approx(10)
    ages = [local.unchanged_for("1.pdf", file, _later(second, back)) for second in range(40)]
    assert ages == [pytest.approx(second, abs=1e-3) for second in range(40)]


@given(st.lists(STEPS, min_size=4, max_size=4), st.floats(0, 3))
def test_no_clock_keeps_a_file_back(steps: list[float], age: float) -> None:
    """However often the clock is set, a file left alone is ready after three waits of `quiet` at most."""
    settling, now, file = Settling(QUIET, trust_ctime=True), NOW, _changed(age)
    waits = []
    for step in steps:
        waits.append(settling.wait_for("1.pdf", file, now))
        now = _later(waits[-1] or QUIET, now, set_by=step)
    assert min(waits) == 0
    assert max(waits) <= QUIET


def test_rechecks_grow_to_a_bound(local: Settling) -> None:
    """A file that is open for an hour is looked at ever less often, but at least every five seconds."""
    file, now, waits = _changed(60), NOW, []
    for _ in range(1200):
        assert local.hold("1.pdf", file, WRITING, now) == now.mono - NOW.mono == local.held_for("1.pdf", now)
        waits.append(local.wait_for("1.pdf", file, now))
        now = _later(waits[-1], now)
    assert waits[:6] == [pytest.approx(0.1 * 2**n) for n in range(6)]
    assert waits[6:] == [pytest.approx(LONGEST_RECHECK)] * 1194


def test_change_releases_a_hold(local: Settling) -> None:
    """A cut-off file that is written anew is looked at as soon as it is quiet, not when its patience is over."""
    local.hold("1.pdf", _changed(2), EMPTY, NOW)
    assert local.wait_for("1.pdf", _changed(2), NOW) == 7
    assert local.wait_for("1.pdf", _changed(0.5), NOW) == pytest.approx(0.5, abs=1e-6)
    assert local.on_hold("1.pdf") is None


def test_hint_releases_only_what_it_can_mend(local: Settling) -> None:
    """Closing a file sends it at once; other files, whose time is known, are not looked at for every hint."""
    local.hold("open.pdf", _changed(60), WRITING, NOW)
    local.hold("empty.pdf", _changed(60), EMPTY, NOW)
    local.hinted()
    assert local.wait_for("open.pdf", _changed(60), NOW) == 0
    assert local.wait_for("empty.pdf", _changed(60), NOW) == 7


def test_scans_forget_what_is_gone_and_nothing_else() -> None:
    """On a network share every look remembers the others; a file that left and came back starts anew."""
    share, file = Settling(QUIET, trust_ctime=False), _changed(60)
    share.hold("1.pdf", file, EMPTY, NOW)
    for second in range(3):
        share.begin_scan(_later(second))
        assert share.unchanged_for("1.pdf", file, _later(second)) == second
        assert share.wait_for("1.pdf", file, _later(second)) == 7 - second
        share.end_scan()
    share.begin_scan(_later(3))
    share.end_scan()
    assert share.on_hold("1.pdf") is None
    assert share.wait_for("1.pdf", file, _later(4)) == QUIET


def test_what_is_put_on_hold_in_the_midst_of_a_scan_stays_so(local: Settling) -> None:
    """A worker gives a file back while the folder is looked at: the end of that look does not forget why."""
    local.begin_scan(NOW)
    local.hold("1.pdf", _changed(60), EMPTY, NOW)
    local.end_scan()
    assert local.on_hold("1.pdf") == EMPTY


def test_held_for_tells_whether_waiting_can_help(local: Settling) -> None:
    """`run --once` waits for a file that is being written, and not for one that only a person can mend."""
    local.hold("1.pdf", _changed(60), WRITING, NOW)
    local.hold("fifo", _changed(60), HOPELESS, NOW)
    later = _later(3)
    assert [local.held_for(name, later) for name in ("1.pdf", "fifo", "other")] == [3, float("inf"), 0]
    local.hold("1.pdf", _changed(60), EMPTY, later)
    assert local.held_for("1.pdf", later) == 0


@dataclass
class _File:
    signature: Signature
    changed: float
    hold: tuple[Signature, float, bool] | None = field(default=None)


class SettlingMachine(RuleBasedStateMachine):
    """A folder, its files, and a clock that anyone may set."""

    names = st.sampled_from("abc")

    def __init__(self) -> None:
        super().__init__()
        self.settling = Settling(QUIET, trust_ctime=True)
        self.now = NOW
        self.files: dict[str, _File] = {}
        self.size = 0
        self.look()

    @rule(name=names)
    def write(self, name: str) -> None:
        """A program creates a file, or writes on."""
        self.size += 1
        signature = Signature(1, self.size, 0, int(self.now.wall * 1e9))
        hold = self.files[name].hold if name in self.files else None
        self.files[name] = _File(signature, self.now.mono, hold)

    @rule(name=names)
    def remove(self, name: str) -> None:
        """A clerk thinks better of it."""
        self.files.pop(name, None)

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 0.99, 1.0, 5.0, 30.0]), step=STEPS)
    def pass_time_and_look(self, seconds: float, step: float) -> None:
        """Somebody sets the clock between two looks."""
        self.now = _later(seconds, self.now, set_by=step)
        self.look()

    @rule()
    def look(self) -> None:
        """No file is ready early, none waits for longer than it must, and nothing is kept of what is gone."""
        self.settling.begin_scan(self.now)
        for name, file in self.files.items():
            wait = self.settling.wait_for(name, file.signature, self.now)
            held = self._held(file)
            assert wait >= held
            if wait == 0:
                assert self.now.mono - file.changed >= QUIET - 0.001, "ready before its time"
            assert wait <= max(held, LONGEST_RECHECK if file.hold and file.hold[2] else QUIET)
        self.settling.end_scan()
        for name, file in self.files.items():
            assert (self.settling.on_hold(name) is not None) == bool(file.hold)
        assert set(self.settling._holds) <= set(self.files), "what is gone is on hold"
        assert set(self.settling._observed) <= set(self.files), "what is gone is remembered"

    @rule(name=names, unready=st.sampled_from([WRITING, EMPTY]))
    def hold(self, name: str, unready: Unready) -> None:
        """A worker finds a file unfinished."""
        if name in self.files:
            file = self.files[name]
            self.settling.hold(name, file.signature, unready, self.now)
            end = self.now.mono + (0.1 if unready.wait is None else unready.wait)
            file.hold = (file.signature, end, unready.wait is None)

    @rule()
    def hint(self) -> None:
        """The kernel says that something has happened."""
        self.settling.hinted()
        for file in self.files.values():
            if file.hold and file.hold[2]:
                file.hold = (file.hold[0], 0.0, True)

    def _held(self, file: _File) -> float:
        """Give the seconds the hold lasts at least; a change ends it."""
        if file.hold and file.hold[0] != file.signature:
            file.hold = None
        return max(0.0, file.hold[1] - self.now.mono) if file.hold else 0.0


TestSettlingMachine = SettlingMachine.TestCase
TestSettlingMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
