"""What becomes of all that waits, over simulated hours and days: outages, bad files, wrong keys, full disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoice_watcher.backoff import RetryRules
from invoice_watcher.ending import Filed, Fit, Held, NotReady, Waiting
from invoice_watcher.outcome import API_CODES, ApiCode, Fault, Outcome, Rejected
from invoice_watcher.queue import Queue
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.settling import GONE, Signature, Unready
from tests.support.world import (
    DAY,
    DELIVERED,
    HOUR,
    LARGEST,
    RULES,
    WORKERS,
    WRITING,
    World,
    all_but,
    failure,
    rejected,
    task_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("max_attempts", [1, 2, 10])
@pytest.mark.parametrize("before", [(), ("x", "y", "z")])
def test_lone_failing_file_is_kept(before: tuple[str, ...], max_attempts: int) -> None:
    """With nothing to compare with, an invoice is tried for a week and kept, whatever went through before it came."""
    world = World(all_but({"1": failure()}), rules=RetryRules(2, 300, max_attempts))
    world.drop(*before)
    world.run(60)
    world.drop("1")
    world.run(7 * DAY)
    assert "1" not in world.filed
    assert 2000 < len(world.calls_of("1")) < 8000


@pytest.mark.parametrize(("max_attempts", "fewest"), [(1, 2), (2, 2), (10, 10)])
def test_file_that_alone_keeps_failing_is_put_aside(max_attempts: int, fewest: int) -> None:
    """A document that chokes the API goes to the failed folder after `retry.max_attempts`, once others go through."""
    world = World(all_but({"bad": failure()}), rules=RetryRules(2, 300, max_attempts))
    world.drop("bad")
    world.run(DAY)
    others = 0
    while "bad" not in world.filed:
        others += 1
        world.drop(f"good {others}")
        world.run(DAY + others * HOUR)
    assert others == fewest
    bad = world.filed["bad"]
    assert isinstance(bad, Rejected)
    assert bad.problem.message == f"message (tried {len(world.calls_of('bad'))} times)"
    assert bad.problem.reason == "keeps_failing"


@pytest.mark.parametrize("max_attempts", [1, 2, 10])
def test_as_many_attempts_as_configured(max_attempts: int) -> None:
    """Others go through before each attempt: the last one allowed is the last one made. One alone shows nothing."""
    world = World(all_but({"bad": failure()}), rules=RetryRules(2, 2, max_attempts))
    world.drop("good")
    world.run(60)
    world.drop("bad")
    for number in range(60):
        world.run(world.now + 1)
        world.drop(f"good {number}")
    assert len(world.calls_of("bad")) == max(max_attempts, 2)
    assert "bad" in world.filed


@pytest.mark.parametrize("retry_after", [None, 600.0])
def test_link_that_cannot_be_fetched_is_tried_three_times(retry_after: float | None) -> None:
    """A link to a document that is not there (105) is put aside after three attempts, even with nothing else to do."""
    world = World(all_but({"1": failure(retry_after=retry_after, code=105)}))
    world.drop("1")
    world.run(HOUR)
    first, second, third = world.calls_of("1")
    assert min(second - first, third - second) >= (retry_after or RULES.initial)
    assert world.last_filed < third + 1
    outcome = world.filed["1"]
    assert isinstance(outcome, Rejected)
    assert outcome.problem.code == 105
    assert world.queue.waiting == 0


@pytest.mark.parametrize("tries", [2, 5])
def test_a_new_code_about_single_documents_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    """Its row says how often: each document that is answered so is tried as often, and none pauses the queue."""
    monkeypatch.setitem(API_CODES, 111, ApiCode("page_locked", "Page is locked", Fault.WORLD, tries))
    world = World(all_but({order: failure(code=111) for order in "abc"}))
    world.drop(*"abc")
    world.run(60)
    world.drop("good")
    world.run(HOUR)
    assert world.calls_of("good") == [60]
    assert {order: len(world.calls_of(order)) for order in "abc"} == dict.fromkeys("abc", tries)
    assert set(world.filed) == {*"abc", "good"}


def test_a_new_code_that_any_document_may_meet_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row without a number of tries: three orders in a row that are answered so pause the queue, none is given up."""
    monkeypatch.setitem(API_CODES, 111, ApiCode("stock_taking", "Closed for stock-taking", Fault.WORLD))
    world = World(lambda _task, now: DELIVERED if now >= HOUR else failure(code=111))
    world.drop(*"abcdefgh")
    world.run(HOUR)
    assert world.queue.pause is not None
    assert world.filed == {}
    world.run(2 * HOUR)
    assert len(world.filed) == 8


