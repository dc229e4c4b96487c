"""Whose turn it is: new files behind a backlog, owners beside one who floods the folder, and what the memory keeps."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.schedule.task import Task
from invoice_watcher.schedule.turns import Selection, Turns
from invoice_watcher.settling import Entry, Signature

ANNA, BOB, CARL = 1001, 1002, 1003

owners = st.sampled_from([ANNA, BOB, CARL])
arrivals = st.lists(st.tuples(st.integers(0, 50), owners), max_size=60)
_serial = count()


def task(arrived: int, owner: int = ANNA) -> Task:
    """Give a file that arrived at a moment."""
    order = str(next(_serial))
    return Task(Invoice(f"{order}.pdf", OrderId(order), Kind.PDF), arrived, owner=owner)


def tasks(found: list[tuple[int, int]]) -> list[Task]:
    """Give the files of a list of arrivals and owners."""
    return [task(arrived, owner) for arrived, owner in found]


def entries(found: list[tuple[int, int]]) -> list[Entry]:
    """Give them as a scan sees them."""
    return [
        Entry(arrived, str(number), owner, Signature(1, 1, 1, arrived)) for number, (arrived, owner) in enumerate(found)
    ]


def given_out(turns: Turns, most: int | None = None) -> list[Task]:
    """Take out so many, each of which has its turn."""

    def one() -> Task | None:
        if (found := turns.next()) is not None:
            turns.served(found)
        return found

    return list(islice(iter(one, None), most))


def at_start(*found: Task) -> Turns:
    """Give the turns of a program that finds these at its first look."""
    turns = Turns()
    turns.replace(found, None)
    return turns


@given(first=arrivals, second=arrivals)
def test_everything_is_given_out_once(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    """Whatever arrives when, and whoever drops it, nothing is left and nothing goes twice."""
    turns, earlier = at_start(), tasks(first)
    turns.replace(earlier, None)
    begun = given_out(turns, len(earlier) // 2)
    left = [one for one in earlier if one not in begun]
    everything = left + tasks(second)
    turns.replace(everything, None)
    assert len(turns) == len(everything)
    assert Counter(map(id, given_out(turns))) == Counter(map(id, everything))


@given(found=arrivals)
def test_what_lies_there_at_the_start_goes_in_its_order(found: list[tuple[int, int]]) -> None:
    """Of each owner the oldest goes first; where all belong to one, that is the order of all."""
    out = given_out(at_start(*tasks(found)))
    for owner in (ANNA, BOB, CARL):
        ages = [one.arrived_ns for one in out if one.owner == owner]
        assert ages == sorted(ages)


@given(found=arrivals)
def test_owners_take_turns(found: list[tuple[int, int]]) -> None:
    """While several have something there, none has a second turn before each has had one."""
    out = [one.owner for one in given_out(at_start(*tasks(found)))]
    left, had = Counter(out), Counter[int]()
    for owner in out:
        assert all(had[owner] <= had[other] for other in left if left[other])
        had[owner] += 1
        left[owner] -= 1


def test_a_new_file_passes_a_backlog() -> None:
    """A clerk's file of today goes out within four places, though ten thousand lie there since last night."""
    old = [task(number) for number in range(10_000)]
    turns, new = at_start(*old), task(20_000)
    assert given_out(turns, 100) == old[:100]
    turns.replace([*old[100:], new], None)
    assert new in given_out(turns, 4)
    assert given_out(turns) == old[103:]


def test_new_files_do_not_hold_up_the_backlog() -> None:
    """However many arrive behind it, three of four places are the backlog's, and both go in their order."""
    old, new = [task(number) for number in range(300)], [task(1000 + number) for number in range(300)]
    turns = at_start(*old)
    turns.replace(old + new, None)
    out = given_out(turns, 400)
    assert [one for one in out if one.arrived_ns < 1000] == old
    assert [one for one in out if one.arrived_ns >= 1000] == new[:100]


def test_a_new_file_stays_new_until_the_backlog_is_done() -> None:
    """It does not fall behind the backlog again because the folder is looked at once more before it had its turn."""
    old, new, newer = [task(number) for number in range(100)], task(1000), task(2000)
    turns = at_start(*old)
    turns.replace([*old, new], None)
    turns.replace([*old, new, newer], None)
    assert given_out(turns, 8)[3::4] == [new, newer]


