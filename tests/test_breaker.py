"""Whether the queue flows at all: one bad file must not stop it, a dead API must not be called for every file."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoice_watcher.backoff import RetryRules
from invoice_watcher.breaker import Breaker, Pause
from invoice_watcher.outcome import Deferred, Fault, Problem, Source
from invoice_watcher.record import replace

INITIAL, LONGEST = 2.0, 300.0
RULES = RetryRules(INITIAL, LONGEST, 10)


def _problem(code: int | None = None) -> Problem:
    return Problem(Source.API, code, "reason", "message", "hint")


def _failure(fault: Fault = Fault.WORLD, retry_after: float | None = None, *, reached: bool = True) -> Deferred:
    return Deferred(_problem(), fault, retry_after=retry_after, reached=reached)


def _after(*lanes: str, fault: Fault = Fault.WORLD, breaker: Breaker | None = None, now: float = 0.0) -> Breaker:
    """Give the breaker after a failure of each of these lanes."""
    breaker = breaker or Breaker(RULES)
    for lane in lanes:
        breaker = breaker.deferred(lane, _failure(fault), now, 0.5)
    return breaker


def _refused(*lanes: str, now: float = 0.0) -> Breaker:
    """Give the breaker after a 101 for each of these orders."""
    breaker = Breaker(RULES)
    for lane in lanes:
        breaker = breaker.wrong_api_code(lane, _problem(101), now)
    return breaker


def _pause(breaker: Breaker) -> Pause:
    assert breaker.pause is not None, "it flows"
    return breaker.pause


@pytest.mark.parametrize(
    ("lanes", "pauses"),
    [("a", False), ("ab", False), ("abc", True), ("aaa", False), ("aaaaaaaaaaaaab", False), ("aabbc", True)],
)
def test_three_different_orders_in_a_row_pause_the_queue(lanes: str, pauses: bool) -> None:  # noqa: FBT001 - a parameter
    """An outage is noticed at the third file; one file that fails again and again is no outage."""
    breaker = _after(*lanes)
    assert (breaker.pause is not None) == pauses
    assert breaker.may_start(0) is not pauses


@pytest.mark.parametrize("delivered", [True, False])
def test_any_answer_about_a_document_starts_the_count_anew(delivered: bool) -> None:  # noqa: FBT001 - a parameter
    """An API that accepts, or rejects, a document between two failures is there."""
    for breaker in (Breaker(RULES), Breaker(RULES).answered("first", 0, delivered=True)):
        failed = _after("a", "b", breaker=breaker)
        assert _after("c", "d", breaker=failed.answered("x", 0, delivered=delivered)).pause is None


@pytest.mark.parametrize("fault", [Fault.OPERATOR, Fault.OURS])
def test_operators_and_our_own_faults_pause_at_the_first(fault: Fault) -> None:
    """A wrong key or a full disk stops the queue before a second file meets it."""
    pause = _pause(_after("a", fault=fault))
    assert (pause.fault, pause.probe_at) == (fault, INITIAL)


def test_one_probe_at_a_time() -> None:
    """While the API is away, a single file tries whether it is back, and no second one before that has ended."""
    breaker = _after("a", "b", "c")
    assert not breaker.may_start(INITIAL - 0.1)
    assert breaker.may_start(INITIAL)
    probing = breaker.started("a")
    assert not probing.may_start(1e9)
    assert probing.deferred("a", _failure(), 10, 0.5).may_start(1e9)


def test_probes_become_rarer_up_to_the_longest() -> None:
    """The first probe comes soon, later ones every `retry.max`: a dead API is not called all the time."""
    breaker, now, waits = _after("a", "b", "c"), 0.0, []
    for _ in range(30):
        waits.append(_pause(breaker).probe_at - now)
        now = _pause(breaker).probe_at
        breaker = _after("a", breaker=breaker.started("a"), now=now)
    assert waits[:4] == [INITIAL, pytest.approx(3.9), pytest.approx(7.7), pytest.approx(15.3)]
    assert 0.9 * LONGEST < waits[-1] <= LONGEST


def test_failures_from_before_the_pause_do_not_lengthen_it() -> None:
    """Uploads that were under way when the API went down only confirm what is known."""
    breaker = _after("a", "b", "c")
    late = _after("d", "e", "f", breaker=breaker, now=1.5)
    assert (_pause(late).probe_at, _pause(late).probes) == (INITIAL, 0)
    probing = late.started("a")
    assert _pause(_after("g", breaker=probing, now=3)).probing == "a"


def test_answer_opens_the_gate() -> None:
    """As soon as the API takes or rejects one document, all may go."""
    probing = _after("a", "b", "c").started("a")
    assert probing.answered("a", 5, delivered=False).may_start(5)
    assert probing.answered("from before", 5, delivered=True).may_start(5)
    assert probing.answered("a", 0, delivered=True).pause is None, "at the very moment"


def test_probe_that_came_to_nothing_makes_room_for_the_next() -> None:
    """A probe that was withdrawn or is being written tells nothing: the next one is as due as it was."""
    probing = _after("a", "b", "c").started("a")
    assert not probing.withdrawn("b").may_start(9)
    assert probing.withdrawn("a").may_start(9)
    assert not probing.withdrawn("a", until=10).may_start(9)
    assert _pause(probing.withdrawn("a")).probes == 0


@pytest.mark.parametrize("seconds", [30.0, 3600.0])
def test_retry_after_pauses_all_for_that_long(seconds: float) -> None:
    """`Retry-After: 30` from one upload holds all of them back for 30 s, even if earlier ones still go through."""
    breaker = Breaker(RULES).deferred("a", _failure(retry_after=seconds), 100, 0.5)
    for later in (
        breaker.answered("b", 101, delivered=True),
        breaker.deferred("b", _failure(), 101, 0.5),
        breaker.wrong_api_code("b", _problem(101), 101),
        breaker.deferred("b", _failure(Fault.OPERATOR, 1.0), 101, 0.5),
    ):
        assert not later.may_start(100 + seconds - 0.1)
        assert later.may_start(100 + seconds)


def test_retry_after_of_nothing_does_not_mean_all_the_time() -> None:
    """An API that says `Retry-After: 1` for a day is called as rarely as one that says nothing."""
    breaker, now = Breaker(RULES), 0.0
    for _ in range(12):
        breaker = breaker.started("a").deferred("a", _failure(retry_after=1), now, 0.5)
        now = _pause(breaker).probe_at
    assert now > 0.9 * LONGEST
    assert not breaker.may_start(now - 0.9 * LONGEST)


def test_retry_after_that_comes_during_a_probe_is_obeyed() -> None:
    """An earlier upload is answered `Retry-After` during a probe: that holds, though the probe goes through."""
    probing = _after("a", "b", "c").started("a").deferred("late", _failure(retry_after=60), 10, 0.5)
    proven = replace(probing, proven=True)
    for after in (
        probing.answered("a", 11, delivered=True),
        probing.wrong_api_code("a", _problem(101), 11),
        proven.wrong_api_code("a", _problem(101), 11),
    ):
        assert not after.may_start(69)
        assert after.may_start(70)


def test_retry_after_holds_though_this_machine_is_mended() -> None:
    """An earlier upload is answered `Retry-After` while the disk is full: room on the disk does not shorten that."""
    probing = _after("a", fault=Fault.OURS).started("a").deferred("late", _failure(retry_after=60), 10, 0.5)
    mended = probing.recorded("a", 11)
    assert not mended.may_start(69)
    assert mended.may_start(70)


def test_filing_ends_a_pause_for_this_machines_fault_only() -> None:
    """Once the disk has room again the queue resumes by itself; that says nothing of an API that is away."""
    mended = _after("a", fault=Fault.OURS).started("a").recorded("a", 5)
    assert mended.pause is None
    assert _after("b", "c", breaker=mended).pause is None, "a full disk counted as an outage"
    assert _after("a", "b", "c").started("a").recorded("a", 5).may_start(5)
    assert _after("a", "b", "c").recorded("a", 5).pause is not None


def test_an_answer_that_cannot_be_filed_is_no_news_of_this_machine() -> None:
    """The API is there, so an outage is over; what keeps this machine from filing goes on, its probe included."""
    assert _after("a", "b", "c").started("a").answered("a", 5, delivered=True, filed=False).pause is None
    probing = _after("a", fault=Fault.OURS).started("a")
    after = probing.answered("a", 5, delivered=True, filed=False)
    assert (after.pause, after.proven) == (probing.pause, True)
    assert probing.answered("a", 5, delivered=True).pause is None


def test_first_three_orders_refused_mean_a_wrong_api_code() -> None:
    """A mistyped API code stops the queue at the third order, not at the first, and not for one order thrice."""
    assert _refused("a", "b").pause is None
    assert _refused("a", "a", "a").pause is None
    pause = _pause(_refused("a", "b", "c"))
    assert (pause.fault, pause.problem.code) == (Fault.OPERATOR, 101)
    again = _refused("a", "b", "c").started("a").wrong_api_code("a", _problem(101), 10)
    assert _pause(again).probe_at > pause.probe_at
    for _ in range(20):
        again = again.started("a").wrong_api_code("a", _problem(101), 10)
    assert _pause(again).probe_at <= 10 + LONGEST, "and a right one is noticed in time"


@pytest.mark.parametrize("delivered", [True, False])
def test_another_answer_breaks_the_row_of_refusals(delivered: bool) -> None:  # noqa: FBT001 - a parameter
    """One order that the API knows proves the API code right as far as anyone can tell."""
    breaker = _refused("a", "b").answered("x", 0, delivered=delivered)
    assert breaker.wrong_api_code("c", _problem(101), 0).wrong_api_code("d", _problem(101), 0).pause is None
    probing = _refused("a", "b", "c").started("a")
    assert probing.answered("a", 9, delivered=delivered).pause is None


def test_refusal_is_an_answer_like_any_other() -> None:
    """An API that answers 101 is there: an outage ends with it, and the order is judged by what comes next."""
    after = _after("a", "b", "c").started("a").wrong_api_code("a", _problem(101), 5)
    assert after.pause is None
    assert not after.failed
    assert after.refused == {"a"}


def test_refusal_from_before_a_pause_brings_no_second_probe() -> None:
    """A third 101 that comes while a probe for another fault is under way neither ends the pause nor the probe."""
    probing = _after("c", breaker=_refused("a", "b"), fault=Fault.OPERATOR).started("a")
    third = probing.wrong_api_code("d", _problem(101), 5)
    assert _pause(third).probing == "a"
    assert _pause(third.wrong_api_code("a", _problem(101), 6)).problem.code == 101


def test_refusals_after_a_delivery_never_pause() -> None:
    """Three wrong orders sent together with a right one are those orders' fault, in whatever order the answers come."""
    breaker = Breaker(RULES).answered("x", 0, delivered=True)
    for lane in "abcdef":
        breaker = breaker.wrong_api_code(lane, _problem(101), 0)
    assert breaker.pause is None
    assert not breaker.refused


