"""Any order of events: what people do at the share, what befalls the API, the disk and the program itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.soak.actions import Share
from tests.faults.soak.ledger import assert_kept, assert_settled
from tests.faults.soak.machine import EXAMPLES, run_machine
from tests.faults.soak.moody import FINE, REFUSING, MoodyApi
from tests.integration.place import Place, documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEEDS = [
    int(line.split(maxsplit=1)[0])
    for line in Path(__file__).with_name("seeds.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("number", SEEDS)
def test_whatever_happens(number: int, record_property: Callable[[str, object], None]) -> None:
    """Nothing is lost, doubled, sent half, or left without a word, and all that can be delivered is, in the end."""
    totals: Counter[str] = Counter()
    run_machine(number, totals)
    record_property(f"machine, seed {number}", ", ".join(f"{count} {what}" for what, count in sorted(totals.items())))
    assert totals["examples"] >= EXAMPLES
    assert totals["requests"]
    assert totals["kills"]


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    """Give a share with one document that is done and one that failed, and the history that goes with it."""
    with MoodyApi() as api:
        place = Place(tmp_path, api.base_url)
        share = Share(place, api)
        share.drop("pdf", "move")
        share.drop("mismatch", "move")
        assert place.once().status == 1
        assert (len(documents(place.done)), len(documents(place.failed))) == (1, 1)
        assert_settled(share, [])
        yield share


def test_a_loss_is_noticed(share: Share) -> None:
    """The machine sees a document that is nowhere."""
    (share.place.done / share.papers[0].name).unlink()
    with pytest.raises(AssertionError, match="I1"):
        assert_kept(share)


def test_a_changed_byte_is_noticed(share: Share) -> None:
    """The machine sees a document that is not what was dropped."""
    (share.place.done / share.papers[0].name).write_bytes(share.papers[0].content[:-1])
    with pytest.raises(AssertionError, match="I1"):
        assert_kept(share)


def test_a_document_that_was_never_accepted_is_noticed(share: Share) -> None:
    """The machine sees a document in the done folder that the API did not take."""
    share.api.history.clear()
    with pytest.raises(AssertionError, match="I4"):
        assert_settled(share, [])


def test_a_document_that_was_sent_twice_is_noticed(share: Share) -> None:
    """The machine sees a document that was accepted twice without a reason."""
    share.api.history *= 2
    with pytest.raises(AssertionError, match="I3"):
        assert_settled(share, [])


def test_a_foreign_request_is_noticed(share: Share) -> None:
    """The machine sees a request that holds half of a document."""
    half = share.api.history[0].content[:99]
    share.api.history.append(share.api.history[0]._replace(content=half))
    with pytest.raises(AssertionError, match="I2"):
        assert_kept(share)


def test_a_wrong_reason_is_noticed(share: Share) -> None:
    """The machine sees a document that was rejected for something that it does not have."""
    share.papers[1].flaw = "empty"
    with pytest.raises(AssertionError, match="I5"):
        assert_settled(share, [])


def test_a_port_that_refuses_stays_the_same(share: Share) -> None:
    """The machine's API can refuse connections, and be there again at the same address."""
    before = share.api.base_url
    share.api.turn(REFUSING)
    share.drop("pdf", "move")
    assert share.place.once().status == 75
    share.api.turn(FINE)
    assert share.api.base_url == before
    assert share.place.once().status == 0
    assert_settled(share, [])
