"""A Hypothesis state machine that drives the real daemon: people at the share, an API with moods, and a violent end.

Whether a rule may run depends on what the machine itself did before, never on how far the program has come, so a seed
gives the same story each time; what the program makes of it may differ. When something does not hold, the error tells
the story and the end of each program's log. Raises AssertionError with the name of what is broken.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.faults.soak.ground import FOLDERS
from tests.faults.soak.moody import MOODS, WHIMS
from tests.faults.soak.papers import KINDS, WHOLE
from tests.faults.soak.scene import Scene

if TYPE_CHECKING:
    from collections import Counter

STEPS = 30
EXAMPLES = 4
_numbers = st.integers(0, 30)
_kinds = st.sampled_from((*WHOLE, *WHOLE, *KINDS))
_ways = st.sampled_from(("move", "copy", "rename"))


class Machine(RuleBasedStateMachine):
    """What may happen; the scene is where it does."""

    totals: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self._before = sys.exception()  # Hypothesis may be about to tell of an earlier one
        self.scene = Scene(self.totals)
        self.share, self.api = self.scene.share, self.scene.api

    # What people do at the share.

    @precondition(lambda self: self.share.is_open)
    @rule(kind=_kinds, way=_ways)
    def drop(self, kind: str, way: str) -> None:
        """A file arrives."""
        self.scene.tell("drop", kind, way, self.share.drop(kind, way))

    @precondition(lambda self: self.share.is_open)
    @rule(count=st.integers(2, 12), way=_ways)
    def drop_many(self, count: int, way: str) -> None:
        """Many files arrive."""
        self.scene.tell("drop", *(self.share.drop("pdf", way) for _ in range(count)))

    @precondition(lambda self: self.share.is_open)
    @rule(number=_numbers, kind=_kinds, way=_ways)
    def drop_again(self, number: int, kind: str, way: str) -> None:
        """Another file of an order arrives."""
        self.scene.tell("drop again", kind, way, self.share.drop(kind, way, self.share.order_of(number)))

    @precondition(lambda self: self.share.is_open)
    @rule(number=_numbers, way=_ways)
    def replace(self, number: int, way: str) -> None:
        """A file of the same name is dropped in the place of another."""
        self.scene.tell("replace", way, self.share.replace(number, way))

    @precondition(lambda self: self.share.is_at_hand)
    @rule(number=_numbers)
    def withdraw(self, number: int) -> None:
        """A dropped file is deleted."""
        self.scene.tell("withdraw", self.share.withdraw(number))

    @precondition(lambda self: self.share.is_at_hand)
    @rule(number=_numbers)
    def rename(self, number: int) -> None:
        """A dropped file gets another name."""
        self.scene.tell("rename", self.share.rename(number))

    @precondition(lambda self: self.share.is_open and not self.share.is_writing)
    @rule(kind=st.sampled_from(WHOLE))
    def begin_copy(self, kind: str) -> None:
        """A slow copy begins."""
        self.scene.tell("begin to copy", self.share.begin_copy(kind))

    @precondition(lambda self: self.share.is_writing and not self.share.is_full)
    @rule(ends=st.booleans())
    def go_on_copying(self, *, ends: bool) -> None:
        """A slow copy goes on, or comes to its end."""
        self.scene.tell("go on copying", "to the end" if ends else "")
        (self.share.end_copy if ends else self.share.go_on_copying)()

    @precondition(lambda self: self.share.is_at_hand)
    @rule(number=_numbers)
    def move_back(self, number: int) -> None:
        """A failed document is moved back."""
        self.scene.tell("move back", self.share.move_back(number))

    @precondition(lambda self: self.share.is_at_hand)
    @rule(number=_numbers)
    def tear(self, number: int) -> None:
        """A sidecar is deleted."""
        self.scene.tell("delete the sidecar of", self.share.tear(number))

    @rule(seconds=st.sampled_from((0.02, 0.1, 0.4)))
    def wait(self, seconds: float) -> None:
        """A moment passes; when the next thing happens is what is tested."""
        time.sleep(seconds)

    # What befalls the API.

    @rule(mood=st.sampled_from(sorted(MOODS)))
    def break_api(self, mood: str) -> None:
        """The API as a whole is not well."""
        self.scene.tell("the API is", mood)
        self.api.turn(mood)

    @rule()
    def mend_api(self) -> None:
        """The API is well."""
        self.scene.tell("the API is well")
        self.api.forgive()

    @rule(number=_numbers, whim=st.sampled_from(sorted(WHIMS)))
    def take_against(self, number: int, whim: str) -> None:
        """The API does not take one order's documents."""
        if order := self.share.order_of(number):
            self.scene.tell(order, "is", whim)
            self.api.take_against(order, whim)

    # What befalls the machine.

    @precondition(lambda self: self.scene.can_fill and self.share.is_well)
    @rule(left=st.integers(0, 6))
    def fill(self, left: int) -> None:
        """The disk is full, or has room for a few pages."""
        self.scene.tell("fill the disk but for", left)
        self.share.fill(left)

    @precondition(lambda self: self.scene.can_shut and self.share.is_well)
    @rule(which=st.sampled_from(FOLDERS))
    def shut_folder(self, which: str) -> None:
        """A folder may not be written."""
        self.scene.tell("shut", which)
        self.share.shut_folder(which)

    @precondition(lambda self: self.share.is_well)
    @rule(which=st.sampled_from(FOLDERS))
    def lose(self, which: str) -> None:
        """A folder goes away."""
        self.scene.tell("lose", which)
        self.share.lose(which)

    @precondition(lambda self: not self.share.is_well)
    @rule()
    def mend_share(self) -> None:
        """Somebody puts the disk and the folders in order."""
        self.scene.tell("mend the share")
        self.share.mend()

    # What befalls the program.

    @precondition(lambda self: self.scene.is_running)
    @rule()
    def kill(self) -> None:
        """Killed at whatever moment this is."""
        self.scene.tell("kill")
        self.scene.kill()

    @precondition(lambda self: not self.scene.is_running)
    @rule(seconds=st.floats(0.1, 0.6))
    def start_and_kill(self, seconds: float) -> None:
        """Killed while it starts and recovers."""
        self.scene.tell("start, and kill after", round(seconds, 3))
        self.scene.launch()
        time.sleep(seconds)
        self.scene.kill()

    @precondition(lambda self: self.scene.is_running)
    @rule(hurried=st.booleans())
    def stop(self, *, hurried: bool) -> None:
        """Stopped in good order, whatever is wrong."""
        self.scene.tell("stop", "twice" if hurried else "")
        self.scene.stop(hurried=hurried)

    @precondition(lambda self: not self.scene.is_running)
    @rule()
    def start(self) -> None:
        """The program starts."""
        self.scene.tell("start")
        self.scene.start()

    @precondition(lambda self: self.scene.is_running)
    @rule(workers=st.integers(1, 5), quiet=st.sampled_from((0, "100ms")))
    def reload(self, workers: int, quiet: object) -> None:
        """The configuration changes."""
        self.scene.tell("reload with", workers, "workers, quiet:", quiet)
        self.scene.reload(api__workers=workers, settle__quiet=quiet)

    @precondition(lambda self: self.scene.is_running)
    @rule()
    def reload_a_broken_one(self) -> None:
        """The configuration changes to one that cannot be used."""
        self.scene.tell("reload a broken one")
        self.scene.reload_broken()

    @rule()
    def drain(self) -> None:
        """All is mended: soon nothing waits any more, and every file is where it ought to be."""
        self.scene.tell("drain")
        self.scene.drain()

    def teardown(self) -> None:
        """Drain, stop, and leave nothing behind; or tell the story."""
        error = sys.exception()
        self.scene.end(None if error is self._before else error)


def run_machine(number: int, totals: Counter[str], examples: int = EXAMPLES, steps: int = STEPS) -> None:
    """Run the examples that come of a seed; what they did is added to `totals`."""
    machine = seed(number)(type("Machine", (Machine,), {"totals": totals}))
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
