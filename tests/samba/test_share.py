"""The packaged share definition, as it stands, in a real smbd: what clerks can do with it, and what they cannot."""

from __future__ import annotations

import os
import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.users import CLERK, INVOICES, as_daemon
from tests.integration.answers import Answer, refused
from tests.integration.place import invoices, names, pdf, sidecar
from tests.integration.program import until
from tests.samba.server import ANNA, BOB, CARL, NEEDED, client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn
    from tests.samba.server import Samba, Share

pytestmark = NEEDED
MIB = 1024 * 1024


@pytest.fixture
def busy(api: StandIn, place: Place, share: Share, start: Start) -> Iterator[threading.Event]:
    """Let the daemon's only worker upload 1.pdf until the event is set: what is dropped now waits."""
    place.configure(api__workers=1)
    start(within=as_daemon())
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    share.puts(ANNA, "1.pdf", pdf("1"))
    api.wait_for(1)
    yield hold
    hold.set()


def test_the_definition_is_sound(samba: Samba) -> None:
    """Samba finds nothing wrong with it, and no name in it that it does not know."""
    told = samba.run("testparm", "--suppress-prompt", samba.configuration)
    assert told.returncode == 0
    assert "[invoices]" in told.stdout
    assert re.findall(r".*(?:unknown|ignoring|warning|error|invalid|deprecated).*", told.stderr, re.IGNORECASE) == []


def test_a_clerk_drops_an_invoice(api: StandIn, share: Share, daemon: Program) -> None:
    """What is copied to the share is delivered as it was, under its owner's name, and the clerk finds it in done/."""
    content = pdf("1", size=3 * MIB)
    share.puts(ANNA, "1.pdf", content)
    share.place.until_done("1.pdf")
    assert [request.part.content for request in api.of("1")] == [content]
    assert sidecar(share.place.done / "1.pdf")["owner"] == str(CLERK.uid)  # whom only the server knows by name
    assert share.sees(BOB, "done") == {"1.pdf", "1.pdf.json"}
    assert '"state": "done"' in share.does(BOB, "get done/1.pdf.json /dev/stdout")


def test_a_slow_copy_is_not_read_early(api: StandIn, share: Share, daemon: Program) -> None:
    """A document that looks whole in the middle of a copy is left alone until the copy ends."""
    pipe, half, rest = share.place.root / "slow", pdf("first", size=4 * MIB), pdf("rest", size=MIB)
    os.mkfifo(pipe)
    copy = share.samba.start(*client(ANNA, f'iosize 65536; put "{pipe}" 1.pdf'))
    with copy, open(pipe, "wb") as source:
        source.write(half)
        source.flush()
        until(lambda: (share.place.drop / "1.pdf").stat().st_size >= MIB, "a part is on the server")
        share.puts(BOB, "2.pdf", pdf("2"))
        share.place.until_done("2.pdf")
        assert not api.of("1")
        source.write(rest)
    share.place.until_done("1.pdf")
    assert [request.part.content for request in api.of("1")] == [half + rest]


def test_a_temporary_name_then_the_right_one(api: StandIn, share: Share, daemon: Program) -> None:
    """Programs that write under another name and rename at the end are waited for."""
    share.puts(ANNA, "~$1.pdf", pdf("not yet"))
    share.puts(ANNA, "1.tmp", pdf("1"))
    share.puts(ANNA, "2.pdf", pdf("2"))
    share.place.until_done("2.pdf")
    assert share.sees(ANNA) == {"~$1.pdf", "1.tmp", "done", "failed"}
    share.does(ANNA, "rename 1.tmp 1.pdf")
    share.place.until_done("1.pdf")
    assert api.of("1")[0].part.content == pdf("1")


def test_overwritten_while_it_waits(api: StandIn, share: Share, busy: threading.Event) -> None:
    """A clerk may put a better version in the place of her document for as long as it waits; only that one is sent."""
    share.puts(ANNA, "2.pdf", pdf("the first version, which is longer"))
    share.puts(ANNA, "2.pdf", pdf("better"))
    busy.set()
    share.place.until_done("1.pdf", "2.pdf")
    assert [request.part.content for request in api.of("2")] == [pdf("better")]
    assert (share.place.done / "2.pdf").read_bytes() == pdf("better")