def test_a_redirect_that_quotes_a_code_stays_the_operators_fault() -> None:
    """Whoever answers in the API's place may say 105: the queue pauses for the redirect, and nothing is put aside."""
    world = World(all_but({"1": failure(Fault.OPERATOR, code=105)}))
    world.drop("1")
    world.run(HOUR)
    assert world.queue.pause is not None
    assert world.filed == {}


@pytest.mark.parametrize(("reached", "most"), [(False, WORKERS), (True, 2 * WORKERS)])
def test_api_away_for_a_day(reached: bool, most: int) -> None:  # noqa: FBT001 - a parameter
    """In an outage with 1,000 invoices: few probes, nothing judged, files stay in sight; afterwards all go at once."""
    world = World(lambda _task, now: DELIVERED if now >= DAY else failure(reached=reached), takes=10)
    world.drop(*(str(order) for order in range(1000)))
    world.run(DAY)
    probes = [moment for moment, _ in world.calls if moment >= 600]
    assert all(sum(begin <= moment < begin + HOUR for moment in probes) <= 20 for begin in probes)
    assert len(probes) > 200
    assert world.claimed() <= most
    assert not world.filed
    assert all(task.strikes == 0 and task.decision is None for task in world.queue.schedule.claimed())
    world.takes = 0.1
    world.run(DAY + 330)
    assert set(world.filed.values()) == {DELIVERED}
    assert len(world.filed) == 1000
    back = next(moment for moment, _ in world.calls if moment >= DAY)
    assert world.calls[-1][0] < back + 40


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("outage", [0, HOUR])
@pytest.mark.parametrize(
    "bad", [failure(), failure(retry_after=5), failure(Fault.OPERATOR), failure(Fault.OURS, reached=False), WRITING]
)
def test_bad_file_never_keeps_the_gate_closed(bad: Outcome | Unready, outage: float, workers: int) -> None:
    """Everyone's invoices go through, after an outage too, even if the one that is probed fails by itself."""

    def api(task: Task, now: float) -> Outcome | Unready:
        if task.invoice.lane == "bad":
            return bad
        return DELIVERED if now >= outage else failure()

    world = World(api, workers=workers)
    world.queue.schedule.add_claimed(task_of("bad", 0, claimed=True))
    world.drop(*(str(order) for order in range(100)))
    world.run(2 * HOUR)
    assert len(world.filed) >= 100
    assert len(world.calls_of("bad")) < 2 * HOUR


def test_with_one_worker_three_bad_files_do_not_stop_the_rest() -> None:
    """However few uploads run side by side, probes come to files other than those that began the pause."""
    world = World(all_but({"a": failure(), "b": failure(), "c": failure()}), workers=1)
    world.drop("a", "b", "c", "good")
    world.run(HOUR)
    assert world.filed.get("good") == DELIVERED


def test_retry_after_holds_all_workers_back() -> None:
    """After `Retry-After: 60` nothing is sent for a minute, though uploads from before still go through."""
    answers: Iterator[Outcome] = iter([failure(retry_after=60), *[DELIVERED] * 99])
    world = World(lambda _task, _now: next(answers))
    world.drop(*(str(order) for order in range(20)))
    world.run(HOUR)
    assert len(world.filed) == 20
    assert not [moment for moment, _ in world.calls if 0.5 < moment < 60.25]


