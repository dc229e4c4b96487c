"""What must hold after every fault, once the program has run undisturbed again.

I1  every file that was dropped whole lies in exactly one of the four folders, byte for byte
I2  the API never accepted anything but a document that was dropped
I3  no document was accepted twice, unless its receipt says `in_doubt`
I4  `done/` holds only what the API accepted
I5  a document that is not done has a sidecar that tells why
I6  nothing is left behind: no room for a receipt, no note without its document, no second name

Raises AssertionError with the name of what is broken.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.integration.place import documents, names, sidecar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn


def assert_all_delivered(api: StandIn, place: Place, dropped: Mapping[str, bytes]) -> None:
    """Everything that was dropped is done, and nothing else is anywhere."""
    assert documents(place.done) == sorted(dropped), "I1: not all are done, or others are"
    assert names(place.failed) == [], "I1: something failed"
    assert_sound(api, place, dropped)


def assert_sound(api: StandIn, place: Place, dropped: Mapping[str, bytes]) -> None:
    """I1 to I6 hold; nothing may be under way."""
    _assert_each_in_one_place(place, dropped)
    accepted = [request.part.content for request in api.requests if request.answered]
    assert {_digest(one) for one in accepted} <= {_digest(one) for one in dropped.values()}, "I2: sent half or foreign"
    for name in documents(place.done):
        content = (place.done / name).read_bytes()
        times = accepted.count(content)
        assert times, f"I4: {name} was never accepted"
        assert times == 1 or sidecar(place.done / name)["in_doubt"], f"I3: {name} was accepted {times} times"
    for name in documents(place.failed):
        assert sidecar(place.failed / name)["error"], f"I5: {name}"
    _assert_nothing_left_behind(place)


def _assert_each_in_one_place(place: Place, dropped: Mapping[str, bytes]) -> None:
    folders = (place.drop, place.work, place.done, place.failed)
    lying: dict[str, list[Path]] = {}
    for folder in folders:
        for name in documents(folder):
            lying.setdefault(_digest((folder / name).read_bytes()), []).append(folder / name)
    for name, content in dropped.items():
        found = lying.get(_digest(content), [])
        assert len(found) == 1, f"I1: {name} lies in {found}"


def _assert_nothing_left_behind(place: Place) -> None:
    waiting = set(documents(place.work))
    for name in names(place.work):
        assert name in waiting or name.removesuffix(".json") in waiting, f"I6: {name} in the work folder"
    for folder in (place.done, place.failed):
        for name in names(folder):
            assert stat.S_ISREG(os.lstat(folder / name).st_mode), f"I6: {name} is no file"
            assert name.removesuffix(".json") in names(folder), f"I6: {name} without its document"
    for folder in (place.drop, place.work, place.done, place.failed):
        for name in documents(folder):
            assert (folder / name).stat().st_nlink == 1, f"I6: {folder / name} has a second name"


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
