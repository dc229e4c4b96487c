"""What each test gets: a stand-in for the API, a place to drop into, and the program running there.

When a test ends, every process is gone, and whatever it left is looked at: no client broke the API's rules, and the
secret is in no file but the configuration.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.integration.place import Place
from tests.integration.program import API_CODE, Program
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from _typeshed import StrPath


class Start(Protocol):
    """Starts the program with the place's configuration; without arguments as the daemon."""

    def __call__(self, *arguments: StrPath, within: Sequence[StrPath] = (), **env: str) -> Program:
        """Return it, as a daemon once it watches; `within` is a command that executes it."""


@pytest.fixture
def api() -> Iterator[StandIn]:
    """Serve the API; in the end no request may have broken its rules."""
    with StandIn() as api:
        yield api
    assert api.faults == []


@pytest.fixture
def place(tmp_path: Path, api: StandIn) -> Iterator[Place]:
    """Make a drop folder; in the end no receipt in it may hold the secret."""
    place = Place(tmp_path, api.base_url)
    yield place
    for path in place.drop.rglob("*.json"):
        assert API_CODE not in path.read_text(encoding="utf-8").lower(), path


@contextmanager
def starting(place: Place, around: Sequence[StrPath] = ()) -> Iterator[Start]:
    """Start programs, `around` each this command if no other, and see to it that none is left."""
    programs: list[Program] = []

    def start(*arguments: StrPath, within: Sequence[StrPath] = around, **env: str) -> Program:
        program = Program(*(arguments or ("run", "-c", place.config)), env=env, within=within)
        programs.append(program)
        if not arguments:
            program.says("ready: watching")
        return program

    yield start
    for program in programs:
        program.process.kill()
    for program in programs:
        program.end()
        print(program.err)  # noqa: T201 - pytest shows it beside a failure


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Start programs, and see to it that none is left."""
    with starting(place) as start:
        yield start


@pytest.fixture
def daemon(start: Start) -> Program:
    """Run the daemon on the place."""
    return start()