@pytest.mark.parametrize("fault", [Fault.OPERATOR, Fault.OURS])
def test_wrong_key_or_full_disk_costs_nothing(fault: Fault) -> None:
    """The first 401, or a full disk, stops the queue; nothing is put aside, and all goes through once it is mended."""
    world = World(lambda _task, now: DELIVERED if now >= HOUR else failure(fault))
    world.drop(*(str(order) for order in range(50)))
    world.run(HOUR)
    assert world.queue.pause is not None
    assert not world.filed
    assert len(world.calls) < 40
    world.drop()
    world.run(HOUR + 400)
    assert len(world.filed) == 50


def test_a_document_that_alone_is_refused_holds_nobody_up() -> None:
    """A firewall answers 403 to one document for ever: once another went through, no other waits for it again."""
    world = World(all_but({"bad": failure(Fault.OPERATOR)}))
    world.drop("bad")
    world.run(HOUR)
    world.drop("first")
    world.run(2 * HOUR)
    for number in range(30):
        dropped = world.now
        world.drop(f"good {number}")
        world.run(dropped + 10 * 60)
        assert world.calls_of(f"good {number}")[0] == dropped
    bad = world.filed["bad"]
    assert isinstance(bad, Rejected)
    assert bad.problem.reason == "keeps_failing"


def test_a_document_that_was_refused_alone_does_not_hide_the_next_wrong_key() -> None:
    """After that document, a 401 for all that is sent stops the queue as ever, and nothing is put aside for it."""
    world = World(lambda task, now: failure(Fault.OPERATOR) if task.invoice.lane == "bad" or now >= HOUR else DELIVERED)
    world.drop("bad")
    world.run(HOUR / 2)
    world.drop("first")
    world.run(HOUR)
    world.drop(*(str(order) for order in range(50)))
    told = set()
    for moment in range(int(HOUR) + 600, int(DAY), 60):
        world.run(moment)
        assert world.queue.pause is not None
        told.add(world.queue.pause.fault)
    assert told == {Fault.OPERATOR}, "whose fault it is stays the same"
    assert list(world.filed) == ["first"]
    assert len(world.calls) < 500


def test_an_answer_ends_an_outage_though_it_cannot_be_filed() -> None:
    """The disk gets full while a probe is answered: what the queue waits for is this machine, and no longer the API."""
    queue = Queue(RULES, WORKERS, LARGEST)
    for order in ("1", "2", "3"):
        queue.schedule.add_claimed(task_of(order, int(order), claimed=True))
    for task in [queue.next(0), queue.next(0), queue.next(0)]:
        assert task is not None
        queue.report(task, Waiting(failure()), 0, 0.5)
    probe = queue.next(1000)
    assert probe is not None
    probe.decision = Decision(DELIVERED, "sha256")
    queue.report(probe, Waiting(failure(Fault.OURS), DELIVERED), 1000, 0.5)
    assert queue.pause is not None
    assert (queue.pause.fault, queue.pause.probes) == (Fault.OURS, 0)
    assert not queue.may_hold, "this API code has delivered"


def test_a_document_that_changed_after_it_was_answered_ends_an_outage_as_well() -> None:
    """Or that cannot be moved: the API has answered, so all others may go."""
    for report in (Waiting(failure(Fault.FILE), DELIVERED), NotReady(Unready("may not be moved"), DELIVERED)):
        queue, task = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True)
        queue.schedule.add_claimed(task)
        assert queue.next(0) is task
        queue.report(task, Waiting(failure(Fault.OPERATOR)), 0, 0.5)
        assert queue.next(1000) is task
        task.decision = Decision(DELIVERED, "sha256")
        queue.report(task, report, 1000, 0.5)
        assert queue.pause is None


def test_room_on_the_disk_ends_the_pause_without_another_upload() -> None:
    """What the API took while the disk was full is filed once there is room, and then the queue is not paused."""
    queue, task = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True)
    task.decision = Decision(DELIVERED, "sha256")
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(failure(Fault.OURS)), 0, 0.5)
    assert queue.next(1.9) is None
    assert queue.next(2) is task
    other = task_of("2", 2, claimed=True)
    other.due = 300.0
    queue.schedule.add_claimed(other)
    queue.report(task, Filed(DELIVERED, "1.pdf", sent=False), 2, 0.5)
    assert queue.pause is None
    assert queue.waiting == 1
    assert queue.next(2) is other, "it waited for room as well"


