"""Clerk, accountant and administrator on the booted machine: each learns what is so where they look."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import names, pdf
from tests.integration.program import API_CODE, until
from tests.system.site import PATIENCE, UNIT

if TYPE_CHECKING:
    from tests.integration.program import Finished
    from tests.system.site import Site

HOSTILE = "<img src=x onerror=alert(1)>.pdf"
COMMAND = "invoice-watcher"


def page(site: Site, clerk: str = "anna") -> str:
    """Return the status page as a clerk opens it on the share."""
    return site.smb(clerk, "get status.html -").out


def shows(site: Site, *texts: str) -> None:
    """Wait until the status page shows all of these."""
    until(lambda: all(text in page(site) for text in texts), f"{texts} on the page", timeout=PATIENCE)


def as_service(site: Site, *arguments: str) -> Finished:
    """Run a command as the README says: as the service's user, with the API code."""
    user = ("runuser", "-u", "invoice-watcher", "-g", "invoices", "--")
    return site.machine.attempt("env", f"INVOICE_WATCHER_API_CODE={API_CODE}", *user, COMMAND, *arguments)


def test_a_clerk_reads_the_page(site: Site) -> None:
    """The page on the share says that the service runs, what was delivered, what failed, and what to do about it."""
    site.api.script("800002", refused(100, "Order ID is wrong"))
    site.put("anna", "800001.pdf", pdf())
    site.put("bert", "800002.pdf", pdf("wrong"))
    site.until_filed("done", "800001.pdf")
    site.until_filed("failed", "800002.pdf")
    shows(site, "800001.pdf", "800002.pdf", "There is no order with this number", "rename the file")


def test_a_clerk_mends_a_failure_by_moving(site: Site) -> None:
    """Renamed to the right order and moved back, the document is delivered, and the page has nothing to tell of it."""
    site.api.script("800003", refused(100, "Order ID is wrong"))
    site.put("anna", "800003.pdf", pdf("mended"))
    site.until_filed("failed", "800003.pdf")
    shows(site, "800003.pdf")
    assert site.smb("anna", "rename failed/800003.pdf 800004.pdf").status == 0
    site.until_filed("done", "800004.pdf")
    until(lambda: "800003.pdf" not in page(site), "the page without it", timeout=PATIENCE)


def test_the_page_says_why_nothing_is_sent_and_when_the_service_is_stopped(site: Site) -> None:
    """A pause is on the page, with its end; a stopped service leaves a page that says so."""
    site.api.default = Answer(401)
    for order in ("800005", "800006", "800007"):
        site.put("anna", f"{order}.pdf", pdf(order))
    shows(site, "800005.pdf", "The API does not accept the API code")
    site.api.default = OK
    site.until_filed("done", "800005.pdf", "800006.pdf", "800007.pdf")
    until(lambda: "does not accept" not in page(site), "the end of the pause", timeout=PATIENCE)
    site.systemctl("stop", UNIT)
    shows(site, "stopped")


def test_nobody_at_the_share_can_alter_the_page(site: Site) -> None:
    """A clerk can read the page, and neither write, rename nor delete it; it is never taken for an invoice."""
    shows(site, "<html")
    before = names(site.drop)
    for attempt in ("put invoice status.html", "del status.html", "rename status.html x.html"):
        assert "NT_STATUS_ACCESS_DENIED" in site.smb("anna", attempt, given=b"<h1>All is well</h1>").out, attempt
    assert "All is well</h1>" not in page(site)
    assert set(before) <= set(names(site.drop))
    assert "status.html" not in names(site.drop / "failed")


def test_a_hostile_name_is_only_text(site: Site) -> None:
    """A name made to be a tag is shown on the page as it is written, and runs nowhere."""
    site.machine.path(f"/srv/invoices/{HOSTILE}").write_bytes(pdf())
    site.until_filed("failed", HOSTILE)
    shows(site, "&lt;img")
    assert "<img" not in page(site)


def test_an_accountant_reports(site: Site) -> None:
    """Whoever may read the folders gets a table, and a CSV in which the receipts are found again."""
    site.put("anna", "800010.pdf", pdf("listed"))
    (receipt,) = site.until_filed("done", "800010.pdf")
    for user in ("anna", "root"):
        done = site.machine.attempt(COMMAND, "report", "--csv", user=user)
        assert done.status == 0, done
        row = next(row for row in csv.DictReader(io.StringIO(done.out)) if row["file"] == "800010.pdf")
        assert (row["state"], row["sha256"], row["owner"]) == ("delivered", receipt["sha256"], "anna")
        assert "delivered," in site.machine.run(COMMAND, "report", user=user)


