"""What must hold after every fault, once the program has run undisturbed again.

I1  every file that was dropped whole lies in exactly one of the four folders, byte for byte
I2  the API never got anything whole but a document that was dropped
I3  no document was sent again after it was accepted, or may have been, unless its receipt says `in_doubt`
I4  `done/` holds what the API accepted, and nothing else; in `failed/` such a document is in doubt
I5  whatever is not done is named in the log with a reason, and in its sidecar where it has one
I6  every sidecar can be read, tells of the document beside it, and has one; nothing is left behind: no room for a
    receipt, no note without its document, no second name
I7  the secret is in no file but the configuration, in no output, and in no process list

Folders for months in `done/` count as it. Raises AssertionError with the name of what is broken.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.place import documents, names, sidecar, with_months
from tests.integration.program import API_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.place import Place
    from tests.integration.stand_in import Request, StandIn

_SHORTCUT, _ADDRESS = b"[InternetShortcut]", b"URL="


def assert_all_delivered(api: StandIn, place: Place, dropped: Mapping[str, bytes]) -> None:
    """Everything that was dropped is done, and nothing else is anywhere."""
    done = sorted(name for folder in with_months(place.done) for name in documents(folder))
    assert done == sorted(dropped), f"I1: not all are done, or others are: {set(done) ^ set(dropped)}"
    assert names(place.failed) == [], "I1: something failed"
    assert_sound(api, place, dropped)


def assert_sound(api: StandIn, place: Place, dropped: Mapping[str, bytes], log: str | None = None) -> None:
    """I1 to I7 hold; nothing may be under way.

    Args:
        api: what the program talked to.
        place: its folders.
        dropped: by name, all that was dropped whole.
        log: what it printed since the first was dropped; None where that is not at hand, and nothing waits or failed.
    """
    _assert_each_in_one_place(place, dropped)
    known = {_digest(_as_sent(one)) for one in dropped.values()}
    assert {_digest(one.part.content) for one in api.requests} <= known, "I2: sent half or foreign"
    _assert_sidecars_tell_the_truth(place)
    _assert_done_is_accepted(api.requests, place)
    _assert_the_rest_is_named(place, log)
    _assert_nothing_left_behind(place)
    assert_secret_kept(place)


def assert_secret_kept(place: Place) -> None:
    """I7; to be asked while a program runs, too. What a program prints is looked at when it has ended."""
    for folder, _, files in os.walk(place.root):
        for path in (Path(folder) / name for name in files):
            if path != place.config and path.is_file():
                assert API_CODE.encode() not in path.read_bytes().lower(), f"I7: {path}"
    for line in _command_lines():
        assert str(place.root).encode() not in line or API_CODE.encode() not in line.lower(), f"I7: {line!r}"


def _command_lines() -> Iterator[bytes]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes()
        except OSError:  # it has ended
            continue


def _assert_each_in_one_place(place: Place, dropped: Mapping[str, bytes]) -> None:
    lying: dict[str, list[Path]] = {}
    for folder in _folders(place):
        for name in documents(folder):
            lying.setdefault(_digest((folder / name).read_bytes()), []).append(folder / name)
    for name, content in dropped.items():
        found = lying.get(_digest(content), [])
        assert len(found) == 1, f"I1: {name} lies in {found}"


def _assert_done_is_accepted(requests: list[Request], place: Place) -> None:
    accepted = [one.part.content for one in requests if one.status == 200]
    unknown = [one.part.content for one in requests if one.status is None]
    for path in (folder / name for folder in with_months(place.done) for name in documents(folder)):
        name, content = path.name, _as_sent(path.read_bytes())
        assert content in accepted, f"I4: {name} was never accepted"
        times = accepted.count(content) + unknown.count(content)
        assert times == 1 or sidecar(path)["in_doubt"], f"I3: {name} was sent {times} times"
    for name in documents(place.failed):
        was_accepted = _as_sent((place.failed / name).read_bytes()) in accepted
        assert not was_accepted or sidecar(place.failed / name)["in_doubt"], f"I4: {name} was accepted, and failed"


def _assert_the_rest_is_named(place: Place, log: str | None) -> None:
    for name in documents(place.failed):
        error = sidecar(place.failed / name)["error"]
        assert all((error["reason"], error["message"], error["hint"])), f"I5: {place.failed / name}"
    for folder in (place.drop, place.work, place.failed):
        for name in documents(folder):
            assert log is None or any(_names(line, name) for line in log.splitlines()), f"I5: {name} waits in silence"


def _names(line: str, name: str) -> bool:
    """Whether a line of the log names a file and says something of it: only a reason stands there."""
    return name in line and "delivered" not in line


def _assert_sidecars_tell_the_truth(place: Place) -> None:
    for folder in (*with_months(place.done), place.failed):
        for name in documents(folder):
            assert f"{name}.json" in names(folder), f"I6: {folder / name} without its sidecar"
    done = [(folder, "done") for folder in with_months(place.done)]
    for folder, state in ((place.work, "waiting"), *done, (place.failed, "failed")):
        for path in folder.glob("*.json"):
            document = path.with_suffix("")
            told = sidecar(document)
            assert document.exists(), f"I6: {path} without its document"
            digest = _digest(document.read_bytes())
            assert told["sha256"] in {None, digest}, f"I6: {path} is of other bytes"  # None: too large to be read
            assert told["file"] == document.name, f"I6: {path} is of another"
            assert told["state"] == state, f"I6: {path} says {told['state']}"


def _assert_nothing_left_behind(place: Place) -> None:
    waiting = set(documents(place.work))
    for name in names(place.work):
        assert name in waiting or name.removesuffix(".json") in waiting, f"I6: {name} in the work folder"
    for folder in (*with_months(place.done), place.failed):
        for name in names(folder):
            assert stat.S_ISREG(os.lstat(folder / name).st_mode), f"I6: {name} is no file"
    for folder in _folders(place):
        for name in documents(folder):
            assert (folder / name).stat().st_nlink == 1, f"I6: {folder / name} has a second name"


def _folders(place: Place) -> tuple[Path, ...]:
    return (place.drop, place.work, *with_months(place.done), place.failed)


def _as_sent(content: bytes) -> bytes:
    """Of a shortcut only the link is sent."""
    if not content.startswith(_SHORTCUT):
        return content
    return next(line.removeprefix(_ADDRESS) for line in content.splitlines() if line.startswith(_ADDRESS))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
