"""The same stand-in, place and program as in `tests/integration`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.warm import Warm
from tests.integration.conftest import Start, api, daemon, place, starting
from tests.integration.program import EXECUTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.place import Place

__all__ = ["api", "daemon", "place", "start", "warm"]


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Start programs, each executed as the service manager does, and see to it that none is left."""
    with starting(place, EXECUTED) as start:
        yield start


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    """Start the program where it has to be started very often."""
    with Warm(tmp_path / "warm.log") as warm:
        yield warm
