"""What the daemon loads, and a bare process that loads the same.

The same means: every module that the running daemon has loaded and that is not its own, the standard library's and
the packages', in the order in which it loaded them. There are two such lists, since some modules are loaded only when
they are needed: as of the moment it said READY, and as of its end, after it had delivered a document. They are taken
from the daemon itself, run by `witness.py`; `bare.py` is the bare process. Raises VoidError with the daemon.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import deliver
from tests.benchmarks.peers import DAEMON, Place
from tests.benchmarks.service import started
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.benchmarks.service import Service

_HERE = Path(__file__).resolve().parent


class Loaded(NamedTuple):
    """Files that list modules, one in a line: none, those loaded at READY, and those loaded in the end."""

    nothing: Path
    when_ready: Path
    in_the_end: Path


def loaded(folder: Path) -> Loaded:
    """Run the daemon once in a new folder `imports` in this one, and return what it loaded."""
    root = folder / "imports"
    root.mkdir(parents=True)
    lists = Loaded(root / "nothing", root / "when-ready", root / "in-the-end")
    lists.nothing.touch()
    with Sink() as sink:
        place = Place(root, sink.base_url, 4)
        place.drop.mkdir()
        witness = [sys.executable, str(_HERE / "witness.py"), str(lists.when_ready), str(lists.in_the_end)]
        with started([*witness, *DAEMON.command(place)[1:]], root / "log") as service:
            service.await_ready()
            deliver(service, place, sink, load.orders(0, 1))
            service.stop()
    return lists


def bare(modules: Path) -> AbstractContextManager[Service]:
    """Start a process that loads these modules, says READY, and waits for its end."""
    return started([sys.executable, str(_HERE / "bare.py"), str(modules)], modules.with_name("bare.log"))