def test_a_flood_is_a_backlog_for_who_comes_after_it() -> None:
    """Half a million exported at noon are a backlog, as well as those that lay there at the start."""
    turns, flood, new = at_start(task(1)), [task(10 + number) for number in range(500)], task(5000)
    given_out(turns)
    turns.replace(flood, None)
    given_out(turns, 100)
    turns.replace([*flood[100:], new], None)
    assert new in given_out(turns, 4)


def test_after_a_pause_all_go_in_their_order() -> None:
    """What arrived during a pause is served as it came: the last hour's files do not pass the first hour's."""
    turns, arrived = at_start(task(0)), [task(number) for number in range(1, 40)]
    for seen in range(1, 40):
        turns.replace(arrived[:seen], None)
    turns.begin_anew()
    assert given_out(turns) == arrived


def test_what_arrives_after_a_pause_passes_what_lay_there() -> None:
    """A clerk's file that is found between two looks goes out within four places, as ever."""
    turns, new = at_start(*(task(number) for number in range(100))), task(1000)
    turns.begin_anew()
    turns.add(new)
    assert new in given_out(turns, 4)


def test_who_waits_for_another_file_of_its_order_loses_no_turn() -> None:
    """What was taken out but could not be sent is no turn: its owner is next again."""
    turns, anna, bob = at_start(), task(1, ANNA), task(2, BOB)
    later = task(3, ANNA)
    turns.replace([anna, bob, later], None)
    assert turns.next() is anna
    assert given_out(turns, 1) == [bob]
    assert given_out(turns) == [later]


def test_one_can_be_taken_away() -> None:
    """A file that turned out to lie elsewhere is not given out, and taking it away twice does no harm."""
    one, other = task(1), task(2)
    turns = at_start(one, other)
    turns.remove(one)
    turns.remove(one)
    assert turns.oldest_ns == 2
    assert given_out(turns) == [other]
    assert turns.oldest_ns is None


@given(found=arrivals, most=st.integers(6, 40), horizon=st.none() | st.integers(0, 50))
def test_each_part_keeps_its_oldest(found: list[tuple[int, int]], most: int, horizon: int | None) -> None:
    """Of more files than the memory may hold, those of one owner are forgotten, the youngest, and not the others'."""
    selection = Selection(most, horizon, str)
    parts = defaultdict(list)
    for added, one in enumerate(entries(found), 1):
        selection.add(one)
        assert added - len(selection.beyond) <= most + most // 4, "more is held than may be"
        parts[horizon is not None and one.changed_ns > horizon, one.owner].append(one)
    chosen = selection.chosen()
    assert len(chosen) == min(most, len(found))
    assert len(chosen) + len(selection.beyond) == len(found)
    assert selection.newest_ns == max((arrived for arrived, _ in found), default=None)
    for part in parts.values():
        kept = sorted(set(chosen) & set(part))
        assert kept == sorted(part)[: len(kept)]
        assert len(kept) >= min(len(part), most // len(parts))


@given(found=arrivals, arrived=arrivals, most=st.integers(6, 40), again=st.sets(st.integers(0, 59)))
def test_what_changed_during_a_look_is_held_once(
    found: list[tuple[int, int]], arrived: list[tuple[int, int]], most: int, again: set[int]
) -> None:
    """A file that was written anew before the look was over counts once, as it is by now, beside those that arrived."""
    selection, seen = Selection(most, None, str), entries(found)
    for one in seen:
        selection.add(one)
    old = {one for one in seen if int(one.name) in again}
    new = [one._replace(name=f"new {one.name}") for one in entries(arrived)]
    by_now = [*(one._replace(changed_ns=100) for one in old), *new]
    selection.see_again({one.name for one in by_now}, by_now)
    assert sum(map(len, selection._parts.values())) <= most + most // 4, "more is held than may be"
    chosen, there = selection.chosen(), {*seen, *by_now} - old
    assert len(set(chosen)) == len(chosen) <= most
    assert there.issuperset(chosen)
    assert len(there) > most or len(chosen) == len(there)


def test_what_was_seen_between_two_scans_is_backlog_when_a_pause_ends() -> None:
    """After an outage what lies there goes by age, whether a scan or a glance has found it first."""
    turns = at_start(*(early := [task(1), task(2)]))
    late = [task(moment) for moment in (10, 11, 12, 13)]
    for one in late:
        turns.add(one)
    turns.begin_anew()
    assert given_out(turns) == [*early, *late]
