"""The parts of the benchmark, each in a room of its own, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.parts import archive, backlog, burst, calls, duel, fairness, held, idle, large, memory, start

if TYPE_CHECKING:
    from tests.benchmarks.part import Part

PARTS: dict[str, Part] = {
    "burst": burst.measure,
    "duel": duel.measure,
    "held": held.measure,
    "large": large.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "start": start.measure,
    "backlog": backlog.measure,
    "archive": archive.measure,
    "fairness": fairness.measure,
    "calls": calls.measure,
}
