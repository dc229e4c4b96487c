"""Should the queue flow at all? One bad file must not stop it; a dead API must not be called for every file.

The states: *flowing*; *paused* until the next probe is due; *probing*, one file at a time, while paused. What an
attempt came to moves between them:

    flowing ── the operator's or our own fault; a Retry-After; the world's fault for three lanes in a row ──▶ paused
    paused ──(when due)──▶ probing ── any answer that is about the document ──▶ flowing
                              └────── a fault ──▶ paused, for longer (back-off)

An answer to a call from before the pause opens it as well, but for one: what the API asked for is waited out.
"Wrong API code" (101) is the order's fault, unless the first three orders that are answered at all get it: then
it is the configuration's. Pure: a frozen value; every step returns the next one; time and chance are arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.outcome import WRONG_API_CODE, Fault, Problem
from invoice_watcher.record import Record, replace

if TYPE_CHECKING:
    from invoice_watcher.backoff import RetryRules
    from invoice_watcher.outcome import Deferred

IN_A_ROW = 3
_SPREAD = 0.1  # of a probe's bounds: there is only one prober, and no crowd to be kept apart


class Pause(Record, frozen=True):
    """Why nothing flows, and when the next probe is due (monotonic seconds).

    Attributes:
        not_before: the API asked not to be called before then, and an answer to an earlier call does not change that.
        rotate: the fault may lie with the probed documents themselves, so probes should try others too.
        probing: the lane whose file is the probe under way; None between probes.
    """

    problem: Problem
    fault: Fault
    probe_at: float
    not_before: float = 0.0
    probes: int = 0
    rotate: bool = False
    probing: str | None = None


class Breaker(Record, frozen=True):
    """The gate before the API.

    Attributes:
        rules: how long to wait for the next probe.
        failed: the lanes that met the world's fault since the last success.
        refused: the orders that were answered 101, in a row, before anything was ever delivered.
        proven: something was delivered with this API code.
    """

    rules: RetryRules
    failed: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    proven: bool = False
    pause: Pause | None = None

    def may_start(self, now: float) -> bool:
        """Tell whether a file may be sent now; while paused, only one, and only when a probe is due."""
        return self.pause is None or (self.pause.probing is None and now >= self.pause.probe_at)

    def started(self, lane: str) -> Breaker:
        """A file of `lane` is being sent; while paused it is the probe."""
        if self.pause is None:
            return self
        return replace(self, pause=replace(self.pause, probing=lane))

    def answered(self, lane: str, now: float, *, delivered: bool, filed: bool = True) -> Breaker:
        """The API answered about a document, whatever it said: it is there, so everything may flow.

        But for what keeps this machine from filing: where the answer could not be `filed`, that pause goes on.
        """
        if delivered and self.proven and self.pause is None and not self.failed:
            return self  # as almost always; `refused` is empty once it is proven
        after = replace(self, failed=frozenset(), refused=frozenset(), proven=self.proven or delivered)
        if not filed and self.pause is not None and self.pause.fault is Fault.OURS:
            return after
        return replace(after, pause=self._asked(now)).withdrawn(lane)

    def withdrawn(self, lane: str, until: float = 0.0) -> Breaker:
        """A file of `lane` came to nothing before it was sent (gone, or not ready): no news about the API.

        The next probe is as due as this one was, but not before `until`.
        """
        if self.pause is None or self.pause.probing != lane:
            return self
        return replace(self, pause=replace(self.pause, probing=None, probe_at=max(self.pause.probe_at, until)))

    def recorded(self, lane: str, now: float) -> Breaker:
        """A file of `lane` was filed away without being sent: this machine is well, of the API there is no news."""
        ours = self.pause is not None and self.pause.fault is Fault.OURS
        return (replace(self, pause=self._asked(now)) if ours else self).withdrawn(lane)

    def wrong_api_code(self, lane: str, problem: Problem, now: float) -> Breaker:
        """The API answered 101 for an order that was sent before anything was ever delivered."""
        if self.proven:
            return self.answered(lane, now, delivered=False)
        doubted = self.pause is not None and self.pause.problem.code == WRONG_API_CODE
        refused = self.refused | {lane}
        stays = doubted or len(refused) >= IN_A_ROW
        after = replace(self, refused=refused, failed=frozenset(), pause=self.pause if stays else self._asked(now))
        if stays:
            return _paused(after, lane, _Cause(problem, Fault.OPERATOR, None, rotate=True), now, 1.0)
        return after.withdrawn(lane)

    def deferred(self, lane: str, outcome: Deferred, now: float, chance: float) -> Breaker:
        """An attempt met a fault that is not the document's, as far as one can tell."""
        failed = self.failed | {lane} if outcome.fault is Fault.WORLD else self.failed
        after = replace(self, failed=failed)
        at_once = outcome.fault is not Fault.WORLD or outcome.retry_after is not None
        if self.pause is not None or at_once or len(failed) >= IN_A_ROW:
            rotate = outcome.reached or outcome.fault is Fault.OURS
            cause = _Cause(outcome.problem, outcome.fault, outcome.retry_after, rotate)
            return _paused(after, lane, cause, now, chance)
        return after

    def _asked(self, now: float) -> Pause | None:
        """The pause that the API itself asked for, which only time ends."""
        return self.pause if self.pause is not None and now < self.pause.not_before else None


class _Cause(Record, frozen=True):
    problem: Problem
    fault: Fault
    retry_after: float | None
    rotate: bool


def _paused(breaker: Breaker, lane: str, cause: _Cause, now: float, chance: float) -> Breaker:
    """Pause, or go on pausing; only the probe's own failure makes the pauses longer."""
    before = breaker.pause
    asked = max(now + (cause.retry_after or 0.0), before.not_before if before else now)
    if before is not None and before.probing != lane:
        return replace(breaker, pause=replace(before, probe_at=max(before.probe_at, asked), not_before=asked))
    probes = before.probes + 1 if before else 0
    probe_at = max(asked, now + _probe_wait(breaker.rules, probes, chance))
    pause = Pause(cause.problem, cause.fault, probe_at, asked, probes, cause.rotate)
    return replace(breaker, pause=pause)


def _probe_wait(rules: RetryRules, probes: int, chance: float) -> float:
    """Seconds to the next probe: about the most that the rules let it wait."""
    shortest, longest = rules.bounds(probes)
    return longest - _SPREAD * (1.0 - chance) * (longest - shortest)