def test_months(site: Site) -> None:
    """With `done_layout: month` documents lie in their month's folder; clerks read there, and alter nothing."""
    site.configure(done_layout="month")
    site.systemctl("reload", UNIT)
    site.put("anna", "800011.pdf", pdf("monthly"))
    until(lambda: list((site.drop / "done").glob("*/800011.pdf.json")), "the receipt", timeout=PATIENCE)
    (month,) = [path for path in (site.drop / "done").iterdir() if path.is_dir()]
    until(lambda: "800011.pdf" in names(month), "the document", timeout=PATIENCE)
    assert pdf("monthly").decode() in site.smb("bert", f"get done/{month.name}/800011.pdf -").out
    assert "NT_STATUS" in site.smb("anna", f"cd done/{month.name}", "del 800011.pdf").out
    assert "800011.pdf" in site.machine.run(COMMAND, "report", "--month", month.name)


@pytest.mark.parametrize("user", ["root", "anna"])
def test_an_administrator_asks(site: Site, user: str) -> None:
    """`status` and `explain` hear it from the service, as root and as a member of the group."""
    site.put("anna", "800012.pdf", pdf()[:-7])
    until(lambda: "800012.pdf" in names(site.drop), "the cut off file", timeout=PATIENCE)
    until(
        lambda: "unfinished" in site.machine.attempt(COMMAND, "explain", "800012.pdf", user=user).out,
        "why it waits",
        timeout=PATIENCE,
    )
    told = json.loads(site.machine.attempt(COMMAND, "status", "--json", user=user).out)
    assert (told["running"], told["paused"], told["waiting"]) == (True, False, 1)
    assert str(told["pid"]) == site.shows("MainPID")
    assert site.smb("anna", "del 800012.pdf").status == 0


def test_it_says_so_when_the_service_does_not_run(site: Site) -> None:
    """`status`, `explain` and `retry` work without the service, and say that it does not run."""
    site.api.script("800013", refused(103, "Order is already shipped or cancelled"), OK)
    site.put("anna", "800013.pdf", pdf())
    site.until_filed("failed", "800013.pdf")
    site.systemctl("stop", UNIT)
    status = site.machine.attempt(COMMAND, "status")
    assert "systemctl start invoice-watcher" in status.out
    assert not json.loads(site.machine.attempt(COMMAND, "status", "--json").out)["running"]
    assert "already shipped" in site.machine.attempt(COMMAND, "explain", "800013").out
    put_back = site.machine.attempt(COMMAND, "retry", "800013")
    assert put_back.status == 0, put_back
    assert "does not run" in put_back.out + put_back.err
    assert "800013.pdf" in names(site.drop)
    site.systemctl("start", UNIT)
    site.until_filed("done", "800013.pdf")


def test_retry_while_it_runs(site: Site) -> None:
    """What failed with one code goes back, and through; its owner is still who dropped it."""
    site.api.script("800014", refused(106, "Document file format is not supported"), OK)
    site.put("bert", "800014.pdf", pdf())
    site.until_filed("failed", "800014.pdf")
    site.machine.run(COMMAND, "retry", "--code", "106")
    (receipt,) = site.until_filed("done", "800014.pdf")
    assert receipt["owner"] == "bert"


def test_check_online(site: Site) -> None:
    """The way to the API is looked at, and the API asked, as the service; no order is changed, and a bad code found."""
    before = len(site.api.requests)
    well = as_service(site, "check", "--online")
    assert well.status == 0, well
    assert "does not refuse the API code" in well.out
    site.api.default = Answer(401)
    ill = as_service(site, "check", "--online")
    site.api.default = OK
    assert ill.status == 1, ill
    assert "fault API answer" in ill.out
    assert API_CODE not in well.out + ill.out + ill.err
    assert all(request.order_id == "invoice-watcher-check" for request in site.api.requests[before:])


def test_metrics_of_the_service(site: Site) -> None:
    """Under all the unit's restrictions the metrics are served, and written for node_exporter with the drop-in."""
    site.configure(metrics={"listen": "127.0.0.1:9187"})
    site.systemctl("reload", UNIT)
    site.put("anna", "800015.pdf", pdf())
    site.until_filed("done", "800015.pdf")
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9187/metrics').read().decode())"
    scraped = site.machine.run("python3", "-c", ask)
    assert 'invoice_watcher_invoices_total{outcome="delivered"}' in scraped
    assert "800015" not in scraped


def test_a_reload_that_only_the_machine_troubles(site: Site) -> None:
    """A reload succeeds though `check` has a fault to tell that is none of the configuration's."""
    site.configure(metrics={"textfile": "/nowhere/invoice-watcher.prom"})
    assert site.machine.attempt("systemctl", "reload", UNIT).status == 0
    site.configure(max_sise=1)
    assert site.machine.attempt("systemctl", "reload", UNIT).status != 0
