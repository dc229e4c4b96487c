"""What was under way when the program died: sent alone, so that the next death tells whose fault it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoice_watcher.ending import Fit, NotReady, Waiting
from invoice_watcher.outcome import Fault, Rejected
from invoice_watcher.queue.suspects import MOST_CRASHES
from invoice_watcher.settling import Signature
from tests.support.world import DAY, DELIVERED, RULES, WRITING, World, all_but, failure, task_of

if TYPE_CHECKING:
    from invoice_watcher.outcome import Deferred
    from invoice_watcher.schedule import Task


def died(world: World, order: str, crashes: int = 1) -> Task:
    """Let the program have died while it sent a file of this order, so many times in a row."""
    task = task_of(order, len(world.calls) + crashes, claimed=True)
    task.crashes, task.in_doubt = crashes, True
    world.queue.resume(task, died=True)
    return task


def poison(world: World) -> list[str]:
    """Give the orders whose file was put aside as poison."""
    return [
        order
        for order, outcome in world.filed.items()
        if isinstance(outcome, Rejected) and outcome.problem.reason == "poison"
    ]


def test_suspects_are_sent_alone_and_before_all_else() -> None:
    """After a crash with several uploads under way, each is sent with nothing beside it; then the others flow."""
    world = World(all_but({}))
    for order in ("a", "b", "c"):
        died(world, order)
    world.drop("x", "y", "z")
    for order in ("a", "b", "c"):
        task = world.queue.next(world.now)
        assert task is not None
        assert task.invoice.lane == order
        assert world.queue.next(world.now) is None, "something goes beside a suspect"
        world._start(task)
        _, _, ended, report = world._ends.pop()
        world.queue.report(ended, report, world.now, 0.5)
    world.run(60)
    assert set(world.filed) == set("abcxyz")
    assert poison(world) == []
    assert world.queue.waiting == 0


def test_poison_that_is_all_there_is_is_put_aside() -> None:
    """Three deaths over the only document there is: it is not sent a fourth time."""
    world = World(all_but({}))
    died(world, "bad", MOST_CRASHES)
    world.run(1)
    assert poison(world) == ["bad"]
    assert world.calls == []


def test_poison_waits_for_files_that_were_not_offered_yet() -> None:
    """The drop folder was not seen to its end, or a file in it settles: that one may show whether the API is there."""
    world = World(all_but({}))
    died(world, "bad", MOST_CRASHES)
    assert world.queue.next(0, expects_more=True) is None
    world.drop("1")
    task = world.queue.next(1)
    assert task is not None
    assert task.invoice.lane == "1"
    world.queue.report(task, NotReady(WRITING), 2, 0.5)
    world.queue.schedule.offer([])
    assert world.queue.next(2, expects_more=True) is None, "judged though that one was not sent"
    condemned = world.queue.next(3)
    assert condemned is not None
    assert condemned.invoice.lane == "bad", "nothing else is there any more"
    assert condemned.decision is not None


def test_poison_waits_until_the_api_is_known_to_be_there() -> None:
    """Killed three times while it hung on an API that is away: the document stays until another one is answered."""
    world = World(lambda _, now: failure(reached=False) if now < DAY else DELIVERED)
    died(world, "bad", MOST_CRASHES)
    world.drop("1", "2")
    world.run(DAY)
    assert world.filed == {}
    assert world.queue.waiting == 3
    world.run(2 * DAY)
    assert set(world.filed) == {"bad", "1", "2"}
    assert poison(world) == ["bad"]
    assert world.calls_of("bad") == []


@pytest.mark.parametrize("fault", [failure(reached=False), failure()])
def test_a_suspect_that_meets_an_outage_waits_like_any_other(fault: Deferred) -> None:
    """The API is away after a crash: suspects become probes as they are due, nothing is rejected, all go in the end."""
    world = World(lambda _, now: fault if now < DAY else DELIVERED)
    for order in "abcde":
        died(world, order)
    world.drop("x")
    world.run(DAY)
    assert world.filed == {}
    (third, _), (fourth, _), (fifth, _) = world.calls[2:5]
    assert fifth - fourth > fourth - third >= RULES.initial, "probes become rarer"
    world.run(2 * DAY)
    assert set(world.filed) == set("abcdex")
    assert poison(world) == []


def test_a_suspect_is_not_sent_beside_a_file_that_is_looked_at() -> None:
    """Should the program die over it, only the suspect may be to blame: a look that is under way is waited for."""
    queue = World(all_but({})).queue
    for order in (1, 2):
        queue.resume(task_of(str(order), order, claimed=True), died=True)
    first = queue.next(0)
    assert first is not None
    queue.report(first, Waiting(failure(Fault.OPERATOR)), 0, 0.5)
    dropped = task_of("3", 3)
    dropped.signature = Signature(1, 1, 1, 1)
    queue.schedule.offer([dropped])
    assert queue.next(1) is dropped
    assert queue.next(1000) is None
    queue.report(dropped, Fit(), 1000, 0.5)
    second = queue.next(1000)
    assert second is not None
    assert second.invoice.lane == "2"
