"""The same stand-in, place and program as in `tests/integration`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.warm import Warm
from tests.integration.conftest import api, daemon, place, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["api", "daemon", "place", "start", "warm"]


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    """Start the program where it has to be started very often."""
    with Warm(tmp_path / "warm.log") as warm:
        yield warm