class BreakerMachine(RuleBasedStateMachine):
    """Uploads that begin and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULES)
        self.now = 0.0
        self.asked = 0.0
        self.count = 0
        self.under_way: dict[str, bool] = {}

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 400.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(count=st.integers(1, 4))
    def start(self, count: int) -> None:
        """Some uploads begin, as many as may."""
        while count and self.breaker.may_start(self.now):
            count -= 1
            assert self.now >= self.asked, "the API asked not to be called yet"
            assert self.breaker.pause is None or not any(self.under_way.values()), "a second probe"
            self.count += 1
            self.under_way[str(self.count)] = self.breaker.pause is not None
            self.breaker = self.breaker.started(str(self.count))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), how=st.sampled_from(["delivered", "rejected", "101", "withdrawn", "recorded"]))
    def end(self, data: st.DataObject, how: str) -> None:
        """An upload ends with an answer, or with no news."""
        lane = self._ended(data)
        self.breaker = {
            "delivered": lambda: self.breaker.answered(lane, self.now, delivered=True),
            "rejected": lambda: self.breaker.answered(lane, self.now, delivered=False),
            "101": lambda: self.breaker.wrong_api_code(lane, _problem(101), self.now),
            "withdrawn": lambda: self.breaker.withdrawn(lane),
            "recorded": lambda: self.breaker.recorded(lane, self.now),
        }[how]()

    @precondition(lambda self: self.under_way)
    @rule(
        data=st.data(),
        fault=st.sampled_from([Fault.WORLD, Fault.WORLD, Fault.OPERATOR, Fault.OURS]),
        retry_after=st.sampled_from([None, None, 0.0, 5.0, 3600.0]),
    )
    def fail(self, data: st.DataObject, fault: Fault, retry_after: float | None) -> None:
        """An upload fails."""
        lane = self._ended(data)
        self.asked = max(self.asked, self.now + (retry_after or 0.0))
        self.breaker = self.breaker.deferred(lane, _failure(fault, retry_after), self.now, data.draw(st.floats(0, 1)))
        assert fault is Fault.WORLD or self.breaker.pause

    def _ended(self, data: st.DataObject) -> str:
        lane = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[lane]
        return lane

    @invariant()
    def probes_belong_to_a_pause(self) -> None:
        """When the gate opens, a probe becomes an upload like any other."""
        if self.breaker.pause is None:
            self.under_way = dict.fromkeys(self.under_way, False)

    @invariant()
    def no_pause_is_for_ever(self) -> None:
        """A probe is due within the longest wait, or what was asked for, unless one is under way."""
        if self.breaker.pause is None:
            return
        probing = self.breaker.pause.probing
        assert probing is None or probing in self.under_way
        assert self.breaker.pause.probe_at <= max(self.now + LONGEST, self.asked)
        if probing is None:
            assert self.breaker.may_start(max(self.now + LONGEST, self.asked))


TestBreakerMachine = pytest.mark.slow(BreakerMachine.TestCase)
TestBreakerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
