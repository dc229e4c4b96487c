"""Told an error at every call of a delivery: nothing lost, nothing doubled, and on by itself."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import FILE_CALLS, NETWORK_CALLS, injected, needs_strace, was_hit
from tests.faults.invariants import assert_all_delivered
from tests.faults.warm import GOODBYE
from tests.integration.place import names, pdf
from tests.integration.program import lines_with, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.warm import Warm
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

MOST = 100
ANYWHERE = ("ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT", "EMFILE")
DISK = [*product(FILE_CALLS, ANYWHERE), *product(("renameat2", "renameat", "linkat"), ("EXDEV",))]
NETWORK = [*product(NETWORK_CALLS, ("ECONNRESET", "EPIPE", "ETIMEDOUT", "ENETUNREACH"))]


@needs_strace
@pytest.mark.parametrize("call", FILE_CALLS)
def test_an_error_of_the_disk_at_every_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn, place: Place, warm: Warm, tmp_path: Path, record_property: Callable[[str, object], None], call: str
) -> None:
    """The first, the second, … such call of a delivery fails once: delivered all the same, and sent but once."""
    errors = [error for one, error in DISK if one == call]
    dropped = _swept(api, place, warm, tmp_path, call, errors)
    record_property(f"an error at each {call} of a delivery, {len(errors)} errors", len(dropped) - 2 * len(errors))
    assert_all_delivered(api, place, dropped)
    assert len(api.requests) == len(dropped), "sent again, though the answer was known"


@needs_strace
@pytest.mark.parametrize("call", NETWORK_CALLS)
def test_an_error_of_the_network_at_every_call(  # noqa: PLR0913, PLR0917 - pytest gives what is asked for
    api: StandIn, place: Place, warm: Warm, tmp_path: Path, record_property: Callable[[str, object], None], call: str
) -> None:
    """The first, the second, … such call of a delivery fails once: sent again, and told where it may have arrived."""
    place.configure(api__read_timeout="1s")  # a call that failed for no reason leaves a connection on which each waits
    errors = [error for one, error in NETWORK if one == call]
    dropped = _swept(api, place, warm, tmp_path, call, errors)
    record_property(f"an error at each {call} of a delivery, {len(errors)} errors", len(dropped) - 2 * len(errors))
    assert_all_delivered(api, place, dropped)


def _swept(  # noqa: PLR0913, PLR0917 - what, where, and of whom
    api: StandIn, place: Place, warm: Warm, tmp_path: Path, call: str, errors: list[str]
) -> dict[str, bytes]:
    """Let each call meet each error, then have an undisturbed run; returns what was dropped."""
    place.configure(api__workers=1)
    dropped: dict[str, bytes] = {}
    for error in errors:
        pid, dropped[f"{error}-0.pdf"] = warm.start_on(api, place, f"{error}-0.pdf")
        for number in range(1, MOST):
            name = f"{error}-{number}.pdf"
            dropped[name] = pdf(name)
            api.script(name.removesuffix(".pdf"), GOODBYE)
            fault = (call, f"error={error}", number, tmp_path / "trace")
            if not _is_hit(place, warm, pid, (name, dropped[name]), fault):
                break
        assert 1 < number < MOST
        warm.kill()
    finished = warm.run("run", "--once", "-c", place.config)
    assert finished.status == 0, finished.err
    return dropped


def _is_hit(place: Place, warm: Warm, pid: int, file: tuple[str, bytes], fault: tuple[str, str, int, Path]) -> bool:
    """Drop a file, and wait until it is done though a call failed; False when there is no such call."""
    name, content = file
    trace = fault[-1]
    trace.unlink(missing_ok=True)
    with injected(pid, *fault):
        place.put(name, content)
        # The note goes last. One failure is enough: each thread would meet its own.
        until(lambda: was_hit(trace) or place.is_filed(place.done, name), f"{name} done")
    until(lambda: name in names(place.done) or lines_with(f"{name} cannot be read", warm.err.splitlines()), name)
    if name not in names(place.done):
        place.put(name, content)  # as the log says
        until(lambda: name in names(place.done), f"{name} done")
    return was_hit(trace)
