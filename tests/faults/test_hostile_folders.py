"""What another user of the machine does to the folders and to the program itself, and what the layout denies them."""

from __future__ import annotations

import errno
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.users import (
    ATTACKER,
    CLERK,
    DAEMON,
    INVOICES,
    Person,
    as_daemon,
    as_user,
    assert_clerks_go_through,
    daemon,
    needs_users,
    place,
)
from tests.integration.answers import Answer, refused
from tests.integration.place import documents, pdf, sidecar
from tests.integration.program import API_CODE, ROOT, until
from tests.support.children import fork, in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

__all__ = ["daemon", "place"]

pytestmark = needs_users
OPEN = 0o2770  # against all advice, the group may write in the done folder


def refusal(person: Person, work: Callable[[], object]) -> str | None:
    """Return the name of the error with which the kernel refuses somebody something; None when it does not."""

    def tried() -> str | None:
        try:
            work()
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return None

    return person.does(tried)


def test_what_the_layout_denies(api: StandIn, place: Place, daemon: Program) -> None:
    """Nobody who may drop can touch another's file, move or replace the folders, or look into the work folder."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    assert_clerks_go_through(place, "0")
    CLERK.drops(place, "1.pdf", pdf("1"))
    api.wait_for(1, "1")
    CLERK.does(lambda: (place.drop / "2.tmp").write_bytes(pdf("2")))
    CLERK.does((place.drop / "3.tmp").mkdir)
    ATTACKER.does(lambda: (place.drop / "own.tmp").write_bytes(pdf("own")))
    folders = (place.drop, place.done, place.failed, place.work)
    denied: dict[str, Callable[[], object]] = {
        "remove": (place.drop / "2.tmp").unlink,
        "rename": lambda: (place.drop / "2.tmp").rename(place.drop / "2.pdf"),
        "replace": lambda: (place.drop / "own.tmp").replace(place.drop / "2.tmp"),
        "move": lambda: (place.drop / "2.tmp").rename(place.failed / "2.pdf"),
        "move a folder": lambda: (place.drop / "3.tmp").rename(place.failed / "3"),
        "forge a delivery": lambda: (place.done / "4.pdf").write_bytes(b""),
        "take away a delivery": (place.done / "0.pdf").unlink,
        "write on": lambda: (place.drop / "2.tmp").open("ab"),
        "list": lambda: os.listdir(place.work),
        "read": (place.work / "1.pdf").read_bytes,
        "claim": lambda: (place.drop / "own.tmp").rename(place.work / "2.pdf"),
        "note": lambda: (place.work / "1.pdf.json").write_text("{}"),
        "read the configuration": place.config.read_bytes,
        **{f"rename {one}": lambda one=one: one.rename(f"{one}-away") for one in folders},  # type: ignore[misc]
        **{f"open {one} to all": lambda one=one: one.chmod(0o777) for one in folders},  # type: ignore[misc]
    }
    allowed = {
        what: told for what, work in denied.items() if (told := refusal(ATTACKER, work)) not in {"EACCES", "EPERM"}
    }
    assert allowed == {}
    hold.set()
    place.until_done("1.pdf")


@pytest.mark.parametrize("which", ["done", "failed", ".processing"])
def test_a_folder_that_becomes_a_link(api: StandIn, place: Place, daemon: Program, which: str) -> None:
    """Where the drop folder is the attacker's own, against all advice: no document goes where the link leads."""
    os.chown(place.drop, ATTACKER.uid, INVOICES)
    place.drop.chmod(0o2777)
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    api.script("2", refused(103, "closed"))
    CLERK.drops(place, "1.pdf", pdf("1"))
    api.wait_for(1)
    folder, elsewhere = place.drop / which, place.drop / "elsewhere.tmp"

    def replace() -> None:
        elsewhere.mkdir(mode=0o777)
        elsewhere.chmod(0o777)
        folder.rename(place.drop / "away.tmp")
        folder.symlink_to(elsewhere)

    ATTACKER.does(replace)
    hold.set()
    CLERK.drops(place, "2.pdf", pdf("2"))
    daemon.says("symbolic link")
    assert os.listdir(elsewhere) == []

    def put_back() -> None:
        folder.unlink()
        (place.drop / "away.tmp").rename(folder)

    ATTACKER.does(put_back)
    place.until_done("1.pdf")
    place.until_failed("2.pdf")
    assert len(api.of("1")) == len(api.of("2")) == 1
    assert os.listdir(elsewhere) == []