def test_lone_wrong_order_is_rejected_soon() -> None:
    """The first invoice ever is for somebody else's order (101): the clerk hears of it now, not with the next one."""
    world = World(all_but({"1": rejected(101)}))
    world.drop("1")
    world.run(5)
    assert world.filed == {"1": rejected(101)}
    assert len(world.calls) == 1


@pytest.mark.parametrize("gap", [0.0, 0.3, 2.5])
def test_wrong_api_code_rejects_nobody_who_comes_singly(gap: float) -> None:
    """The first three orders ever, dropped one after another by a person, are all answered 101: none is condemned."""
    world = World(lambda _task, now: DELIVERED if now >= HOUR else rejected(101))
    for number in range(5):
        world.drop(str(number))
        world.run(world.now + gap)
    world.run(HOUR)
    assert world.filed == {}
    assert world.queue.pause is not None
    world.run(2 * HOUR)
    assert world.filed == {str(number): DELIVERED for number in range(5)}


def test_held_wrong_orders_wait_for_what_is_under_way_from_before() -> None:
    """After a crash several are sent again one by one, all answered 101: the first is not judged before the others."""
    world = World(lambda _task, _now: rejected(101))
    for number in range(5):
        task = task_of(str(number), number, claimed=True)
        task.crashes = 1
        world.queue.resume(task, died=True)
    world.run(HOUR)
    assert world.filed == {}
    assert world.queue.waiting == 5


def test_wrong_api_code_rejects_nobody() -> None:
    """A mistyped API code pauses the queue at the third order; when it is mended, all invoices go through."""
    world = World(lambda _task, now: DELIVERED if now >= HOUR else rejected(101))
    world.drop(*(str(order) for order in range(10)))
    world.run(HOUR)
    assert world.queue.pause is not None
    assert world.queue.pause.problem.code == 101
    assert not world.filed
    assert all(task.decision is None for task in world.queue.schedule.claimed())
    world.run(HOUR + 400)
    assert list(world.filed.values()) == [DELIVERED] * 10


@pytest.mark.parametrize("good", range(5))
def test_orders_refused_beside_a_delivery_are_rejected(good: int) -> None:
    """Four wrong orders around a right one are rejected; the right one is sent once, none more than twice.

    Twice, where three wrong ones were answered first: that looks like a wrong API code, which is not judged by.
    """
    wrong: dict[str, Outcome | Unready] = {str(order): rejected(101) for order in range(5) if order != good}
    world = World(all_but(wrong), workers=5)
    world.drop("0", "1", "2", "3", "4")
    world.run(400)
    assert world.filed == {**wrong, str(good): DELIVERED}
    assert not world.queue.may_hold
    assert world.queue.pause is None
    assert len(world.calls_of(str(good))) == 1
    assert all(len(world.calls_of(order)) <= 2 for order in wrong)


def test_another_answer_releases_what_is_held() -> None:
    """Two orders the API code does not fit and one that is shipped (103): all are rejected, and nothing pauses."""
    bad: dict[str, Outcome | Unready] = {"1": rejected(101), "2": rejected(101), "3": rejected(103)}
    world = World(all_but(bad))
    world.drop("1", "2", "3")
    world.run(60)
    assert world.filed == bad
    assert len(world.calls) == 3


def test_pause_for_101_ends_when_another_order_is_answered() -> None:
    """Three wrong orders happen to come first: a later right one opens the queue, and only the wrong are rejected."""
    wrong: dict[str, Outcome | Unready] = {order: rejected(101) for order in "abc"}
    world = World(all_but(wrong), workers=1)
    world.drop("a", "b", "c", "right", "another")
    world.run(HOUR)
    assert world.filed["right"] == world.filed["another"] == DELIVERED
    assert {order: world.filed[order] for order in "bc"} == {order: rejected(101) for order in "bc"}


