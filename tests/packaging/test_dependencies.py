"""What is installed with the program: each may be passed on, is explained and is used.

Names and licences are those that the installed distributions tell of themselves (core metadata: License-Expression, PEP
639; the trove classifiers; the free text of old).
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("systemd", "sandbox", "metrics", "notify")
DIRECT = [*PROJECT["dependencies"], *(line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra])]

# All of these let the program be passed on under its own licence: what they ask for (a text that is kept, changes to
# the library itself that stay free) concerns the library, which we only import.
PERMISSIVE = r"Apache|BSD|ISC|MIT|PSF|Python-2\.0|Python Software Foundation|Unlicense"
OF_THEIR_FILES = r"MPL|Mozilla|LGPL|Lesser General"
# What these say of themselves cannot be read by a program; a person has read it.
BY_HAND = {"systemd-python": "LGPL-2.1-or-later"}


def _installed(requirements: Iterable[str], seen: dict[str, Distribution], extras: frozenset[str]) -> None:
    """Collect what requirements come to, with all that those require in turn."""
    for line in requirements:
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker and not any(requirement.marker.evaluate(one) for one in environments):
            continue
        name = requirement.name.lower().replace("_", "-")
        try:
            found = distribution(name)
        except PackageNotFoundError:
            assert name == "systemd-python", name  # which cannot be built everywhere
            continue
        if name not in seen:
            seen[name] = found
            _installed(found.requires or (), seen, frozenset(requirement.extras))


def _licences(found: Distribution) -> Iterator[str]:
    told = found.metadata
    if "License-Expression" in told:
        yield from re.split(r" (?:AND|OR) ", told["License-Expression"].strip("()"))
        return
    classified = [one for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    yield from (one.rpartition(" :: ")[2] for one in classified)
    if not classified:
        yield BY_HAND.get(found.name) or told["License"]


@pytest.fixture(scope="module")
def installed() -> dict[str, Distribution]:
    """Return all that comes with the program and its extras, as it is installed here, by name."""
    seen: dict[str, Distribution] = {}
    _installed(DIRECT, seen, frozenset())
    return seen


def test_each_may_be_passed_on(installed: dict[str, Distribution]) -> None:
    """A dependency under a licence that nobody has weighed is noticed when it comes, not by a lawyer of a user."""
    assert {"requests", "certifi", "jinja2", "markupsafe"} <= installed.keys()
    strange = {
        name: licences
        for name, found in installed.items()
        if not (licences := list(_licences(found)))
        or not all(re.search(f"{PERMISSIVE}|{OF_THEIR_FILES}", one) for one in licences)
    }
    assert strange == {}


def test_each_that_we_ask_for_is_explained(installed: dict[str, Distribution]) -> None:
    """ARCHITECTURE.md says of each package why this one."""
    text = (
        (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("\n## Dependencies\n")[2].partition("\n## ")[0]
    )
    explained = {
        name
        for line in text.splitlines()
        if line.startswith("| ")
        for name in re.findall(r"[a-z][a-z0-9-]+", line.split("|")[1])
    }
    assert {Requirement(line).name.lower() for line in DIRECT} - explained == set()


def test_each_that_we_ask_for_is_imported() -> None:
    """A package that nothing uses any more is not installed on anybody's machine."""
    modules = {"pyyaml": "yaml", "prometheus-client": "prometheus_client", "systemd-python": "systemd"}
    source = "\n".join(one.read_text(encoding="utf-8") for one in (ROOT / "invoice_watcher").rglob("*.py"))
    names = [Requirement(line).name.lower() for line in DIRECT]
    unused = [name for name in names if not re.search(rf"\b(?:import|from) {modules.get(name, name)}\b", source)]
    assert unused == []