def test_receipts_that_lie_there_already(api: StandIn, place: Place, daemon: Program) -> None:
    """Links and files under the names of receipts to come: none is written through, replaced, or taken for ours."""
    before = place.config.read_bytes()
    place.done.chmod(OPEN)
    api.script("2", refused(103, "closed"))

    def lay_out() -> None:
        (place.done / "1.pdf.json").symlink_to(place.config)
        (place.failed / "2.pdf.json").symlink_to(place.config)
        (place.done / ".receipt-1").symlink_to(place.config)
        os.mkfifo(place.done / "1.2.pdf.json")
        (place.failed / "2.2.pdf").mkdir()

    ATTACKER.does(lay_out)
    CLERK.drops(place, "1.pdf", pdf("1"))
    CLERK.drops(place, "2.pdf", pdf("2"))
    place.until_done("1.3.pdf")
    place.until_failed("2.3.pdf")
    assert sidecar(place.done / "1.3.pdf")["file"] == "1.3.pdf"
    assert sidecar(place.failed / "2.3.pdf")["error"]["code"] == 103
    assert place.config.read_bytes() == before
    assert place.config.stat().st_uid == DAEMON


def test_a_forged_receipt(api: StandIn, place: Place, daemon: Program) -> None:
    """The receipt in failed/ tells whose a numbered document was: one that somebody else wrote is not believed."""
    api.script("12345", *[refused(100, "Order ID is wrong")] * 2, Answer())
    for filed in ("12345.pdf", "12345.2.pdf"):
        CLERK.drops(place, "12345.pdf", pdf(filed))
        place.until_failed(filed)
    told = place.failed / "12345.2.pdf.json"

    def forge() -> None:
        text = told.read_text(encoding="utf-8").replace('"order_id": "12345"', '"order_id": "666"')
        assert "666" in text
        told.unlink()
        told.write_text(text, encoding="utf-8")

    ATTACKER.does(forge)
    CLERK.does(lambda: (place.failed / "12345.2.pdf").rename(place.drop / "12345.2.pdf"))
    until(lambda: [name for name in documents(place.failed) if name != "12345.pdf"] or documents(place.done), "an end")
    assert api.of("666") == []


def test_somebody_rummages_in_done(api: StandIn, place: Place, daemon: Program) -> None:
    """Receipts vanish, and names are taken, in the very moment of filing: each is sent once, and none is lost."""
    orders = [f"{number}" for number in range(30)]
    place.done.chmod(OPEN)

    def rummage() -> None:
        for name in os.listdir(place.done):
            if name.endswith(".json"):
                with suppress(OSError):
                    os.unlink(place.done / name)
                    os.close(os.open(place.done / name.removesuffix(".json"), os.O_CREAT | os.O_EXCL))

    with ATTACKER.keeps(lambda: _repeat(rummage)):
        for order in orders:
            CLERK.drops(place, f"{order}.pdf", pdf(order))
        until(lambda: len(_contents(place)) == len(orders), "all of them filed")
        until(lambda: not list(place.done.glob("*.json")), "every receipt taken away")
    assert _contents(place) == {pdf(order) for order in orders}
    assert sorted(request.order_id for request in api.requests) == sorted(orders)
    assert daemon.stop() == 0


def _repeat(work: Callable[[], None]) -> None:
    """Do something again and again, in a process that ends with this one."""
    parent = os.getpid()
    if fork() == 0:
        try:
            while os.getppid() == parent:
                work()
        finally:
            os._exit(0)


def _contents(place: Place) -> set[bytes]:
    contents = set()
    for name in documents(place.done):
        with suppress(OSError):
            contents.add((place.done / name).read_bytes())
    return contents - {b""}


def _seen_of(pid: int) -> list[str]:
    """Return what the kernel lets this process see of another's memory, files and environment."""

    def may_see(what: str) -> bool:
        path = Path(f"/proc/{pid}/{what}")
        try:
            return bool(os.listdir(path) if what == "fd" else os.open(path, os.O_RDONLY))
        except PermissionError:
            return False

    return [what for what in ("environ", "mem", "maps", "auxv", "fd", "exe", "cwd", "root") if may_see(what)]


@pytest.mark.parametrize("uid", [ATTACKER.uid, DAEMON])
def test_the_secret_cannot_be_read_off_the_process(place: Place, start: Start, uid: int) -> None:
    """Neither another user nor another program of the service's user sees memory, files, or environment."""
    place.configure(api__api_code=None)
    daemon = start(within=as_user(DAEMON, INVOICES), INVOICE_WATCHER_API_CODE=API_CODE)
    assert in_child(lambda: _seen_of(daemon.pid), uid=uid, groups=[INVOICES]) == []
    assert API_CODE.encode() not in Path(f"/proc/{daemon.pid}/cmdline").read_bytes()


def test_a_crash_leaves_no_core_dump(place: Place, start: Start) -> None:
    """Whatever limits it was started with, no memory of it comes to lie on the disk."""
    folder = place.root / "core"
    folder.mkdir()
    os.chown(folder, DAEMON, INVOICES)
    dumping = ["sh", "-c", 'ulimit -c unlimited && cd "$CORE" && exec "$0" "$@"']
    daemon = start(within=[*as_daemon(), *dumping], CORE=str(folder), PYTHONPATH=str(ROOT))
    daemon.send(signal.SIGSEGV)
    ended = os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert (ended.si_code, ended.si_status) == (os.CLD_KILLED, signal.SIGSEGV)
    assert daemon.wait() == -signal.SIGSEGV
    assert os.listdir(folder) == []
