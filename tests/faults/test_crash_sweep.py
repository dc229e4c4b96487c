"""Killed at every call of a delivery that changes a file or talks to the API, and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from invoice_watcher.receipt import encode
from tests.faults.injection import FILE_CALLS, NETWORK_CALLS, injected, needs_strace
from tests.faults.invariants import assert_sound
from tests.integration.answers import OK, Answer, refused
from tests.integration.place import documents, names, pdf, sidecar, with_months
from tests.integration.program import until
from tests.support.box import receipt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.warm import Warm
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

# More calls than a delivery makes: the sweep ends when none is left, and this only keeps it from going on for ever.
MOST = 100
SHORTCUT = "[InternetShortcut]\r\nURL=https://example.com/{}.pdf\r\n"


class Delivery(NamedTuple):
    """One way from the drop folder to another; `least` is how many calls it makes at the very least.

    `status` is that of a run that takes it there, and `layout` that of the done folder. What `was_failed` has been
    moved back from failed, where its receipt lies still.
    """

    name: str
    content: Callable[[str], bytes]
    answers: tuple[Answer, ...]
    least: int
    status: int = 0
    layout: str = "flat"
    was_failed: bool = False


DELIVERIES = {
    "document": Delivery("{}.pdf", pdf, (OK,), 15),
    "shortcut": Delivery("{}.url", lambda number: SHORTCUT.format(number).encode(), (OK,), 15),
    "bad name": Delivery("order no. {}.pdf", pdf, (OK,), 10, 1),
    "by month": Delivery("{}.pdf", pdf, (OK,), 16, layout="month"),
    "second attempt": Delivery("{}.pdf", pdf, (Answer(503, b""), OK), 25),
    # Numbered names, so that their receipts alone say for which order they are.
    "sent again": Delivery("{}.2.pdf", pdf, (OK,), 15, was_failed=True),
    "refused again": Delivery("{}.2.pdf", pdf, (refused(106, "Invoice is wrong"),), 15, 1, was_failed=True),
}


@needs_strace
@pytest.mark.parametrize("kind", DELIVERIES)
def test_killed_at_every_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn, place: Place, warm: Warm, tmp_path: Path, record_property: Callable[[str, object], None], kind: str
) -> None:
    """Killed at the first, the second, … call of a delivery: the next start brings the file to its place."""
    delivery = DELIVERIES[kind]
    place.configure(api__workers=1, done_layout=delivery.layout)
    dropped: dict[str, bytes] = {}
    kills = dict.fromkeys(("mkdirat", *FILE_CALLS, *NETWORK_CALLS), 0)
    for call in kills:
        while (number := kills[call] + 1) < MOST:
            label = f"{call}-{number}"
            pid, dropped[f"{label}-0.pdf"] = warm.start_on(api, place, f"{label}-0.pdf")
            name, content = delivery.name.format(label), delivery.content(label)
            _turn_the_month(place)
            api.script(label, *delivery.answers)
            if delivery.was_failed:
                _leave_a_receipt(place, name, label)
            with injected(pid, call, "signal=KILL", number, tmp_path / "trace"):
                place.put(name, content)
                dropped[name] = content
                until(lambda: warm.has_ended or _is_at_its_place(place, name), "an end")  # noqa: B023
            killed = warm.has_ended
            warm.kill()
            known, sent = _is_known(place, name), len(api.of(label))
            status = delivery.status if name in (*documents(place.drop), *documents(place.work)) else 0
            finished = warm.run("run", "--once", "-c", place.config)
            assert finished.status == status, finished.err
            assert documents(place.drop) == documents(place.work) == [], "not all are where they belong"
            assert set(documents(place.failed)) == {one for one in dropped if delivery.status and "-0." not in one}
            assert_sound(api, place, dropped)
            assert not delivery.was_failed or _order_of(place, name) == label, f"{label}: its order was forgotten"
            assert not known or len(api.of(label)) == sent, f"{label}: sent again, though the answer was written down"
            if not killed:
                break
            kills[call] = number
    record_property(f"killed at each call of a delivery ({kind})", kills)
    assert sum(kills.values()) >= delivery.least
    assert kills["mkdirat"] == (delivery.layout == "month")
    assert max(kills.values()) < MOST - 1


def _turn_the_month(place: Place) -> None:
    """Let this month's folder be an old one's, so that the next delivery has to make its own."""
    months = with_months(place.done)[1:]
    if months:
        months[-1].rename(place.done / f"{1000 + len(months)}-01")


def _leave_a_receipt(place: Place, name: str, order: str) -> None:
    """Leave in failed what a document leaves there that is moved back."""
    left = msgspec.structs.replace(receipt("failed", name), order_id=order)
    (place.failed / f"{name}.json").write_bytes(encode(left))


def _order_of(place: Place, name: str) -> str | None:
    """Return for which order a document was, as its receipt in done or failed says."""
    order: str | None = sidecar(place.delivered().get(name, place.failed / name))["order_id"]
    return order


def _is_at_its_place(place: Place, name: str) -> bool:
    return place.is_filed(place.done, name) or place.is_filed(place.failed, name)


def _is_known(place: Place, name: str) -> bool:
    """Whether what is to become of it is written down: in its note, or by where it lies."""
    noted = f"{name}.json" in names(place.work) and sidecar(place.work / name)["state"] != "waiting"
    return noted or name in names(place.failed) or name in place.delivered()
