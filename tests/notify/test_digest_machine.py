"""The digest under every order of events: never more often than allowed, nothing lost, nothing twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoice_watcher.notify.digest import MOST_NAMED, Digest, Message
from tests.notify.test_digest import EVERY, failed, paused, standing


class Told(RuleBasedStateMachine):
    """Failures, pauses, and a mail server that is there or not; a message may be under way for any time."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = Digest(EVERY, "here")
        self.now = 0.0
        self.failed = 0
        self.told = 0
        self.named: list[str] = []
        self.arrived: list[float] = []
        self.under_way: Message | None = None
        self.fault: str | None = None
        self.believed = False  # by the reader: that the queue is paused

    @rule(count=st.integers(min_value=1, max_value=3 * MOST_NAMED))
    def fail(self, count: int) -> None:
        """Some invoices fail."""
        for _ in range(count):
            self.digest.attempted(failed(f"{self.failed}.pdf"), self.now)
            self.failed += 1

    @rule(fault=st.sampled_from([None, "world", "operator"]))
    def turn(self, fault: str | None) -> None:
        """The queue pauses, for another reason, or flows."""
        self.fault = fault
        self.hear()

    @rule(seconds=st.sampled_from([1.0, 10.0, 61.0, EVERY, 90_000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.hear()

    def hear(self) -> None:
        """The daemon tells how things stand."""
        pause = paused(self.fault) if self.fault else None
        self.digest.hear(standing(self.now, pause=pause), self.now)

    @precondition(lambda self: self.under_way is None and self.is_due)
    @rule()
    def send(self) -> None:
        """A message goes on its way."""
        self.under_way = self.digest.compose()

    @precondition(lambda self: self.under_way is not None)
    @rule()
    def arrive(self) -> None:
        """It arrives."""
        assert self.under_way is not None
        message, self.under_way = self.under_way, None
        self.digest.sent(message, self.now)
        self.arrived.append(self.now)
        self.told += message.count
        self.named += re.findall(r"^- (\S+):", message.text(10**6), re.MULTILINE)
        assert message.count or message.told, "a message that tells nothing"
        for kind, _, news, _ in message.told:
            assert kind.begun == "the queue is paused"
            self.believed = news.value != "over"

    @precondition(lambda self: self.under_way is not None)
    @rule()
    def get_lost(self) -> None:
        """It does not."""
        assert self.under_way is not None
        self.digest.not_sent(self.under_way, self.now)
        self.under_way = None

    @property
    def is_due(self) -> bool:
        """Whether a message may go."""
        return self.digest.due is not None and self.digest.due <= self.now

    @invariant()
    def never_too_often(self) -> None:
        """Between two that arrived lies the time that was asked for."""
        assert all(later - earlier >= EVERY for earlier, later in zip(self.arrived, self.arrived[1:], strict=False))

    @invariant()
    def nothing_twice(self) -> None:
        """No failure is told twice, and none that was not."""
        assert len(set(self.named)) == len(self.named)
        assert self.told <= self.failed

    def teardown(self) -> None:
        """In the end, with a mail server that is there, everything has been told."""
        for _ in range(3):
            self.now += 2 * EVERY
            self.hear()
            if self.under_way is not None:
                self.arrive()
            if self.is_due:
                self.send()
                self.arrive()
        assert self.told == self.failed
        assert self.believed == (self.fault is not None)
        assert self.digest.due is None


TestTold = pytest.mark.slow(Told.TestCase)
