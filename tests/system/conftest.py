"""What the system tests start from: the package, a tree of Debian, and a site on a booted machine for each module."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system import package
from tests.system.base import base_tree
from tests.system.machine import Machine
from tests.system.site import UNIT, Site, api_of, set_up_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.stand_in import StandIn

TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "unshare", "ip", "dpkg-deb")
HERE = Path(__file__).parent
# The first test of a week makes a tree of Debian.
LONGEST = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time that a booted machine takes."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="session")
def deb() -> Path:
    """Give the package that was built last."""
    if os.geteuid() != 0:
        pytest.skip("only root may boot a machine in a container")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    if (built := package.newest()) is None:
        pytest.skip("there is no package in dist/; make deb")
    return built


@pytest.fixture(scope="session")
def base(deb: Path) -> Path:
    """Give a tree of Debian in which the package can be installed."""
    return base_tree(package.required(deb))


@pytest.fixture(scope="session")
def installed(base: Path, deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what the installation of the package and of a share changes in that tree."""
    layer = tmp_path_factory.mktemp("installed") / "layer"
    with Machine(base, layer=layer) as machine:
        machine.boot()
        machine.run("apt-get", "install", "--yes", machine.copy_in(deb, f"/root/{deb.name}"))
        set_up_share(machine)
        machine.shut_down()
    return layer


@pytest.fixture(scope="module")
def machine(base: Path, installed: Path) -> Iterator[Machine]:
    """Give a booted machine on which the package is installed, and not yet configured."""
    with Machine(installed, base) as machine:
        machine.boot()
        yield machine


@pytest.fixture(scope="module")
def api(machine: Machine) -> Iterator[StandIn]:
    """Give the API that this machine reaches."""
    with api_of(machine) as api:
        yield api


@pytest.fixture(scope="module")
def module_site(machine: Machine, api: StandIn) -> Iterator[Site]:
    """Give a site whose service has started."""
    site = Site(machine, api)
    site.systemctl("enable", "--now", UNIT)
    yield site
    site.assert_sound()


@pytest.fixture
def site(module_site: Site) -> Site:
    """Give the module's site, with a service that works, whatever the test before did to it."""
    module_site.configure()
    module_site.systemctl("reset-failed")
    module_site.systemctl("start", UNIT)
    return module_site