def _paused() -> tuple[Queue, list[Task]]:
    """Give a queue that paused at 0 for three documents, and those."""
    queue, tasks = Queue(RULES, WORKERS, LARGEST), [task_of(order, 0, claimed=True) for order in "abc"]
    for task in tasks:
        queue.schedule.add_claimed(task)
        assert queue.next(0) is task
    for task in tasks:
        queue.report(task, Waiting(failure()), 0, 1.0)
    assert queue.next(1.9) is None
    assert queue.next(RULES.initial) is tasks[0]
    return queue, tasks


def test_all_that_was_claimed_goes_at_once_when_the_api_is_back() -> None:
    """Once a probe has gone through, the others do not wait for the rest of their back-off."""
    queue, (first, *others) = _paused()
    queue.report(first, Filed(DELIVERED, first.invoice.name, sent=True), 2.5, 0.5)
    assert [queue.next(2.5), queue.next(2.5)] == others


def test_probe_that_is_being_written_is_not_looked_at_all_the_time() -> None:
    """A claimed document that somebody holds open costs a look a second, and the others are probed before it."""
    queue, (first, *others) = _paused()
    queue.report(first, NotReady(WRITING), 2.5, 0.5)
    assert queue.wake_at() == 3.5
    assert queue.next(3.4) is None
    assert queue.next(3.5) in others


def test_document_taken_out_of_the_work_folder_is_forgotten() -> None:
    """A document that a person removed from the work folder does not block its order, nor is it looked for again."""
    world = World(all_but({}))
    gone = task_of("1", 0, claimed=True)
    world.queue.schedule.add_claimed(gone)
    assert world.queue.next(0) is gone
    world.queue.report(gone, NotReady(GONE), 0, 0.5)
    world.drop("1")
    world.run(1)
    assert world.filed == {"1": DELIVERED}
    assert (world.queue.waiting, world.queue.wake_at()) == (0, None)


def test_nothing_wakes_the_loop_for_what_cannot_start() -> None:
    """Paused, with only an order left whose other file is still being sent, the program sleeps until that has ended."""
    queue = Queue(RULES, WORKERS, LARGEST)
    queue.schedule.offer([task_of("1", 1), task_of("2", 2), task_of("1", 3)])
    slow, failing = queue.next(0), queue.next(0)
    assert slow is not None
    assert failing is not None
    queue.report(failing, Waiting(failure(Fault.OURS)), 0, 0.5)
    assert queue.next(100) is None
    assert queue.wake_at() is None
    queue.report(slow, Waiting(failure(Fault.OURS)), 100, 0.5)
    assert queue.next(100) is not None


def test_a_claimed_file_that_cannot_be_read_is_not_tried_all_the_time() -> None:
    """A disk may try for long at a bad place: the worker is free for the others meanwhile, and the queue flows."""
    world = World(all_but({}))
    task = task_of("12345", 0, claimed=True)
    world.queue.resume(task, died=False)
    assert world.queue.next(0.0) is task
    world.queue.report(task, NotReady(Unready("cannot be read", 10.0, needs_person=True)), 0.0, 0.5)
    assert world.queue.pause is None
    assert world.queue.next(9.9) is None
    assert world.queue.next(10.0) is task


def test_failures_count_in_a_run_after_a_long_one() -> None:
    """A reload after thousands of deliveries: what alone keeps failing from then on is put aside as soon as ever."""
    world = World(all_but({"bad": failure()}), rules=RetryRules(2, 300, 2))
    task = task_of("bad", 0, claimed=True)
    task.counted_at = task.refused_at = 5000  # in the run before, which had its answer and could not file it
    world.queue.resume(task, died=False)
    for number in range(2):
        world.drop(f"good {number}")
        world.run(world.now + HOUR)
    assert "bad" in world.filed


