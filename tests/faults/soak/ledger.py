"""What must hold of a share, judged by what was dropped and by what the API was sent: I1 to I6, see `invariants`.

`assert_kept` holds at every moment at which the program does not run; `assert_settled` when all that was wrong is
mended, and nothing is left to do. Raises AssertionError with the name of what is broken.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.faults.soak.ground import FOLDERS
from tests.faults.soak.moody import Meaning
from tests.integration.place import documents, names
from tests.integration.program import API_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.faults.soak.actions import Share
    from tests.faults.soak.moody import Reply
    from tests.faults.soak.papers import Paper

MOST_FAILURES = 4  # what `retry.max_attempts` is set to
MOST_CRASHES = 3


def assert_kept(share: Share) -> None:
    """I1: each file lies in exactly one folder, byte for byte. I2: nothing else was sent. I6: all sidecars parse."""
    wanted = Counter(paper.content for paper in share.papers if not paper.gone)
    lying = list(_lying(share))
    found = Counter(content for _, content in lying)
    for paper in share.papers:
        if wanted[paper.content] != found[paper.content]:
            where = [str(path) for path, content in lying if content == paper.content]
            raise AssertionError(f"I1: {paper.name} (gone: {paper.gone}) lies in {where}")
    for path, content in lying:
        assert content in wanted, f"I1: {path} was never dropped so"
    known = {(order, paper.link or paper.content) for paper in share.papers for order in (paper.order, *paper.before)}
    for reply in share.api.history:
        assert (reply.order, reply.content) in known, f"I2: sent for {reply.order}: {reply.content[:60]!r}"
    for which in FOLDERS[1:]:
        for name in names(share.folder(which)):
            if name.endswith(".json"):
                _read(share.folder(which) / name)


def assert_settled(share: Share, log: Iterable[str]) -> None:
    """I1 to I6, when nothing is left to do; `log` is all that the program said so far."""
    assert_kept(share)
    assert names(share.place.drop) == [], "I5: left in the drop folder"
    assert [name for name in names(share.place.work) if not name.startswith(".")] == [], "I6: left in the work folder"
    doubts = [line for line in log if "it may have arrived" in line]
    papers = {paper.content: paper for paper in share.papers if not paper.gone and paper.content}
    for which in ("done", "failed"):
        folder = share.folder(which)
        for name in documents(folder):
            path = folder / name
            if paper := papers.get(path.read_bytes()):
                _assert_fate(share, paper, path, sum(any(one in line for one in paper.names) for line in doubts))
            elif not path.stat().st_size:
                assert which == "failed", f"I4: {path} is empty"
            assert path.stat().st_nlink == 1, f"I6: {path} has a second name"
        for name in names(folder):
            assert name.removesuffix(".json") in names(folder) or which == "failed", f"I6: {name} without its document"


def _lying(share: Share) -> Iterator[tuple[Path, bytes]]:
    writing = share.writing_name
    for which in FOLDERS:
        folder = share.folder(which)
        for name in documents(folder):
            if not (which == "drop" and name == writing):
                yield folder / name, (folder / name).read_bytes()


def _assert_fate(share: Share, paper: Paper, path: Path, doubts: int) -> None:
    replies = [
        one
        for one in share.api.history[paper.since :]
        if (one.order, one.content) == (paper.order, paper.link or paper.content)
    ]
    told = _told(share, path)
    if path.parent == share.folder("done"):
        proofs = [one for one in replies if one.meaning is Meaning.TAKEN or one.answer.hold]
        assert proofs, f"I4: {path} was never accepted: {_meanings(replies)}"
        assert told is None or (told["state"], told["error"]) == ("done", None), f"I6: {told}"
    elif told is not None:
        assert told["state"] == "failed", f"I6: {told}"
        error = told["error"]
        assert error["message"], f"I5: {path}"
        assert error["hint"], f"I5: {path}"
        assert error["reason"] in _reasons(share, paper, replies), f"I5: {path}: {error} after {_meanings(replies)}"
    if paper.reason:
        assert not replies, f"I2: {path} is no invoice, and was sent"
    _assert_sent_once(share, paper, replies, told, doubts)


def _assert_sent_once(
    share: Share, paper: Paper, replies: list[Reply], told: dict[str, Any] | None, doubts: int
) -> None:
    """I3: sent again only where the answer was lost, and then the receipt says so."""
    if told is not None and sum(one.may_be_taken for one in replies) > 1:
        assert told["in_doubt"], f"I3: {paper.name} was accepted more than once: {_meanings(replies)}"
    final = sum(one.meaning in {Meaning.TAKEN, Meaning.REFUSED} for one in replies)
    deaths = share.deaths - paper.deaths
    excuses = f"{deaths} deaths, {doubts} doubts"
    assert final <= 1 + deaths + doubts, f"I3: {paper.name} was judged, and sent again: {_meanings(replies)}, {excuses}"


def _reasons(share: Share, paper: Paper, replies: list[Reply]) -> set[str]:
    """For what such a document may have been rejected."""
    reasons = {paper.reason}
    meanings = {one.meaning for one in replies}
    if meanings & {Meaning.REFUSED, Meaning.DOUBTED}:
        reasons |= {"order_closed", "wrong_api_code", "http_413", "http_400"}
    if Meaning.AILING in meanings or share.api.turns >= MOST_FAILURES:
        reasons |= {"keeps_failing", "link_unreachable"}
    if share.deaths - paper.deaths >= MOST_CRASHES:
        reasons.add("poison")
    return reasons


def _told(share: Share, path: Path) -> dict[str, Any] | None:
    """Return what the sidecar says; None when a person deleted it."""
    if path in share.torn and not path.with_name(path.name + ".json").exists():
        return None
    told = _read(path.with_name(path.name + ".json"))
    assert told["file"] == path.name, f"I6: {path} has the sidecar of {told['file']}"
    return told


def _read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    assert API_CODE not in text.lower(), f"I7: {path}"
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise AssertionError(f"I6: {path} is no sidecar: {text[:60]!r}") from error
    return told


def _meanings(replies: list[Reply]) -> list[str]:
    return [f"{one.meaning.name} ({one.answer.status})" for one in replies]
