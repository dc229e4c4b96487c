"""The README's section for administrators, followed word for word on a fresh machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import names, pdf
from tests.integration.program import API_CODE, ROOT, until
from tests.system.machine import Machine
from tests.system.site import PASSWORD, PATIENCE, UNIT, Site, api_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTALLATION, SHARES = "Install it as a service", "Shares"
# An editor that types what the README asks for.
EDITOR = f'#!/bin/sh\necho {API_CODE} > "$1"\n'


def blocks(title: str) -> list[str]:
    """Return the indented blocks of a section: what an administrator types."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [block for block in re.findall(r"(?:^    .*\n|(?<=\n)\n(?=    ))+", section, re.MULTILINE) if block.strip()]


@pytest.fixture
def fresh(base: Path, deb: Path) -> Iterator[Machine]:
    """Give a machine that has the package in the folder where the administrator works, an editor, and a user anna."""
    with Machine(base) as machine:
        machine.boot()
        machine.copy_in(deb, f"/root/{deb.name}")
        machine.write("/usr/local/bin/editor", EDITOR)
        machine.run("chmod", "+x", "/usr/local/bin/editor")
        machine.run("useradd", "--create-home", "anna")
        yield machine


def follow(machine: Machine, block: str, given: str = "y\n") -> None:
    """Type a block, and answer what is asked."""
    done = machine.attempt("bash", "-ec", f"cd /root\n{block}", given=given)
    assert done.status == 0, f"{block}\n{done.out}\n{done.err}"


def test_what_the_readme_says(fresh: Machine) -> None:
    """Each command of the section works as it stands there; then the service runs, and delivers what anna drops."""
    first, *others = blocks(INSTALLATION)
    assert first.lstrip().startswith("apt install")
    for block in (first, *others):
        follow(fresh, block)
    assert fresh.run("systemctl", "is-active", UNIT).strip() == "active"
    with api_of(fresh) as api:
        site = Site(fresh, api)
        site.systemctl("reload", "invoice-watcher")
        fresh.path("/home/anna/1.pdf").write_bytes(pdf("by hand"))
        fresh.run("cp", "/home/anna/1.pdf", "/srv/invoices/700001.pdf", user="anna")
        until(lambda: "700001.pdf" in names(site.drop / "done"), "the invoice in done/", timeout=PATIENCE)
        assert api.of("700001")[0].api_code == API_CODE
        site.assert_sound()


def test_what_the_readme_says_of_samba(fresh: Machine) -> None:
    """After the commands for a share on this machine, anna drops an invoice through it, and it is delivered."""
    follow(fresh, blocks(INSTALLATION)[0])
    follow(fresh, blocks(SHARES)[0], f"{PASSWORD}\n{PASSWORD}\n")
    with api_of(fresh) as api:
        site = Site(fresh, api)
        site.systemctl("reload", "invoice-watcher")
        site.put("anna", "700002.pdf", pdf("through the share"))
        (receipt,) = site.until_filed("done", "700002.pdf")
        assert receipt["owner"] == "anna"
        site.assert_sound()
