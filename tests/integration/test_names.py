"""What is left alone for its name or its kind, and what hostile names cannot do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import lines_with, until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

IGNORED = (
    ".hidden.pdf",
    "~$12345.docx",
    ".~lock.12345.docx#",
    "12345.tmp",
    "12345.temp",
    "12345.part",
    "12345.partial",
    "12345.crdownload",
    "12345.download",
    "12345.filepart",
    ".12345.pdf.swp",
    "12345.swp",
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
    "THUMBS.DB",
    "12345.TMP",
)


def test_temporary_and_foreign_names_are_left_alone(api: StandIn, place: Place, start: Start) -> None:
    """What Office, browsers, Windows and macOS leave in a folder, and what the configuration adds, is never taken."""
    place.configure(ignore=["*.bak", "draft-*"])
    ignored = (*IGNORED, "12345.bak", "draft-1.pdf", "DRAFT-2.pdf")
    for name in ignored:
        place.put(name, pdf())
    start()
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    place.put("2.pdf", pdf())
    place.until_done("2.pdf")
    assert names(place.drop) == sorted(ignored)
    assert len(api.requests) == 2


def test_what_is_no_file_is_left_alone(api: StandIn, place: Place, start: Start) -> None:
    """Subfolders, links, FIFOs and sockets stay, hold up nobody, and the odd ones are named in the log."""
    (place.drop / "1.pdf").mkdir()
    (place.drop / "1.pdf" / "2.pdf").write_bytes(pdf())
    (place.root / "secret").write_bytes(pdf())
    (place.drop / "3.pdf").symlink_to(place.root / "secret")
    (place.drop / "4.pdf").symlink_to("nowhere")
    os.mkfifo(place.drop / "5.pdf")
    before = sorted(os.listdir(place.drop))
    daemon = start()
    place.put("9.pdf", pdf())
    place.until_done("9.pdf")
    assert sorted(set(os.listdir(place.drop)) - {"done", "failed", ".processing"}) == before
    assert [request.order_id for request in api.requests] == ["9"]
    for name in ("3.pdf", "4.pdf", "5.pdf"):
        assert len(lines_with(f"{name} is no regular file", daemon.lines)) == 1
    assert daemon.stop() == 0


HOSTILE = {
    b"123\n45.pdf": r"123\n45.pdf",
    b"\x1b[31mred\x07.pdf": r"\x1b[31mred\x07.pdf",
    "\u202efdp.exe.pdf".encode(): r"\u202efdp.exe.pdf",
    b"bytes-\xff\xfe.pdf": r"bytes-\xff\xfe.pdf",
    b"a..%2f..%2fetc.pdf": "a..%2f..%2fetc.pdf",
    b"$(reboot);`id`.pdf": "$(reboot);`id`.pdf",
    b"{0} %s %(x)d.pdf": "{0} %s %(x)d.pdf",
    b"[bold]1.pdf": "[bold]1.pdf",
    "é".encode() * 60 + b".pdf": "é" * 60 + ".pdf",
}


def test_hostile_names_do_no_harm(api: StandIn, place: Place, daemon: Program) -> None:
    """Whatever a name tries to write into log or receipt is escaped; the file is refused by its name, and kept."""
    content = {raw: pdf(str(number)) for number, raw in enumerate(HOSTILE)}
    for raw, document in content.items():
        place.put(raw, document)
    failed = os.fsencode(place.failed)
    until(lambda: content.keys() <= set(os.listdir(failed)), "all in failed/")
    for raw, document in content.items():
        path = place.failed / os.fsdecode(raw)
        assert path.read_bytes() == document
        told = sidecar(path)
        assert (told["order_id"], told["error"]["code"], told["error"]["reason"]) == (None, 100, "bad_name")
        daemon.says(f"rejected {HOSTILE[raw]}")
    assert api.requests == []
    assert daemon.stop() == 0  # which looks at every byte of the log


def test_a_name_that_looks_like_an_option_is_an_order_id(api: StandIn, place: Place, daemon: Program) -> None:
    """Dashes are allowed in an order id, also in front."""
    for name in ("-rf", "--help", "-"):
        place.put(f"{name}.pdf", pdf())
        place.until_done(f"{name}.pdf")
        assert api.requests[-1].path == f"/web-api/order/{name}/invoice"


def test_the_longest_name_there_is(api: StandIn, place: Place, daemon: Program) -> None:
    """A name of 255 bytes leaves no room for ".json": it is cut, and document and receipt still belong together."""
    place.put("n" * 251 + ".pdf", pdf())
    (document,) = until(lambda: documents(place.failed), "it in failed/")
    assert (place.failed / document).read_bytes() == pdf()
    assert sidecar(place.failed / document)["error"]["code"] == 100
    assert document.startswith("n" * 200)
    until(lambda: names(place.drop) == names(place.work) == [], "nothing of it elsewhere")


def test_a_dropped_receipt_is_a_file_like_any_other(api: StandIn, place: Place, daemon: Program) -> None:
    """Somebody drops 12345.pdf and 12345.pdf.json: the second is no invoice, and upsets nothing."""
    place.put("12345.pdf.json", b'{"version": 1, "state": "done"}')
    place.put("12345.pdf", pdf())
    place.until_done("12345.pdf")
    place.until_failed("12345.pdf.json")
    assert sidecar(place.failed / "12345.pdf.json")["error"]["code"] == 106
    assert names(place.work) == []
