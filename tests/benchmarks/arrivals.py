"""What has reached the sink, by order, as a run goes on.

Each order is to arrive once. Raises VoidError when one arrives twice, or nothing arrives for long: the sender's fault.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks import load
from tests.benchmarks.load import VoidError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tests.benchmarks.peers import Place
    from tests.benchmarks.service import Service
    from tests.benchmarks.sink import Sink

_EVERY = 0.25
_PATIENCE = 30.0


class Arrivals:
    """The arrivals at a sink from now on.

    Attributes:
        at: for each order when the head of its request was whole, ns of CLOCK_MONOTONIC.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        sink.arrivals()
        self.at: dict[str, int] = {}

    def look(self) -> None:
        """Bring `at` up to date."""
        for order, at, *_ in self._sink.arrivals():
            if order in self.at:
                raise VoidError(f"order {order} reached the sink twice")
            self.at[order] = at

    def wait_for(self, service: Service, orders: Collection[str]) -> None:
        """Return once all these have arrived."""
        self._until(service, lambda: all(order in self.at for order in orders))

    def wait_for_any(self, service: Service, count: int) -> None:
        """Return once so many have arrived, whichever they are."""
        self._until(service, lambda: len(self.at) >= count)

    def moments(self) -> list[int]:
        """Return all moments, in their order."""
        return sorted(self.at.values())

    def _until(self, service: Service, is_enough: Callable[[], bool]) -> None:
        before, moved_on = -1, time.monotonic()
        self.look()
        while not is_enough():
            service.check()
            if len(self.at) > before:
                before, moved_on = len(self.at), time.monotonic()
            if time.monotonic() > moved_on + _PATIENCE:
                raise VoidError(f"nothing arrived for {_PATIENCE:g} s, and {len(self.at)} were not all")
            time.sleep(_EVERY)
            self.look()


def deliver(service: Service, place: Place, sink: Sink, orders: Sequence[str], size: int = load.SIZE) -> Arrivals:
    """Have documents of these orders delivered, moved in all at once, and wait until they are filed."""
    staged = place.root / "staged"
    staged.mkdir(exist_ok=True)
    load.burst(staged, orders, size)
    arrivals = Arrivals(sink)
    load.moved(place.drop, orders, staged)
    arrivals.wait_for(service, orders)
    await_all_filed(service, place, orders)
    return arrivals


def await_all_filed(service: Service, place: Place, orders: Iterable[str]) -> None:
    """Return once the documents of these orders, which have arrived, are filed; the folder is not listed for that."""
    deadline = time.monotonic() + _PATIENCE
    for order in orders:
        while not (place.done / f"{order}.pdf").exists():
            service.check()
            if time.monotonic() > deadline:
                raise VoidError(f"{order}.pdf arrived and was not filed within {_PATIENCE:g} s")
            time.sleep(_EVERY / 10)
