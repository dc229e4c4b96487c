"""Whose turn it is among the files that are ready: oldest first, but nobody waits for all that others have piled up.

Two streams flow side by side, each of them oldest first. The *backlog* is what lay there when the program came to it:
at the start, after a pause, or in one large heap. *Newcomers* arrived behind it, and have every fourth place, so a file
that a clerk drops now does not wait for the ten thousand of last night (mail transfer agents let new mail pass old
mail in the same way), and three quarters of the places still make the backlog smaller. Within a stream the owners of
the files take turns, so that one who floods the folder holds up nobody but himself.

`Selection` is the same fairness for the memory: of more files than may be held, each owner's part of a stream
keeps its oldest. Guarantees: what is there is given out in the end, whatever else arrives; what one owner had there at
the start, or when a pause ends, goes in the order of arrival. Pure; raises nothing.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from invoice_watcher.schedule.beyond import Beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from invoice_watcher.schedule.task import Task
    from invoice_watcher.settling import Entry

_NEWCOMERS_EVERY = 4
_SLACK = 4  # a quarter more may be held before it is cut


class Selection:
    """What one scan found, cut down to what may be held, in fair shares."""

    def __init__(self, most: int, horizon_ns: int | None, lane_of: Callable[[str], str]) -> None:
        """Start empty.

        Args:
            most: how many files may be chosen, one of each part at least; while they are added, a few more are held.
            horizon_ns: what arrived later is a newcomer, nanoseconds since the epoch; None when nothing is.
            lane_of: says by a file's name which lane it stands in.
        """
        self._most = most
        self._horizon_ns = horizon_ns
        self.beyond = Beyond(lane_of)
        self._parts: defaultdict[tuple[bool, int], list[Entry]] = defaultdict(list)
        self._bars: dict[tuple[bool, int], Entry] = {}
        self._held = 0
        self.newest_ns: int | None = None

    def add(self, entry: Entry) -> None:
        """Take a file into account."""
        arrived = entry.changed_ns
        if self.newest_ns is None or arrived > self.newest_ns:
            self.newest_ns = arrived
        part = self._horizon_ns is not None and arrived > self._horizon_ns, entry.owner
        bar = self._bars.get(part)
        if bar is not None and bar < entry:  # a part's share only ever becomes smaller
            self.beyond.add([entry])
            return
        self._parts[part].append(entry)
        self._held += 1
        if self._held > self._most + self._most // _SLACK:
            self._cut()

    def see_again(self, names: Collection[str], entries: Iterable[Entry]) -> None:
        """Take the files of these names into account as they are by now: what arrived, or changed, during the scan."""
        for part, held in self._parts.items():
            self._parts[part] = kept = [one for one in held if one.name not in names]
            self._held -= len(held) - len(kept)
        for entry in entries:
            self.add(entry)

    def chosen(self) -> list[Entry]:
        """Return what may be held, in no particular order."""
        self._cut()
        return list(chain.from_iterable(self._parts.values()))

    def _cut(self) -> None:
        """Let every part keep an equal share, the oldest of it; what a short one does not need goes to the others.

        Each keeps one at least, so that the oldest of all, which overtakes nobody, is always held.
        """
        left = self._most
        by_length = sorted(self._parts, key=lambda part: len(self._parts[part]))
        for served, part in enumerate(by_length):
            share = max(1, left // (len(by_length) - served))
            held = self._parts[part]
            if len(held) > share:
                held.sort()
                self._bars[part] = held[share]
                self.beyond.add(held[share:])
                del held[share:]
            left -= len(held)
        self._held = self._most - left


class Turns:
    """The ready ones, in the order in which they are given out."""

    def __init__(self) -> None:
        """Start empty."""
        self._backlog = _Stream()
        self._newcomers = _Stream()
        self._places = 0
        self._newest_ns: int | None = None  # of all that the last scan found
        self.horizon_ns: int | None = None

    def __len__(self) -> int:
        return len(self._backlog) + len(self._newcomers)

    def __iter__(self) -> Iterator[Task]:
        return chain(self._backlog, self._newcomers)

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest of them arrived; None when there is none."""
        return min((stream.oldest_ns for stream in (self._backlog, self._newcomers) if len(stream)), default=None)

    def replace(self, tasks: Iterable[Task], newest_ns: int | None) -> None:
        """Hold these, which a scan found, instead of all others.

        Args:
            tasks: what may be held.
            newest_ns: when the newest of all that were found arrived, where more were found than may be held.
        """
        found = list(tasks)
        if newest_ns is None:
            newest_ns = max((task.arrived_ns for task in found), default=None)
        is_backlog_over = self.horizon_ns is None or all(task.arrived_ns > self.horizon_ns for task in found)
        if is_backlog_over:
            self.horizon_ns = newest_ns if self._newest_ns is None else self._newest_ns
        self._newest_ns = self._newest_ns if newest_ns is None else newest_ns
        self._hold(found)

    def begin_anew(self) -> None:
        """The queue flows again: all that is there now is backlog, to be served in its order."""
        self.horizon_ns = self._newest_ns
        self._hold(list(self))

    def add(self, task: Task) -> None:
        """Hold one more."""
        if self._newest_ns is not None:  # one that no scan has found yet counts as well
            self._newest_ns = max(self._newest_ns, task.arrived_ns)
        is_newcomer = self.horizon_ns is not None and task.arrived_ns > self.horizon_ns
        (self._newcomers if is_newcomer else self._backlog).add(task)

    def next(self) -> Task | None:
        """Take out whose turn it is; None when there is none. To be followed by `served` if it really had it."""
        is_theirs = self._places % _NEWCOMERS_EVERY == _NEWCOMERS_EVERY - 1
        first, second = (self._newcomers, self._backlog) if is_theirs else (self._backlog, self._newcomers)
        return first.next() or second.next()

    def served(self, task: Task) -> None:
        """It had its turn; the next one is another's."""
        self._places += 1
        for stream in (self._backlog, self._newcomers):
            stream.served(task.owner, self._places)

    def remove(self, task: Task) -> None:
        """Take out this one, if it is there."""
        self._backlog.remove(task)
        self._newcomers.remove(task)

    def _hold(self, tasks: list[Task]) -> None:
        self._backlog.clear()
        self._newcomers.clear()
        for task in tasks:
            self.add(task)


class _Stream:
    """Ready ones that are served oldest first, owner after owner."""

    def __init__(self) -> None:
        self._parts: dict[int, list[tuple[int, str, Task]]] = {}
        self._last: dict[int, int] = {}  # of each owner who ever was served, the place at which

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def __iter__(self) -> Iterator[Task]:
        return (task for part in self._parts.values() for _, _, task in part)

    @property
    def oldest_ns(self) -> int:
        return min(part[0][0] for part in self._parts.values())

    def add(self, task: Task) -> None:
        heapq.heappush(self._parts.setdefault(task.owner, []), (task.arrived_ns, task.invoice.name, task))

    def next(self) -> Task | None:
        if not self._parts:
            return None
        owner = min(self._parts, key=lambda one: (self._last.get(one, 0), self._parts[one][0][:2]))
        part = self._parts[owner]
        _, _, task = heapq.heappop(part)
        if not part:
            del self._parts[owner]
        return task

    def served(self, owner: int, place: int) -> None:
        self._last[owner] = place

    def remove(self, task: Task) -> None:
        part = [one for one in self._parts.pop(task.owner, ()) if one[2] is not task]
        if part:
            heapq.heapify(part)
            self._parts[task.owner] = part

    def clear(self) -> None:
        self._parts.clear()
