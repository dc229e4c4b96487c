"""A sink, a place for each run, and a wasteful version of the program."""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.peers import Place
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What is added to each of the four fsyncs of a delivered document: a call of the kernel, and a hundred objects.
_WASTE = """\
import os
fsync = os.fsync
def wasteful(descriptor):
    os.stat("/")
    [object() for _ in range(100)]
    sum(range(5_000))
    return fsync(descriptor)
os.fsync = wasteful
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot be counted here: `make test-costs` installs what it takes."""
    missing = [program for program in ("strace", "valgrind") if shutil.which(program) is None]
    if os.geteuid() != 0:
        missing.append("root (the program lets nobody else look into it)")
    if missing:
        for item in items:
            if "tests/costs" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(missing)}"))


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    """Give a stand-in for the API."""
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def fresh(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    """Give places where nobody worked before."""
    root, numbers = tmp_path_factory.mktemp("costs"), count()
    return lambda: Place(root / str(next(numbers)), sink.base_url)


@pytest.fixture
def wasteful(tmp_path: Path) -> dict[str, str]:
    """Give the environment in which Python starts with something wasteful added (the `site` module's sitecustomize)."""
    (tmp_path / "sitecustomize.py").write_text(_WASTE)
    return {"PYTHONPATH": str(tmp_path)}
