"""Killed at every call of a delivery that changes a file or talks to the API, and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import FILE_CALLS, NETWORK_CALLS, injected, needs_strace, was_hit
from tests.faults.invariants import assert_all_delivered
from tests.integration.place import pdf
from tests.integration.program import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

# More calls than a delivery makes: the sweep ends when none is left, and this only keeps it from going on for ever.
MOST = 100


@needs_strace
@pytest.mark.parametrize("call", FILE_CALLS + NETWORK_CALLS)
def test_killed_at_every_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn, place: Place, start: Start, tmp_path: Path, record_property: Callable[[str, object], None], call: str
) -> None:
    """Killed at the first, the second, … call of a delivery: the next start brings the invoice to its place."""
    place.configure(api__workers=1)
    dropped: dict[str, bytes] = {}
    for number in range(1, MOST):
        daemon, trace = start(), tmp_path / f"trace-{number}"
        name, content = f"{number}.pdf", pdf(f"{number}")
        with injected(daemon.pid, call, "signal=KILL", number, trace):
            dropped[name] = content
            place.put(name, content)
            until(lambda: daemon.process.poll() is not None or (place.done / name).exists(), "an end")  # noqa: B023
        daemon.stop()
        finished = place.once()
        assert finished.status == 0, finished.err
        assert_all_delivered(api, place, dropped)
        if not was_hit(trace):
            break
    record_property(f"killed at each {call} of a delivery", number - 1)
    assert 1 < number < MOST
