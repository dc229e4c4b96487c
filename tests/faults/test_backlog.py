"""A hundred thousand files lie in the drop folder when the program starts: after an outage, or a forgotten year."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.signals import GRACE
from tests.benchmarks.sink import Sink
from tests.integration.place import Place, documents, names, pdf
from tests.integration.program import Program, until

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 100_000
MEMORY = Path("/dev/shm")  # noqa: S108 - a disk would take minutes
LARGEST = 128 * 1024 * 1024  # bytes of memory that the program may ever have held
_PAGE = 8192  # bytes that a small file takes there, with what is kept about it


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Serve an API that costs next to nothing."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def backlog(sink: Sink) -> Iterator[Place]:
    """Make the folder, with the oldest file under the first name."""
    room = os.statvfs(MEMORY)
    if room.f_bavail * room.f_frsize < 2 * COUNT * _PAGE or room.f_favail < 2 * COUNT:
        pytest.skip(f"{MEMORY} has no room for {COUNT} files")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        place = Place(Path(folder), sink.base_url)
        content = pdf("", 1024)
        for number in range(COUNT):
            (place.drop / f"{number:06}.pdf").write_bytes(content)
        yield place


def test_a_hundred_thousand_files_at_the_start(sink: Sink, backlog: Place) -> None:
    """Ready within five seconds of computing, in bounded memory, oldest first; a stop is quick, and nothing is lost."""
    daemon = Program("run", "-c", backlog.config)
    try:
        daemon.says("ready: watching")
        assert daemon.cpu_seconds < 5  # not by the wall's clock: this machine may be busy
        until(lambda: len(documents(backlog.done)) > 500, "the first deliveries")
        backlog.put("new.pdf", pdf())
        assert daemon.peak_memory < LARGEST
        assert daemon.stop(timeout=GRACE) == 0
    finally:
        daemon.end()
    done = documents(backlog.done)
    sent = [arrival.order for arrival in sink.arrivals()]
    assert sorted(sent) == [name[:-4] for name in done]
    assert done[-1] < f"{len(done) + 8:06}", "the oldest go first; a few are under way at once"
    assert names(backlog.work) == names(backlog.failed) == []
    assert sorted(names(backlog.drop) + done) == [f"{number:06}.pdf" for number in range(COUNT)] + ["new.pdf"]
