"""The sidecars in the work folder are all that the program remembers; these are damaged, in every way by turns."""

from __future__ import annotations

import random
import shutil
import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, names, pdf, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

SEED = 20_261_122
FLIPS, CUTS = 60, 8
MODEL = "00000"  # the order in the notes as they were recorded
CONTENT = pdf("the same in all")
NOTES = ("waiting", "sending", "done", "failed")


def test_damaged_notes(
    api: StandIn, place: Place, start: Start, record_property: Callable[[str, object], None]
) -> None:
    """Bits turned over, ends cut off, another version: no document is lost, or sent to an order that is not its own.

    Each is sent once at most, and rests in one place, with its reason where it has failed.
    """
    chance = random.Random(SEED)
    recorded = {so: _recorded(api, place, start, so) for so in NOTES}
    api.default, before = OK, len(api.requests)
    damaged = _damaged(recorded, chance)
    for order, (_, note) in damaged.items():
        (place.work / f"{order}.pdf").write_bytes(CONTENT)
        (place.work / f"{order}.pdf.json").write_bytes(note)
    finished = place.once()
    assert finished.status in {0, 1}, finished.err  # 1 where a number of crashes was damaged to one that is too many
    sent = [request.order_id for request in api.requests[before:]]
    _assert_each_in_its_place(place, {order: so for order, (so, _) in damaged.items()}, sent)
    record_property("damaged notes", len(damaged))


def _recorded(api: StandIn, place: Place, start: Start, so: str) -> bytes:
    """Let the program write such a note, and empty the folders."""
    answers = {
        "waiting": (Answer(500, b"out of order"),),
        "sending": (Answer(500, b"out of order"), Answer(hold=threading.Event())),
        "done": (OK,),
        "failed": (refused(103, "Order is already shipped or cancelled"),),
    }[so]
    api.script(MODEL, *answers)
    before = len(api.requests)
    daemon = start()
    place.put(f"{MODEL}.pdf", CONTENT)
    api.wait_for(before + len(answers))
    if so == "sending":
        daemon.process.kill()
        daemon.wait()
    else:
        assert daemon.stop() == 0
    folder = {"done": place.done, "failed": place.failed}.get(so, place.work)
    note = (folder / f"{MODEL}.pdf.json").read_bytes()
    for path in (folder, place.work):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(exist_ok=True)
    return note


def _damaged(recorded: Mapping[str, bytes], chance: random.Random) -> dict[str, tuple[str, bytes]]:
    """Return damaged notes by order, each with what it was."""
    damaged: list[tuple[str, bytes]] = []
    for so, note in recorded.items():
        damaged += [(so, _flipped(note, chance)) for _ in range(FLIPS)]
        damaged += [(so, note[: chance.randrange(len(note) - 2)]) for _ in range(CUTS)]
        damaged += [(so, note.replace(b'"version": 1', b'"version": %d' % version)) for version in (0, 2, 99)]
        damaged += [(so, note + note), (so, bytes(len(note))), (so, note.replace(MODEL.encode(), b"99999"))]
    orders = (f"{number:05}" for number in range(1, len(damaged) + 1))
    return {
        order: (so, note.replace(MODEL.encode(), order.encode()))
        for order, (so, note) in zip(orders, damaged, strict=True)
    }


def _flipped(note: bytes, chance: random.Random) -> bytes:
    bit = chance.randrange(8 * len(note))
    changed = bytearray(note)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _assert_each_in_its_place(place: Place, orders: Mapping[str, str], sent: list[str]) -> None:
    assert names(place.work) == names(place.drop) == []
    done, failed = documents(place.done), documents(place.failed)
    assert sorted(done + failed) == [f"{order}.pdf" for order in orders]
    assert len(sent) == len(set(sent)), "sent twice"
    assert set(sent) <= set(orders), "sent to an order that nobody named"
    for name in done:
        assert (place.done / name).read_bytes() == CONTENT
        assert name[:-4] in sent or orders[name[:-4]] == "done", f"{name} was never accepted"
    for name in failed:
        assert (place.failed / name).read_bytes() == CONTENT
        assert sidecar(place.failed / name)["error"], name
