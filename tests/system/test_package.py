"""The package, as apt installs, upgrades, removes and purges it; its invoices stay whatever is done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer
from tests.integration.place import names, pdf
from tests.integration.program import API_CODE, until
from tests.system import package
from tests.system.machine import Machine
from tests.system.site import PATIENCE, UNIT, Site, api_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.stand_in import StandIn

CODE = "/etc/invoice-watcher/api-code"


@pytest.fixture(scope="module")
def machine(base: Path) -> Iterator[Machine]:
    """Give a booted Debian without the package."""
    with Machine(base) as machine:
        machine.boot()
        yield machine


@pytest.fixture(scope="module")
def api(machine: Machine) -> Iterator[StandIn]:
    """Give the API that this machine reaches."""
    with api_of(machine) as api:
        yield api


@pytest.fixture(scope="module")
def package_inside(machine: Machine, deb: Path) -> str:
    """Give the package's path in the machine."""
    return machine.copy_in(deb, f"/root/{deb.name}")


def apt(machine: Machine, *arguments: str) -> str:
    """Run apt-get without questions, and return what it printed."""
    return machine.run("apt-get", "--yes", "--option=Dpkg::Use-Pty=0", *arguments)


def drop(machine: Machine, name: str, content: bytes) -> None:
    """Drop an invoice as root does with cp: whole, readable for the group that the folder passes on."""
    machine.write("/root/invoice", content.decode())
    machine.run("install", "-m", "0640", "/root/invoice", f"/srv/invoices/{name}")


@pytest.fixture(scope="module")
def said(machine: Machine, package_inside: str) -> str:
    """Install the package, and give what apt and the package said."""
    return apt(machine, "install", package_inside)


def test_installed_but_not_started(machine: Machine, said: str) -> None:
    """After the installation nothing runs and nothing failed; the package says where the API code belongs."""
    assert CODE in said
    assert machine.run("systemctl", "show", "--value", "--property=MainPID", UNIT).strip() == "0"
    assert machine.attempt("systemctl", "is-failed", UNIT).status != 0
    assert machine.run("stat", "--format=%a %U", CODE).strip() == "600 root"


def test_the_folders(machine: Machine, said: str) -> None:
    """The folders are there, with the owner and the permissions that keep clerks from each other's files."""
    paths = ("/srv/invoices", *(f"/srv/invoices/{name}" for name in ("done", "failed", ".processing")))
    owner = "invoice-watcher invoices"
    shown = machine.run("stat", "--format=%a %U %G", *paths).splitlines()
    assert shown == [f"{mode} {owner}" for mode in ("3770", "2750", "2770", "700")]


def test_what_comes_with_it(machine: Machine, said: str) -> None:
    """With the package come the manual, the shell's completion and the commands."""
    shown = machine.run("dpkg", "-L", "invoice-watcher")
    wanted = ("/usr/bin/invoice-watcher", "man1/invoice-watcher.1", "man5/invoice-watcher.yaml.5", "bash-completion")
    assert [one for one in wanted if one not in shown] == []
    assert machine.run("invoice-watcher", "--version").strip()


def test_a_start_after_a_boot_without_a_code(machine: Machine, said: str) -> None:
    """A machine that is booted before the API code was written is sound, and says why the service does not run."""
    machine.reboot()
    assert machine.run("systemctl", "is-system-running").strip() == "running"
    assert machine.run("systemctl", "show", "--value", "--property=ActiveState", UNIT).strip() == "inactive"


@pytest.fixture(scope="module")
def site(machine: Machine, api: StandIn, said: str) -> Iterator[Site]:
    """Give the site that the administrator makes of it."""
    site = Site(machine, api)
    site.systemctl("enable", UNIT)
    site.systemctl("restart", UNIT)
    yield site
    site.assert_sound()


def test_started_and_delivering(machine: Machine, site: Site) -> None:
    """With the API code written and the service started, what is dropped is delivered."""
    drop(machine, "500001.pdf", pdf("one"))
    (receipt,) = site.until_filed("done", "500001.pdf")
    assert receipt["owner"] == "root"
    assert machine.run("stat", "--format=%a", CODE).strip() == "600"


def test_check_after_the_installation(machine: Machine, site: Site) -> None:
    """`check`, run as the service, finds nothing wrong with what the package set up."""
    service = ("runuser", "-u", "invoice-watcher", "-g", "invoices", "--")
    done = machine.attempt("env", f"INVOICE_WATCHER_API_CODE={API_CODE}", *service, "invoice-watcher", "check")
    assert done.status == 0, done


def test_an_upgrade_with_files_waiting(machine: Machine, site: Site, deb: Path, tmp_path: Path) -> None:
    """An upgrade while files wait keeps them and the configuration, and the new version delivers them."""
    before = (site.shows("MainPID"), machine.run("cat", "/etc/invoice-watcher/config.yaml"))
    site.api.default = Answer(503)
    for order in ("500002", "500003", "500004"):
        drop(machine, f"{order}.pdf", pdf(order))
    site.api.wait_for(2)
    newer = package.with_version(deb, package.field(deb, "Version") + "+1", tmp_path)
    apt(machine, "install", machine.copy_in(newer, f"/root/{newer.name}"))
    until(lambda: site.shows("ActiveState") == "active", "the new version at work", timeout=PATIENCE)
    assert site.shows("MainPID") != before[0]
    assert machine.run("cat", "/etc/invoice-watcher/config.yaml") == before[1]
    assert site.waiting() == ["500002.pdf", "500003.pdf", "500004.pdf"]
    site.api.default = OK
    site.until_filed("done", "500002.pdf", "500003.pdf", "500004.pdf")


def test_an_upgrade_during_an_upload(machine: Machine, site: Site, deb: Path, tmp_path: Path) -> None:
    """An upgrade waits for the upload that is under way: nothing is sent twice for it."""
    site.api.script("500005", Answer(delay=1.0))
    drop(machine, "500005.pdf", pdf())
    site.api.wait_for(1, "500005")
    newer = package.with_version(deb, package.field(deb, "Version") + "+2", tmp_path)
    apt(machine, "install", machine.copy_in(newer, f"/root/{newer.name}"))
    (receipt,) = site.until_filed("done", "500005.pdf")
    assert (receipt["in_doubt"], len(site.api.of("500005"))) == (False, 1)


def test_removed_purged_and_installed_again(machine: Machine, site: Site, package_inside: str) -> None:
    """Removal stops the service and leaves configuration and invoices; a purge takes the configuration, no invoice."""
    site.api.default = Answer(503)
    drop(machine, "500006.pdf", pdf("kept"))
    site.api.wait_for(1, "500006")
    apt(machine, "remove", "invoice-watcher")
    assert machine.attempt("systemctl", "is-active", UNIT).status != 0
    assert machine.run("cat", CODE).strip() == API_CODE
    every = {"500001.pdf", "500002.pdf", "500003.pdf", "500004.pdf", "500005.pdf"}
    assert site.waiting() == ["500006.pdf"]
    apt(machine, "purge", "invoice-watcher")
    assert machine.attempt("ls", "/etc/invoice-watcher").status != 0
    assert site.waiting() == ["500006.pdf"]
    assert every < set(names(site.drop / "done"))
    site.api.default = OK
    apt(machine, "install", "--allow-downgrades", package_inside)
    machine.write(CODE, API_CODE)
    site.configure()
    site.systemctl("restart", UNIT)
    site.until_filed("done", "500006.pdf")