def test_probes_rotate_before_another_file_is_claimed() -> None:
    """In an outage those that failed have a turn each before a new one has, and few are ever claimed."""
    world = World(lambda _task, _now: failure())
    world.drop(*(str(order) for order in range(100)))
    world.run(DAY)
    orders = [order for _, order in world.calls]
    assert sorted(orders[:WORKERS]) == sorted(orders[WORKERS : 2 * WORKERS]), "each has its turn"
    assert orders[2 * WORKERS] not in orders[: 2 * WORKERS]
    assert world.claimed() == len(set(orders)) == 2 * WORKERS


def test_a_file_that_does_not_fit_on_the_disk_takes_turns_with_those_that_failed() -> None:
    """With a full disk one new file is tried for each round of the claimed ones, for a smaller one may fit."""
    queue = Queue(RULES, WORKERS, LARGEST)
    for number in (1, 2):
        queue.schedule.add_claimed(task_of(f"claimed {number}", number, claimed=True))
    queue.schedule.offer(task_of(f"new {number}", number) for number in range(9))
    sent, now = [], 0.0
    for _ in range(10):
        task = queue.next(now)
        assert task is not None
        sent.append(task.invoice.lane.partition(" ")[0])
        queue.report(task, Waiting(failure(Fault.OURS, reached=False)), now, 1.0)
        now += 1000.0
    assert sent[1:] == ["claimed", "claimed", "new"] * 3


@pytest.mark.parametrize(("fault", "looked_at"), [(Fault.OPERATOR, True), (Fault.WORLD, True), (Fault.OURS, False)])
def test_what_is_dropped_in_a_pause_is_looked_at(fault: Fault, looked_at: bool) -> None:  # noqa: FBT001 - a case
    """Whether it is an invoice needs no API to see; where this machine cannot file anything, it waits."""
    queue, task = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True)
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(failure(fault, 60.0)), 0, 0.5)
    new = task_of("2", 2)
    new.signature = Signature(1, LARGEST + 1, 1, 1)
    queue.schedule.offer([new])
    assert queue.next(1) is (new if looked_at else None)
    assert new.look_only is looked_at


def _looked_at() -> tuple[Queue, Task]:
    """Give a queue that is paused, and a dropped file that a worker looks at meanwhile."""
    queue, task, dropped = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True), task_of("2", 2)
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(failure(Fault.OPERATOR)), 0, 0.5)
    dropped.signature = Signature(1, 1, 1, 1)
    queue.schedule.offer([dropped])
    assert queue.next(1) is dropped
    return queue, dropped


def test_what_is_fit_stays_where_it_is() -> None:
    """It was looked at once, waits in the drop folder, and is sent when the pause is over."""
    queue, dropped = _looked_at()
    queue.report(dropped, Fit(), 1, 0.5)
    assert queue.next(1.5) is None
    assert queue.schedule.ready_tasks() == [dropped]
    assert not dropped.look_only


def test_what_is_unfit_is_gone_from_the_drop_folder() -> None:
    """What was rejected in a pause is neither offered nor counted any more."""
    queue, dropped = _looked_at()
    queue.report(dropped, Filed(rejected(106), "2.pdf", sent=False), 1, 0.5)
    assert queue.schedule.ready_tasks() == []
    assert queue.waiting == 1


def test_a_full_disk_is_tried_ever_more_rarely_though_the_api_answers() -> None:
    """What the API took, and cannot be filed, is no sign that this machine is well: the pause goes on as it was."""
    queue, now = Queue(RULES, WORKERS, LARGEST), 0.0
    for number in range(4):
        queue.schedule.add_claimed(task_of(str(number), number, claimed=True))
    for probes in range(4):
        task = queue.next(now)
        assert task is not None
        task.decision = Decision(DELIVERED, "sha256")
        queue.report(task, Waiting(failure(Fault.OURS, reached=False), DELIVERED), now, 1.0)
        assert queue.pause is not None
        assert queue.pause.probes == probes
        now += 1000.0


def test_a_link_that_cannot_be_fetched_does_not_prove_the_api_code() -> None:
    """Only a delivery does: a 101 that comes after it may still be the configuration's fault."""
    queue, task = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True)
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(failure(code=105)), 0, 0.5)
    assert queue.may_hold


