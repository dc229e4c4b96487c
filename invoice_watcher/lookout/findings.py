"""What was found that is not ready, and why: counted by each look, remembered up to a bound.

Guarantees: what a look comes by is counted in full; what becomes known between two looks is never counted twice.
Values; raises nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from invoice_watcher.record import MutableRecord, field
from invoice_watcher.standing import MOST_NAMED

_MOST_UNFINISHED = 1000


class Unfinished(NamedTuple):
    """A file that is not ready.

    Attributes:
        changed_ns: when it last changed, as `Entry` has it.
        size: bytes.
        text: why, a phrase that goes on after its name.
        again_at: when it is looked at again, monotonic seconds; None when only what happens in the folder tells.
        hopeful: it may still become ready before patience runs out.
    """

    name: str
    changed_ns: int
    size: int
    text: str
    again_at: float | None = None
    hopeful: bool = False


class Findings(MutableRecord):
    """What is not ready.

    Attributes:
        more: how many files.
        hopeful: how many of these may still become ready before patience runs out.
        oldest_ns: when the one of these that is longest unchanged changed, nanoseconds since the epoch.
        unfinished: the first of these, by name.
        left_alone: names of what is no regular file; the first of them.
        in_hand: names under which workers took a file, or had one, while it was looked at: what lies there by now, if
            anything, only another look can tell.
    """

    more: int = 0
    hopeful: int = 0
    oldest_ns: int | None = None
    unfinished: dict[str, Unfinished] = field(default_factory=dict)
    left_alone: list[str] = field(default_factory=list)
    in_hand: set[str] = field(default_factory=set)

    def add(self, found: Unfinished, *, may_be_counted: bool = False) -> None:
        """Take a file into account, in place of what is remembered of it.

        Args:
            found: what there is to know of it.
            may_be_counted: it may have been counted without being remembered; where that cannot be known, it is not
                counted anew before the next look, for rather too few are told than more than there are.
        """
        is_remembered = found.name in self.unfinished
        all_are_remembered = self.more == len(self.unfinished) < _MOST_UNFINISHED
        self.forget(found.name)
        if may_be_counted and not (is_remembered or all_are_remembered):
            return
        self.more += 1
        self.hopeful += found.hopeful
        if len(self.unfinished) < _MOST_UNFINISHED:
            self.unfinished[found.name] = found
        self.oldest_ns = found.changed_ns if self.oldest_ns is None else min(self.oldest_ns, found.changed_ns)

    def forget(self, name: str) -> None:
        """Take a remembered file out of account; when the oldest changed is only known anew after the next look."""
        self.in_hand.discard(name)
        if found := self.unfinished.pop(name, None):
            self.more -= 1
            self.hopeful -= found.hopeful
        if not self.more:
            self.oldest_ns = None

    def add_in_hand(self, name: str) -> None:
        """Take into account what a worker has, or had a moment ago."""
        self.forget(name)
        self.in_hand.add(name)

    def add_strange(self, name: str) -> None:
        """Take into account what is no regular file."""
        self.forget(name)
        if len(self.left_alone) < MOST_NAMED and name not in self.left_alone:
            self.left_alone.append(name)
