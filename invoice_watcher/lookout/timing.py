"""When the next look at all of the folder is due, and when a glance: what is wanted, and how long the last one rests.

A look is due once each rescan; sooner for a hint, for a name that is worth it, and when there is room for files that
were too many. It rests twice as long as the last one took, so that a storm of hints costs a bounded share of the
processor. Where a look takes long, a glance goes first, for it has seen what the hint was about; then the look that has
to follow rests twenty times as long. Moments are monotonic seconds, and arguments; what something took is told in
seconds of the processor. Asks nothing but which file system a folder lies on (`is_polled`); raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.lookout.wanted import NEVER
from invoice_watcher.mounts import is_local
from invoice_watcher.pacing import LONG, REST

if TYPE_CHECKING:
    from pathlib import Path

    from invoice_watcher.config import Settle
    from invoice_watcher.lookout.wanted import Wanted

# Times what the last look took, before a hint brings the next one. Where that was LONG, a glance at single names is
# worth its while; once it has seen what the hint was about, the look has a REST.
_SHORT_REST = 2.0
_BUSY_REST = 1.0  # seconds, while there is enough to do
_BUSY_GLANCE = 0.25  # seconds from one glance to the next, likewise


def is_polled(settle: Settle, folder: Path) -> bool:
    """Tell whether the folder is looked at by the clock alone: so it was asked for, or the kernel has no hints."""
    return settle.mode == "polling" or (settle.mode == "auto" and not is_local(folder))


class Timing:
    """The moments of one folder's looks and glances."""

    def __init__(self, wanted: Wanted, rescan: float) -> None:
        """Nothing was looked at yet.

        Args:
            wanted: what is worth a look, and when.
            rescan: seconds between two looks at all of the folder, at most.
        """
        self._wanted, self._rescan = wanted, rescan
        self._hinted_at = NEVER  # the first time since the last look at all of the folder began
        self._began = self._look_took = 0.0
        self._glanced_at = self._glance_took = 0.0
        self.looked_at = 0.0  # until when the last look went on, or goes on so far

    def hinted(self, now: float) -> None:
        """Something happened, at known names; all of the folder is to be looked at as well, in its own time."""
        self._hinted_at = min(self._hinted_at, now)

    def began(self, now: float) -> None:
        """A look at all of the folder begins, which sees whatever was wanted."""
        self._began, self._hinted_at = now, NEVER
        self._wanted.clear()

    def looked(self, now: float, took: float) -> None:
        """It went on until now, and has taken this by now."""
        self.looked_at, self._look_took = now, took

    def glanced(self, now: float, took: float) -> None:
        """A glance has ended now."""
        self._glanced_at, self._glance_took = now, took

    def due_at(self, *, busy: bool, crowded: bool) -> float:
        """Return when to look or to glance.

        Args:
            busy: there is more to do than workers.
            crowded: there are ready files that were too many for the memory.
        """
        look = self._look_due_at(busy=busy, crowded=crowded)
        return min(look, self.glance_due_at(busy=busy, crowded=crowded))

    def glance_due_at(self, *, busy: bool, crowded: bool) -> float:
        """Return when to glance; not once all of the folder is wanted, for a file that nobody named may be older."""
        if self._look_took < LONG:
            return NEVER
        rested = self._glanced_at + max(_SHORT_REST * self._glance_took, _BUSY_GLANCE if busy else 0.0)
        due = max(self._wanted.next_at, rested)
        return due if due < min(self._wanted.all_at, self._look_due_at(busy=busy, crowded=crowded)) else NEVER

    def _look_due_at(self, *, busy: bool, crowded: bool) -> float:
        wanted = min(self._began + self._rescan, self._wanted.all_at)
        if crowded and not busy:
            wanted = self._began
        if self._look_took < LONG:
            wanted = min(wanted, self._hinted_at, self._wanted.next_at)
        else:  # the glance goes first
            rested = self.looked_at + REST * self._look_took
            wanted = min(wanted, max(self._hinted_at + _SHORT_REST * self._look_took, rested))
        return max(wanted, self.looked_at + max(_SHORT_REST * self._look_took, _BUSY_REST if busy else 0.0))