def test_a_short_patience_is_kept() -> None:
    """With `retry.initial` and `retry.max` below a second, what failed is sent again within it."""
    queue, task = Queue(RetryRules(0.25, 0.25, 10), WORKERS, LARGEST), task_of("1", 1, claimed=True)
    queue.schedule.add_claimed(task)
    assert queue.next(0) is task
    queue.report(task, Waiting(failure()), 0, 0.5)
    assert queue.wake_at() == 0.25
    assert queue.next(0.25) is task


class _Linear(RetryRules, frozen=True):
    def bounds(self, failures: int) -> tuple[float, float]:
        wait = 7.0 * max(failures, 1)
        return wait, wait


def test_other_rules_hold_for_documents_and_probes_alike() -> None:
    """A second policy is one class: as long as it says waits what failed, and the pause for each of its probes."""
    world = World(all_but({order: failure() for order in "abc"}), rules=_Linear(2, 300, 10), takes=0.0)
    world.drop("a")
    world.run(30)
    assert world.calls_of("a") == [0.0, 7.0, 21.0]
    world.drop("b", "c")
    world.run(80)
    assert [moment for moment, _ in world.calls if moment > 30] == [37.0, 44.0, 58.0, 79.0]


def test_the_first_refusal_of_the_key_stops_all() -> None:
    """A 401 is the operator's fault at once, though others were answered before the document was sent."""
    queue = Queue(RULES, WORKERS, LARGEST)
    for number in range(2):
        queue.schedule.add_claimed(task_of(str(number), number, claimed=True))
    first, second = queue.next(0), queue.next(0)
    assert first is not None
    assert second is not None
    queue.report(first, Filed(DELIVERED, "0.pdf", sent=True), 0, 0.5)
    queue.report(second, Waiting(failure(Fault.OPERATOR)), 0, 0.5)
    assert queue.pause is not None
    assert queue.pause.fault is Fault.OPERATOR


def test_what_keeps_failing_waits_twice_as_long_each_time() -> None:
    """Up to `retry.max`, by the worst of chances."""
    queue, task, now, waits = Queue(RULES, WORKERS, LARGEST), task_of("1", 1, claimed=True), 0.0, []
    queue.schedule.add_claimed(task)
    for _ in range(9):
        assert queue.next(now) is task
        queue.report(task, Waiting(failure()), now, 1.0)
        waits.append(task.due - now)
        now = task.due
    assert waits == [4, 8, 16, 32, 64, 128, 256, 300, 300]


@pytest.mark.parametrize(("workers", "most"), [(1, 2), (4, 5), (6, 7), (8, 10)])
def test_a_few_may_be_filed_while_others_are_sent(workers: int, most: int) -> None:
    """For each four that are sent one more may be under way, whose receipt goes to the disk; at least one."""
    queue = Queue(RULES, workers, LARGEST)
    queue.schedule.offer(task_of(str(number), number) for number in range(20))
    sent = 0
    while (task := queue.next(0)) is not None:
        sent, task.place_free = sent + 1, True
    assert sent == most


def test_a_101_that_is_held_shows_that_the_api_answers() -> None:
    """What fails before and after it fails by itself, and that counts against it."""
    queue, tasks = Queue(RULES, WORKERS, LARGEST), [task_of(str(number), number, claimed=True) for number in range(4)]
    for task in tasks:
        queue.schedule.add_claimed(task)
        assert queue.next(0) is task
    closed, shipped, wrong, bad = tasks
    for task in (closed, shipped):
        queue.report(task, Filed(rejected(103), task.invoice.name, sent=True), 0, 0.5)
    queue.report(bad, Waiting(failure()), 0, 0.5)
    wrong.decision = Decision(rejected(101), "sha256")
    queue.report(wrong, Held(rejected(101)), 1, 0.5)
    while (found := queue.next(100)) is not bad:
        assert found is wrong
    queue.report(bad, Waiting(failure()), 100, 0.5)
    assert bad.strikes == 2
