"""When is a dropped file ready to be looked into? Quiet for long enough, and not on hold.

The scan shows each file as it is; this module says how long it still has to wait. On a local file system a file
is quiet when its `ctime` lies `quiet` seconds back: nothing has to be remembered, so a backlog found at the start
is ready at once. Where the clocks of server and client may differ (network file systems), where a `ctime` lies in the
future, or where this machine's clock was set just now, only what was *observed* counts: unchanged between two looks. So
setting the clock, to wherever, neither hurries a file along nor keeps it back.

A file that a worker found unfinished (open for writing, cut off, a second hard link) is put on hold, for as long
as its signature stays the same. Pure but for its own memory: time is an argument. Raises nothing.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from invoice_watcher.record import MutableRecord, Record

LONGEST_RECHECK = 5.0
_FIRST_RECHECK = 0.1
# Seconds by which the wall clock may part from the monotonic one between two looks. The kernel slews both alike, and
# what is stepped is stepped by more (ntpd: 0.128 s); two readings one after the other are not that far apart.
_CLOCK_SET = 0.1


class Signature(NamedTuple):
    """What changes when a file changes: stat(2)'s own fields, times in nanoseconds."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Entry(NamedTuple):
    """One name in the drop folder, as a scan saw it; ordered by age, then by name.

    Attributes:
        changed_ns: when its file last changed, nanoseconds since the epoch; now, where the disk does not tell.
        owner: the user id of who owns it.
        regular: false for folders, links, and the like.
    """

    changed_ns: int
    name: str
    owner: int
    signature: Signature
    regular: bool = True


class Clock(NamedTuple):
    """One moment on both clocks, in seconds: monotonic for waiting, wall for comparing with file times."""

    mono: float
    wall: float


class Unready(Record, frozen=True):
    """Why a worker left a file in the drop folder, and when to look again.

    Attributes:
        reason: a phrase for people: "is still open for writing".
        wait: seconds until the next look; None for a growing interval, because only looking can tell.
        needs_person: the file cannot become an invoice by waiting; a person has to act.
        then: what becomes of the document after `wait`, if its bytes stay as they are; None where that is unknown.
    """

    reason: str
    wait: float | None = None
    needs_person: bool = False
    then: Literal["rejected", "sent"] | None = None


GONE = Unready("is gone")


class _Hold(MutableRecord):
    signature: Signature
    until: float
    since: float
    looks: int
    unready: Unready
    scan: int


class Settling:
    """Which files are quiet, and which are on hold."""

    def __init__(self, quiet: float, *, trust_ctime: bool) -> None:
        """Start with no memory.

        Args:
            quiet: seconds a file must be unchanged.
            trust_ctime: the file times come from this machine's own clock.
        """
        self._quiet = quiet
        self._trust_ctime = trust_ctime
        self._observed: dict[str, tuple[Signature, float]] = {}
        self._holds: dict[str, _Hold] = {}
        self._unseen: set[str] = set()
        self._scan = 0
        self._ahead: float | None = None
        self._set_at = float("-inf")
        self._told: Clock | None = None

    def begin_scan(self, now: Clock) -> None:
        """A full scan begins: `end_scan` will forget what it did not ask about."""
        self._steady_for(now)  # the clock may be set before there is any file to ask about
        self._scan += 1
        self._unseen = set(self._observed)

    def end_scan(self) -> None:
        """A full scan has ended: what was not asked about is gone from the folder."""
        self._holds = {name: hold for name, hold in self._holds.items() if hold.scan == self._scan}
        for name in self._unseen:
            del self._observed[name]

    def wait_for(self, name: str, signature: Signature, now: Clock) -> float:
        """Return the seconds that the file still has to wait; 0 when it is ready."""
        if name not in self._observed and name not in self._holds and self._age_by_ctime(signature, now) >= self._quiet:
            return 0.0  # as below, only sooner: so it is for all of a large backlog
        hold = self._holds.get(name)
        if hold and hold.signature != signature:
            del self._holds[name]
            hold = None
        if hold:
            hold.scan = self._scan
        held = hold.until - now.mono if hold else 0.0
        return max(held, self._quiet - self.unchanged_for(name, signature, now), 0.0)

    def unchanged_for(self, name: str, signature: Signature, now: Clock) -> float:
        """Return the seconds since the file last changed, as far as can be known."""
        self._unseen.discard(name)
        age = self._age_by_ctime(signature, now)
        seen, since = self._observed.get(name, (None, now.mono))
        if seen != signature:
            since = now.mono
        if age >= now.mono - since:
            self._observed.pop(name, None)
            return age
        self._observed[name] = (signature, since)
        return now.mono - since

    def hold(self, name: str, signature: Signature, unready: Unready, now: Clock) -> float:
        """Put a file on hold as a worker found it; return since how many seconds it is held for this reason."""
        before = self._holds.get(name)
        same = before if before and before.unready.reason == unready.reason else None
        looks = same.looks + 1 if same else 0
        wait = min(_FIRST_RECHECK * 2**looks, LONGEST_RECHECK) if unready.wait is None else unready.wait
        since = same.since if same else now.mono
        self._holds[name] = _Hold(signature, now.mono + wait, since, min(looks, 16), unready, self._scan)
        return now.mono - since

    def hinted(self) -> None:
        """Let every file whose end only a look can tell be looked at again: something has happened."""
        for hold in self._holds.values():
            if hold.unready.wait is None:
                hold.until = 0.0

    def held_for(self, name: str, now: Clock) -> float:
        """Return since how many seconds the file is on hold for the same reason; infinite if only a person can help."""
        hold = self._holds.get(name)
        if hold is None:
            return 0.0
        return float("inf") if hold.unready.needs_person else now.mono - hold.since

    def _age_by_ctime(self, signature: Signature, now: Clock) -> float:
        """Seconds since the `ctime`, but no more than since the clock was last set; negative when that is unknown."""
        steady = self._steady_for(now)
        if not self._trust_ctime or steady < self._quiet:
            return -1.0
        return min(now.wall - signature.ctime_ns / 1e9, steady)

    def _steady_for(self, now: Clock) -> float:
        """Seconds since the clock was last set, as far as this module was told the time."""
        if now is self._told:
            return now.mono - self._set_at
        self._told = now
        ahead = now.wall - now.mono
        if self._ahead is not None and abs(ahead - self._ahead) > _CLOCK_SET:
            self._set_at = now.mono
        self._ahead = ahead
        return now.mono - self._set_at

    def on_hold(self, name: str) -> Unready | None:
        """Return why the file is on hold; None when it is not."""
        hold = self._holds.get(name)
        return hold.unready if hold else None
