"""Told an error at every call of a delivery that changes a file: nothing lost, nothing doubled, and on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import FILE_CALLS, injected, needs_strace, was_hit
from tests.faults.invariants import assert_all_delivered
from tests.integration.place import pdf
from tests.integration.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

MOST = 100
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT", "EMFILE")


@needs_strace
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", FILE_CALLS)
def test_an_error_at_every_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn, place: Place, start: Start, tmp_path: Path, call: str, error: str
) -> None:
    """The first, the second, … such call of a delivery fails once: the invoice is delivered all the same."""
    place.configure(api__workers=1)
    daemon = start()
    dropped: dict[str, bytes] = {}
    for number in range(1, MOST):
        trace, name, content = tmp_path / f"trace-{number}", f"{number}.pdf", pdf(f"{number}")
        with injected(daemon.pid, call, f"error={error}", number, trace):
            dropped[name] = content
            place.put(name, content)
            place.until_done(name)
            until(lambda: not (place.work / f"{name}.json").exists() or was_hit(trace))  # noqa: B023
        if not was_hit(trace):
            break
    assert 1 < number < MOST
    assert daemon.stop() == 0
    finished = place.once()
    assert finished.status == 0, finished.err
    assert_all_delivered(api, place, dropped)
    assert len(api.requests) == len(dropped), "sent again, though the answer was known"
