"""Two hundred times kill -9 at a random moment, with four workers and an API that has its moods: nothing is lost.

`FAULTS_SEED=number` repeats a run as far as the machine lets it: the seed decides what is dropped and how long each
program lives, not what it has come to by then.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

from tests.faults.invariants import assert_sound
from tests.integration.answers import OK, Answer
from tests.integration.place import documents, names, pdf, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.warm import Warm
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

KILLS = 200
MOST_DROPPED = 5
LONGEST_LIFE = 0.1  # seconds
STILLBORN = 0.25  # the share of those whose life is counted from the start, and not from when they watch the folder
WAYS = ("move", "rename")
MOODS = ((OK,), (OK,), (Answer(503, b""), OK), (Answer(delay=0.05), OK), (Answer(drop="late"), OK))


def test_two_hundred_random_kills(
    api: StandIn, place: Place, warm: Warm, record_property: Callable[[str, object], None]
) -> None:
    """Whatever was dropped is done in the end, and sent again only where its receipt says so."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FAULTS_SEED={seed}")  # noqa: T201 - pytest shows it beside a failure
    chance = random.Random(seed)
    dropped: dict[str, bytes] = {}
    log = [_life(api, place, warm, chance, dropped) for _ in range(KILLS)]
    before = len(documents(place.done))
    assert before > KILLS / 4, "most were killed before they had done anything"
    for name in dropped:  # or three bad moods in a row would pause the queue, and end the last run
        api.script(name.removesuffix(".pdf"), OK)
    finished = warm.run("run", "--once", "-c", place.config)
    assert finished.status in {0, 1}, finished.err
    assert names(place.drop) == names(place.work) == []
    assert_sound(api, place, dropped, "".join([*log, finished.err]))
    _assert_only_poison_failed(place)
    doubtful = [name for name in documents(place.done) if sidecar(place.done / name)["in_doubt"]]
    told = f"{len(dropped)} dropped, {before} done by the last kill, {len(doubtful)} in doubt"
    record_property(f"{KILLS} random kills", f"{told}, {len(documents(place.failed))} put aside, seed {seed}")
    assert doubtful, "none was killed in the middle of an upload"
    assert len(documents(place.done)) > KILLS


def _life(api: StandIn, place: Place, warm: Warm, chance: random.Random, dropped: dict[str, bytes]) -> str:
    """Start the program, drop a few documents before or meanwhile, and kill it; returns its log."""
    warm.start("run", "-c", place.config)
    if chance.random() > STILLBORN:
        warm.says("ready: watching")
    end = time.monotonic() + chance.uniform(0, LONGEST_LIFE)
    for _ in range(chance.randint(0, MOST_DROPPED)):
        name = f"{len(dropped)}.pdf"
        dropped[name] = pdf(name)
        api.script(name.removesuffix(".pdf"), *chance.choice(MOODS))
        place.put(name, dropped[name], chance.choice(WAYS))
        time.sleep(chance.uniform(0, 0.005))
    time.sleep(max(0.0, end - time.monotonic()))  # the moment is what is tested
    ended = warm.kill()
    assert ended.status == -9, ended.err
    return ended.err


def _assert_only_poison_failed(place: Place) -> None:
    """Three deaths over one document are what puts it aside, and with so many deaths that may happen."""
    for name in documents(place.failed):
        told = sidecar(place.failed / name)
        assert (told["error"]["reason"], told["in_doubt"]) == ("poison", True), told
