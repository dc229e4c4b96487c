"""Clerks and their programs drop invoices into a Samba share; what they see, may do, and may not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import names, pdf, sidecar
from tests.integration.program import API_CODE, until
from tests.system.site import CLERKS, PATIENCE

if TYPE_CHECKING:
    from tests.integration.program import Finished
    from tests.system.site import Site

# What Samba answers; the second where it sees a folder read-only (packaging/samba/smbd.service.d).
DENIED = ("NT_STATUS_ACCESS_DENIED", "NT_STATUS_MEDIA_WRITE_PROTECTED")
# What smbclient gathers before it sends anything.
BUFFER = 8 << 20


def assert_denied(done: Finished) -> None:
    """Samba refused what a clerk tried."""
    assert any(answer in done.out for answer in DENIED), done


def test_a_clerk_drops_an_invoice(site: Site) -> None:
    """An invoice that is copied to the share is delivered, with a receipt that names who dropped it."""
    site.put("anna", "100001.pdf", pdf("plain"))
    (receipt,) = site.until_filed("done", "100001.pdf")
    assert (receipt["state"], receipt["order_id"], receipt["owner"]) == ("done", "100001", "anna")
    (request,) = site.api.of("100001")
    assert request.part.content == pdf("plain")
    assert request.api_code == API_CODE


def test_the_journal_tells_an_invoices_story(site: Site) -> None:
    """`journalctl ORDER_ID=…` tells what became of one invoice, in fields, and nothing of another."""
    site.api.script("100002", refused(103, "Order is already shipped or cancelled"))
    site.put("anna", "100002.pdf", pdf())
    site.until_filed("failed", "100002.pdf")
    site.tells("100002.pdf", "ORDER_ID=100002")
    story = site.journal("ORDER_ID=100002")
    assert {entry["ORDER_ID"] for entry in story} == {"100002"}
    last = story[-1]
    assert (last["FILE_NAME"], last["OUTCOME"], last["API_ERROR_CODE"]) == ("100002.pdf", "rejected", "103")
    assert (last["HTTP_STATUS"], last["ATTEMPT"]) == ("400", "1")


def test_a_copy_that_takes_its_time(site: Site) -> None:
    """A file that a clerk's machine is still writing is not sent, though it looks whole; once it is closed, it is."""
    first, rest = pdf("slow", BUFFER), b"% more of it\n" + pdf("the end")
    with site.smb_meanwhile("anna", f"iosize {64 << 10}", "put - 100003.pdf") as clerk:
        assert clerk.stdin is not None
        clerk.stdin.write(first)
        clerk.stdin.flush()
        arriving = site.drop / "100003.pdf"
        until(lambda: arriving.exists() and arriving.stat().st_size == BUFFER, "the first part", timeout=PATIENCE)
        site.put("bert", "100004.pdf", pdf())
        site.until_filed("done", "100004.pdf")
        assert not site.api.of("100003")
        clerk.stdin.write(rest)
    assert clerk.returncode == 0
    site.until_filed("done", "100003.pdf")
    assert [request.part.content for request in site.api.of("100003")] == [first + rest]


def test_a_temporary_name_first(site: Site) -> None:
    """A program that writes under a temporary name and renames has its invoice delivered, once, under its name."""
    commands = ("put invoice 100005.pdf.tmp", "rename 100005.pdf.tmp 100005.pdf")
    done = site.smb("anna", *commands, given=pdf("renamed"))
    assert done.status == 0, done
    site.until_filed("done", "100005.pdf")
    (request,) = site.api.of("100005")
    assert request.part.file_name == "100005.pdf"
    assert request.part.content == pdf("renamed")


def test_an_invoice_is_dropped_again(site: Site) -> None:
    """A second version, dropped while the first is being sent, is sent after it; neither overwrites the other."""
    gate = threading.Event()
    site.api.script("100006", Answer(hold=gate), OK)
    site.put("anna", "100006.pdf", pdf("first"))
    site.api.wait_for(1, "100006")
    site.put("anna", "100006.pdf", pdf("second"))
    gate.set()
    site.until_filed("done", "100006.pdf", "100006.2.pdf")
    assert [request.part.content for request in site.api.of("100006")] == [pdf("first"), pdf("second")]
    assert (site.drop / "done" / "100006.2.pdf").read_bytes() == pdf("second")


