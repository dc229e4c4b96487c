"""The stand-in, the package's folders and the program as the service's user, all behind a real Samba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.users import daemon, place
from tests.integration.conftest import api, start
from tests.samba.server import Samba, Share, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Place

__all__ = ["api", "daemon", "place", "start"]


@pytest.fixture(scope="session")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """Run one server for all tests."""
    samba = Samba(tmp_path_factory.mktemp("samba"))
    yield samba
    samba.close()


@pytest.fixture
def share(samba: Samba, place: Place) -> Iterator[Share]:
    """Show the place through Samba."""
    with shared(samba, place) as share:
        yield share
