"""A second brand: an instance of the service of its own, beside the first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.integration.place import documents, pdf
from tests.integration.program import API_CODE, until
from tests.system.site import PATIENCE

if TYPE_CHECKING:
    from tests.system.machine import Machine
    from tests.system.site import Site

BRAND_CODE = API_CODE.replace("5ec2e7c0", "b2a2d000")


def advice(machine: Machine) -> list[str]:
    """Return the commands that the head of the unit tells an administrator, for the instance `brand`."""
    lines = machine.run("systemctl", "cat", "invoice-watcher@.service").splitlines()
    commands = [line.removeprefix("#     ") for line in lines if re.match("#     (install|systemctl) ", line)]
    assert len(commands) == 5, commands
    return [command.replace("NAME", "brand") for command in commands]


def test_a_second_instance(site: Site) -> None:
    """`invoice-watcher@brand` delivers from its own folder with its own API code, and the first one goes on."""
    machine, folder = site.machine, "/srv/invoices-brand"
    machine.write("/etc/invoice-watcher/brand.api-code", f"{BRAND_CODE}\n")
    machine.run("chmod", "0600", "/etc/invoice-watcher/brand.api-code")
    site.configure("brand", drop_dir=folder)
    machine.shell("\n".join(advice(machine)))
    machine.write(f"{folder}/600001.pdf", pdf("brand").decode())
    until(lambda: documents(machine.path(f"{folder}/done")) == ["600001.pdf"], "its invoice", timeout=PATIENCE)
    site.put("anna", "600002.pdf", pdf("first"))
    site.until_filed("done", "600002.pdf")
    codes = {request.order_id: request.api_code for request in site.api.requests}
    assert codes == {"600001": BRAND_CODE, "600002": API_CODE}
    site.systemctl("stop", "invoice-watcher@brand")
    assert site.shows("ActiveState") == "active"