def test_two_clients_at_once(site: Site) -> None:
    """Two clerks who copy many invoices at the same time have all of them delivered, each once."""
    orders = {clerk: [f"{number}{order:03}" for order in range(30)] for number, clerk in enumerate(CLERKS, 201)}
    for clerk, its in orders.items():
        for order in its:
            site.machine.path(f"/home/{clerk}/{order}.pdf").write_bytes(pdf(order))
    first, second = (site.smb_meanwhile(clerk, "prompt", "mput *.pdf") for clerk in CLERKS)
    with first, second:
        pass
    assert (first.returncode, second.returncode) == (0, 0)
    every = [order for its in orders.values() for order in its]
    site.until_filed("done", *(f"{order}.pdf" for order in every))
    assert all(site.api.of(order)[0].part.content == pdf(order) and len(site.api.of(order)) == 1 for order in every)


def test_what_was_delivered_can_be_read_and_not_altered(site: Site) -> None:
    """Clerks open what lies in `done/`, and can neither change, remove, rename nor add anything there."""
    site.put("anna", "100007.pdf", pdf("kept"))
    site.until_filed("done", "100007.pdf")
    assert pdf("kept").decode() in site.smb("bert", "get done/100007.pdf -").out
    attempts = (
        "del 100007.pdf",
        "rename 100007.pdf 1.pdf",
        "put invoice 100007.pdf",
        "put invoice new.pdf",
        "mkdir new",
    )
    for clerk in CLERKS:
        for attempt in attempts:
            assert_denied(site.smb(clerk, "cd done", attempt, given=b"changed"))
    assert names(site.drop / "done").count("new.pdf") == 0
    assert (site.drop / "done" / "100007.pdf").read_bytes() == pdf("kept")


def test_what_was_refused_can_be_taken_back(site: Site) -> None:
    """A clerk moves a document from `failed/` back to the share; it is sent again, and its old sidecar goes."""
    site.api.script("100008", refused(100, "Order not found"), OK)
    site.put("anna", "100008.pdf", pdf("early"))
    (receipt,) = site.until_filed("failed", "100008.pdf")
    assert receipt["error"]["reason"] == "unknown_order"
    assert "hint" in site.smb("anna", "get failed/100008.pdf.json -").out
    done = site.smb("anna", "rename failed/100008.pdf 100008.pdf")
    assert done.status == 0, done
    site.until_filed("done", "100008.pdf")
    until(lambda: "100008.pdf.json" not in names(site.drop / "failed"), "the old sidecar is gone")
    assert sidecar(site.drop / "done" / "100008.pdf")["attempts"] == 1


def test_what_is_no_clerks_business(site: Site) -> None:
    """A clerk neither sees the work folder, nor touches another's file, nor reads the API code."""
    listing = site.smb("anna", "ls").out
    assert "done" in listing
    assert ".processing" not in listing
    assert "NT_STATUS_OBJECT_NAME_NOT_FOUND" in site.smb("anna", "cd .processing").out
    assert_denied(site.smb("anna", "rename done mine"))
    site.put("bert", "draft.tmp", b"unfinished")
    assert_denied(site.smb("anna", "del draft.tmp"))
    assert_denied(site.smb("anna", "rename draft.tmp x.tmp"))
    assert "draft.tmp" in names(site.drop)
    assert site.smb("bert", "rename draft.tmp x.tmp", "del x.tmp").status == 0
    assert not site.waiting()


def test_the_api_code_is_nobodys_business(site: Site) -> None:
    """No clerk and no stranger can read the API code, where it is kept or where it is handed over."""
    credential = "/run/credentials/invoice-watcher.service/api-code"
    assert API_CODE in site.machine.run("cat", credential)
    for user in (*CLERKS, "nobody"):
        for place in ("/etc/invoice-watcher/api-code", credential):
            assert site.machine.attempt("cat", place, user=user).status != 0, (user, place)
        assert API_CODE not in site.machine.attempt("sh", "-c", "cat /proc/[0-9]*/environ", user=user).out
    assert site.machine.attempt("cat", "/etc/invoice-watcher/api-code", user="invoice-watcher").status != 0
    assert site.machine.attempt("ls", "/srv/invoices", user="nobody").status != 0
