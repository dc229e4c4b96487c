"""`done_layout: month`: done/ in folders for months, as an accountant keeps them, and a change of mind at any time."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.integration.answers import refused
from tests.integration.place import documents, names, pdf, sidecar, with_months
from tests.integration.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn


def month_of(document: Path) -> str:
    """Return the month in which a document was delivered, as its receipt has it."""
    return str(sidecar(document)["finished_at"])[:7]


def test_each_delivery_lies_with_its_receipt_in_its_month(api: StandIn, place: Place, start: Start) -> None:
    """What is rejected stays in failed/ itself, and a second of one name gets its number as ever."""
    place.configure(done_layout="month")
    start()
    api.script("bad", refused(103, "Order is already shipped or cancelled"))
    place.put("bad.pdf", pdf("bad"))
    for name, filed in (("12345.pdf", "12345.pdf"), ("12345.pdf", "12345.2.pdf"), ("7.pdf", "7.pdf")):
        place.put(name, pdf(filed))
        place.until_done(filed)
    place.until_failed("bad.pdf")
    assert names(place.done) == []
    for name, path in place.delivered().items():
        assert path == place.done / month_of(path) / name
        assert path.read_bytes() == pdf(name)
    assert sorted(place.delivered()) == ["12345.2.pdf", "12345.pdf", "7.pdf"]
    assert names(place.failed) == ["bad.pdf", "bad.pdf.json"]


def test_the_layout_may_be_changed_while_it_runs(place: Place, start: Start) -> None:
    """done_layout is changed and reloaded: what was filed stays where it lies, and is in nobody's way."""
    daemon = start()
    for count, layout in enumerate(("flat", "month", "flat"), start=1):
        if count > 1:
            place.configure(done_layout=layout)
            daemon.send(signal.SIGHUP)
            daemon.says("ready: watching", times=count)
        place.put("12345.pdf", pdf(f"version {count}"))
        until(lambda: sum(len(documents(one)) for one in with_months(place.done)) == count, layout)  # noqa: B023
    assert documents(place.done) == ["12345.2.pdf", "12345.pdf"]
    (month,) = with_months(place.done)[1:]
    assert names(month) == ["12345.pdf", "12345.pdf.json"]
    assert (month / "12345.pdf").read_bytes() == pdf("version 2")
    assert month.name == month_of(month / "12345.pdf")


def test_a_file_called_as_the_month_delays_no_upload(place: Place, start: Start) -> None:
    """The invoice is delivered into done/ itself, and the log says why, and what to do."""
    place.configure(done_layout="month")
    today = datetime.now(UTC)
    place.done.mkdir()
    for day in (today, today + timedelta(days=1)):  # the month may turn during the test
        (place.done / f"{day:%Y-%m}").write_text("minutes of the meeting")
    daemon = start()
    place.put("12345.pdf", pdf())
    place.until_done("12345.pdf")
    assert place.delivered()["12345.pdf"] == place.done / "12345.pdf"
    line = daemon.says("take it away")
    assert str(place.done / month_of(place.done / "12345.pdf")) in line


def test_a_month_that_somebody_removes_comes_back(place: Place, daemon: Program) -> None:
    """An accountant moves the whole month to another disk while the daemon runs; the next delivery opens it anew."""
    place.configure(done_layout="month")
    daemon.send(signal.SIGHUP)
    daemon.says("ready: watching", times=2)
    for count in range(2):
        place.put("12345.pdf", pdf())
        place.until_done("12345.pdf")
        (month,) = with_months(place.done)[1:]
        assert names(month) == ["12345.pdf", "12345.pdf.json"]
        month.rename(place.root / f"archive {count}")
    assert with_months(place.done) == [place.done]
