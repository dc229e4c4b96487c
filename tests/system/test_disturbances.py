"""What happens to the machine: reboots, power cuts, a disk that is full; invoices wait, and go out afterwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer
from tests.integration.place import pdf
from tests.integration.program import until
from tests.system.site import PATIENCE, UNIT

if TYPE_CHECKING:
    from tests.system.site import Site


def test_a_reboot_with_files_waiting(site: Site) -> None:
    """Files that wait for the API are delivered after a reboot, by themselves, each once, in doubt none."""
    site.api.default = Answer(503)
    orders = ("400001", "400002", "400003")
    for order in orders:
        site.put("anna", f"{order}.pdf", pdf(order))
    site.api.wait_for(2)
    site.machine.reboot()
    assert site.waiting() == [f"{order}.pdf" for order in orders]
    site.api.default = OK
    receipts = site.until_filed("done", *(f"{order}.pdf" for order in orders))
    assert [receipt["in_doubt"] for receipt in receipts] == [False, False, False]
    accepted = [request for request in site.api.requests if request.status == 200 and request.order_id in orders]
    assert sorted(request.part.content for request in accepted) == sorted(pdf(order) for order in orders)


def test_a_power_cut_during_an_upload(site: Site) -> None:
    """After a power cut in the middle of an upload the document is sent again, and its receipt says so: in doubt."""
    gate = threading.Event()
    site.api.script("400004", Answer(hold=gate), OK)
    site.put("anna", "400004.pdf", pdf("cut"))
    site.api.wait_for(1, "400004")
    site.machine.cut_power()
    gate.set()
    site.machine.boot()
    (receipt,) = site.until_filed("done", "400004.pdf")
    assert receipt["in_doubt"]
    assert (site.drop / "done" / "400004.pdf").read_bytes() == pdf("cut")


def test_a_full_disk(site: Site) -> None:
    """On a full disk nothing is sent that could not be recorded, the status says so, and it goes on by itself."""
    site.systemctl("stop", UNIT)
    size = "size=1M,mode=3770,uid=$(id -u invoice-watcher),gid=$(getent group invoices | cut -d: -f3)"
    site.machine.shell(f'mount -t tmpfs -o "{size}" none /srv/invoices')
    try:
        site.machine.run("systemd-tmpfiles", "--create", "--prefix=/srv/invoices")
        site.systemctl("start", UNIT)
        site.put("anna", "400005.pdf", pdf("full"))
        site.until_filed("done", "400005.pdf")
        site.machine.attempt("sh", "-c", "cat /dev/zero > /srv/invoices/.full")
        site.machine.run("mv", "/srv/invoices/done/400005.pdf", "/srv/invoices/400006.pdf")
        until(lambda: "paused" in site.shows("StatusText"), "the pause", timeout=PATIENCE)
        assert not site.api.of("400006")
        site.machine.run("rm", "/srv/invoices/.full")
        site.until_filed("done", "400006.pdf")
    finally:
        site.systemctl("stop", UNIT)
        site.machine.run("umount", "/srv/invoices")
