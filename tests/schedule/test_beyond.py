"""Files that are too many for the memory: none that is held overtakes an older one of its order that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.schedule import Schedule
from invoice_watcher.schedule.beyond import Beyond
from invoice_watcher.schedule.task import Task
from invoice_watcher.settling import Entry, Signature

if TYPE_CHECKING:
    from collections.abc import Iterable

ANNA, BOB = 1001, 1002

# When each of some files arrived (a clock may have stood before 1970), of which order it is, and who dropped it.
folders = st.lists(st.tuples(st.integers(-5, 30), st.sampled_from("12345"), st.sampled_from([ANNA, BOB])), max_size=40)


def lane_of(name: str) -> str:
    """Give the order that a name tells: what stands before the hyphen."""
    return name.partition("-")[0]


def entries(found: Iterable[tuple[int, str, int]]) -> list[Entry]:
    """Give a folder as a scan sees it; no two files arrived at the same moment."""
    return [
        Entry(100 * arrived + number, f"{order}-{number}.pdf", owner, Signature(number, 1, 1, 100 * arrived + number))
        for number, (arrived, order, owner) in enumerate(found)
    ]


def task(entry: Entry) -> Task:
    """Give the task for a file."""
    order = OrderId(lane_of(entry.name))
    return Task(Invoice(entry.name, order, Kind.PDF), entry.changed_ns, entry.signature, owner=entry.owner)


@given(left_out=folders, held=folders)
def test_none_overtakes(left_out: list[tuple[int, str, int]], held: list[tuple[int, str, int]]) -> None:
    """Whoever has an older one of its order left out is left out as well, for whoever comes next, and nobody else."""
    everything = entries([*left_out, *held])
    out, offered = everything[: len(left_out)], [task(one) for one in everything[len(left_out) :]]
    beyond = Beyond(lane_of)
    beyond.add(out)
    kept = beyond.keep_back(offered)
    for one in offered:
        older = [other for other in out if lane_of(other.name) == one.invoice.lane and other < (one.arrived_ns,)]
        assert (one in kept) == (not older)
    assert len(beyond) + len(kept) == len(everything)
    assert beyond.keep_back(one for one in offered if one not in kept) == []
    assert len(beyond) + len(kept) == len(everything), "who is kept back twice is counted once"


@given(first=folders, second=folders, most=st.integers(4, 20))
def test_the_oldest_of_an_order_goes_first_however_little_is_held(
    first: list[tuple[int, str, int]], second: list[tuple[int, str, int]], most: int
) -> None:
    """A folder far beyond the memory is delivered in whole, each order by age, whoever drops what, and when."""
    waiting, schedule, sent = entries(first), Schedule(), list[Task]()
    while waiting:
        selection = schedule.selection(most, lane_of)
        for one in waiting:
            selection.add(one)
        offered = selection.beyond.keep_back(map(task, selection.chosen()))
        schedule.offer(offered, selection.newest_ns)
        begun = [found for _ in range(max(1, most // 2)) if (found := _sent(schedule))]
        assert begun, "there is always one that may go"
        sent += begun
        names = {one.invoice.name for one in begun}
        waiting = [one for one in waiting if one.name not in names]
        if second:  # newcomers, younger than all
            late = [(1000 + arrived, order, owner) for arrived, order, owner in second]
            waiting, second = waiting + entries([*first, *late])[len(first) :], []
    for order in "12345":
        mine = [one.arrived_ns for one in sent if one.invoice.lane == order]
        assert mine == sorted(mine)


def _sent(schedule: Schedule) -> Task | None:
    if (found := schedule.next(0.0)) is not None:
        schedule.finished(found)
    return found