def test_deleted_while_it_waits(api: StandIn, share: Share, busy: threading.Event) -> None:
    """A clerk may take her document back for as long as it waits; nothing of it is kept, nor may others touch it."""
    share.puts(ANNA, "2.pdf", pdf("2"))
    share.puts(ANNA, "3.pdf", pdf("3"))
    for command in ("del 3.pdf", "rename 3.pdf 4.pdf", "rename 3.pdf failed/3.pdf", "put /etc/hostname 3.pdf"):
        assert share.refuses(BOB, command), command
    share.does(ANNA, "del 2.pdf")
    busy.set()
    share.place.until_done("1.pdf", "3.pdf")
    assert not api.of("2")
    assert share.sees(ANNA) == {"done", "failed"}
    assert sorted(path.name for path in share.place.drop.iterdir()) == [".processing", "done", "failed"]


def test_two_clerks_at_once(api: StandIn, share: Share, daemon: Program) -> None:
    """Two clients that drop at the same time hinder neither each other nor the daemon."""
    mine, yours = invoices(range(100, 110)), invoices(range(200, 210))
    with ThreadPoolExecutor() as both:
        for clerk, documents in ((ANNA, mine), (BOB, yours)):
            source = share.place.root / clerk
            source.mkdir()
            for name, content in documents.items():
                (source / name).write_bytes(content)
            both.submit(share.does, clerk, f'lcd "{source}"; prompt; mput *')
    share.place.until_done(*mine, *yours)
    sent = {f"{request.order_id}.pdf": request.part.content for request in api.requests}
    assert sent == {**mine, **yours}


def test_two_clerks_write_one_file(api: StandIn, share: Share, daemon: Program) -> None:
    """While one clerk copies a document, another cannot write into it; what is sent is the one that was there first."""
    pipe, content = share.place.root / "slow", pdf("anna's", size=2 * MIB)
    os.mkfifo(pipe)
    copy = share.samba.start(*client(ANNA, f'put "{pipe}" 1.pdf'))
    with copy, open(pipe, "wb") as source:
        source.write(content)
        assert share.refuses(BOB, "put /etc/hostname 1.pdf")
    share.place.until_done("1.pdf")
    assert [request.part.content for request in api.of("1")] == [content]


def test_taken_back_from_failed(api: StandIn, share: Share, daemon: Program) -> None:
    """Any clerk may read why an invoice failed, and put it back by moving it; the reason goes when it goes through."""
    api.script("1", refused(103, "Order is already shipped"), Answer())
    share.puts(ANNA, "1.pdf", pdf("1"))
    share.place.until_failed("1.pdf")
    assert '"code": 103' in share.does(BOB, "get failed/1.pdf.json /dev/stdout")
    share.does(BOB, "rename failed/1.pdf 1.pdf")
    share.place.until_done("1.pdf")
    assert share.sees(BOB, "failed") == set()


def test_a_failed_one_is_mended_or_deleted(api: StandIn, share: Share, daemon: Program) -> None:
    """What failed may be renamed to its right order on the way back, whereupon its reason goes, or deleted with it."""
    api.script("1", refused(100, "Order ID is wrong"))
    api.script("2", refused(100, "Order ID is wrong"))
    for order in ("1", "2"):
        share.puts(ANNA, f"{order}.pdf", pdf(order))
    share.place.until_failed("1.pdf", "2.pdf")
    share.does(ANNA, "rename failed/1.pdf 3.pdf")
    share.does(BOB, "del failed/2.pdf")
    share.does(BOB, "del failed/2.pdf.json")
    share.place.until_done("3.pdf")
    until(lambda: share.sees(ANNA, "failed") == set(), "nothing left of either failure")


def test_nothing_can_be_altered_in_done(share: Share, daemon: Program) -> None:
    """Clerks add, rename and remove nothing in done/, be it their own; nor do they write into what others dropped."""
    share.puts(ANNA, "1.pdf", pdf("1"))
    share.place.until_done("1.pdf")
    share.puts(ANNA, "2.tmp", pdf("2"))
    commands = ["put /etc/hostname done/2.pdf", "rename 2.tmp done/2.pdf", "mkdir done/new", "del done/1.pdf"]
    commands += ["rename done/1.pdf 1.pdf", "rename done/1.pdf done/2.pdf", "del done/1.pdf.json"]
    commands += ["put /etc/hostname done/1.pdf.json", "rename done away", "rmdir done", "rename failed away"]
    for command in commands:
        assert share.refuses(ANNA, command), command
        assert share.refuses(BOB, command), command
    assert share.refuses(BOB, "put /etc/hostname done/1.pdf")
    assert share.sees(ANNA, "done") == {"1.pdf", "1.pdf.json"}
    assert (share.place.done / "1.pdf").read_bytes() == pdf("1")


def test_with_the_drop_in_not_even_by_the_owner(share: Share, daemon: Program) -> None:
    """Where smbd sees done/ read-only, not even who dropped a document can write over it; deliveries go on."""
    share.make_done_read_only()
    share.puts(ANNA, "1.pdf", pdf("1"))
    share.place.until_done("1.pdf")
    for command in (
        "put /etc/hostname done/1.pdf",
        "del done/1.pdf",
        "rename done/1.pdf 1.pdf",
        "setmode done/1.pdf +r",
    ):
        assert share.refuses(ANNA, command), command
    assert (share.place.done / "1.pdf").read_bytes() == pdf("1")
    assert share.does(ANNA, "get done/1.pdf /dev/stdout").encode().startswith(pdf("1"))


def test_what_is_the_daemons_own_is_not_there(share: Share, busy: threading.Event) -> None:
    """The work folder and the daemon's hidden files are neither seen, nor read, nor made through the share."""
    assert names(share.place.work)
    (share.place.drop / ".invoice-watcher-lock").touch()
    assert share.sees(ANNA) == {"done", "failed"}
    commands = ["ls .processing/*", "ls .PROCESSING/*", "get .processing/1.pdf /dev/stdout", "mkdir .processing"]
    commands += [
        "put /etc/hostname .processing/2.pdf",
        "rename .processing away",
        "get .invoice-watcher-lock /dev/stdout",
    ]
    commands += ["put /etc/hostname .receipt-1", "put /etc/hostname done/.receipt-1"]
    for command in commands:
        assert share.refuses(ANNA, command), command


def test_dot_files_are_hidden_and_left_alone(api: StandIn, share: Share, daemon: Program) -> None:
    """What macOS and others leave beside a document is marked hidden for Windows, and never sent."""
    share.puts(ANNA, "._1.pdf", pdf("a resource fork"))
    share.puts(ANNA, "1.pdf", pdf("1"))
    share.place.until_done("1.pdf")
    assert re.search(r"\._1\.pdf +AH ", share.does(ANNA, "ls"))
    assert [request.order_id for request in api.requests] == ["1"]


def test_umlauts_and_long_names(api: StandIn, place: Place, share: Share, start: Start) -> None:
    """Names as people write them arrive, and come back, letter by letter."""
    place.configure(order_id_pattern="(?:.* )?(?P<order_id>[0-9]+)")
    start(within=as_daemon())
    written = {"Rechnung für Ærøskøbing 1.pdf", f"{'lang' * 50} 2.pdf", "請求書 3.pdf", "grüße.pdf"}
    for name in written:
        share.puts(ANNA, name, pdf(name))
    wrong = {"grüße.pdf"}
    place.until_done(*written - wrong)
    place.until_failed(*wrong)
    assert sorted(request.order_id for request in api.requests) == ["1", "2", "3"]
    assert share.sees(ANNA, "done") == {f"{name}{end}" for name in written - wrong for end in ("", ".json")}
    share.does(ANNA, 'rename "failed/grüße.pdf" "grüße 4.pdf"')
    place.until_done("grüße 4.pdf")


def test_files_are_readable_for_the_daemon_and_no_one_else(share: Share, busy: threading.Event) -> None:
    """Whatever rights a client sets, unasked or on purpose: the daemon can read the file, and outsiders cannot."""
    share.puts(ANNA, "2.pdf", pdf("2"))
    share.does(ANNA, "setmode 2.pdf +r")
    share.does(ANNA, "mkdir folder")
    for rights in ("S-1-22-1-61002:ALLOWED/0/FULL", "S-1-1-0:ALLOWED/0/FULL"):
        share.samba.run("smbcacls", *client(ANNA, "")[1:-2], "2.pdf", "-S", f"ACL:{rights}")
    document, folder = (os.stat(share.place.drop / name) for name in ("2.pdf", "folder"))
    assert (document.st_uid, document.st_gid, stat.S_IMODE(document.st_mode)) == (CLERK.uid, INVOICES, 0o640)
    assert (folder.st_gid, stat.S_IMODE(folder.st_mode)) == (INVOICES, 0o2750)
    busy.set()
    share.place.until_done("1.pdf", "2.pdf")


def test_who_is_no_clerk_does_not_get_in(share: Share, daemon: Program) -> None:
    """An account alone is not enough, nor is none: the share is for the group."""
    assert share.refuses(CARL, "ls")
    anonymous = client(ANNA, "ls")
    anonymous[anonymous.index("-U") : anonymous.index("-U") + 2] = ["-N"]
    assert "NT_STATUS_ACCESS_DENIED" in share.samba.run(*anonymous).stdout
