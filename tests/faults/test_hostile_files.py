"""What another user of the machine drops into the folder, to be sent what is not theirs, or to stop the others.

The program runs as the service's user, the attacker as a user of the group that may drop, on the package's folders.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import stat
import threading
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import has_begun, injected, needs_strace
from tests.faults.users import (
    ATTACKER,
    CLERK,
    as_daemon,
    assert_clerks_go_through,
    daemon,
    immutable,
    needs_users,
    place,
    secret_of,
    write,
)
from tests.integration.answers import Answer
from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

__all__ = ["daemon", "place"]

pytestmark = needs_users


def test_a_link_to_what_only_the_service_may_read(api: StandIn, place: Place, daemon: Program) -> None:
    """By symbolic link, by hard link: nobody gets the service to send a file that they may not read themselves."""
    hidden = secret_of(place)
    ATTACKER.does(lambda: (place.drop / "1.pdf").symlink_to(hidden))
    ATTACKER.does(lambda: (place.drop / "2.pdf").symlink_to("/proc/self/environ"))
    with pytest.raises(AssertionError, match="PermissionError"):
        ATTACKER.does(lambda: os.link(hidden, place.drop / "3.pdf"))
    os.link(hidden, place.drop / "4.pdf")  # what fs.protected_hardlinks=0 would allow
    assert_clerks_go_through(place, "8", "9")
    daemon.says("1.pdf is no regular file")
    daemon.says("2.pdf is no regular file")
    assert names(place.drop) == ["1.pdf", "2.pdf", "4.pdf"]
    assert {request.part.content for request in api.requests} == {pdf("8"), pdf("9")}


def test_pipes_sockets_and_devices(api: StandIn, place: Place, daemon: Program) -> None:
    """A pipe that somebody keeps filled, a socket, a device: named in the log, not read, and nobody waits for them."""

    def lay_out() -> list[object]:
        os.mkfifo(place.drop / "1.pdf")
        os.mkdir(place.drop / "2.pdf")
        held = socket.socket(socket.AF_UNIX)
        held.bind(str(place.drop / "3.pdf"))
        pipe = os.open(place.drop / "1.pdf", os.O_RDWR)
        os.write(pipe, pdf("from a pipe"))
        return [pipe, held]

    os.mknod(place.drop / "4.pdf", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero, which never ends
    with ATTACKER.keeps(lay_out):
        for name in ("1.pdf", "2.pdf", "3.pdf", "4.pdf"):
            daemon.says(f"{name} is no regular file")
        assert_clerks_go_through(place, "8", "9")
    assert sorted(os.listdir(place.drop)) == [".processing", "1.pdf", "2.pdf", "3.pdf", "4.pdf", "done", "failed"]
    assert len(api.requests) == 2
    assert daemon.stop() == 0


def test_another_file_takes_the_place_again_and_again(api: StandIn, place: Place, daemon: Program) -> None:
    """Whatever takes a name between the look and the upload: what is sent is a document that was dropped there."""
    hidden = secret_of(place)
    offered = [pdf(f"{number}") for number in range(100)]

    def swap() -> None:
        own, other = place.drop / "own.tmp", place.drop / "other.tmp"
        ways: tuple[Callable[[], object], ...] = (
            lambda: other.symlink_to(hidden),
            lambda: other.hardlink_to(own),
            lambda: os.mkfifo(other),
        )
        for content, make in product(offered, ways):
            write(own, content)
            make()
            other.rename(place.drop / "1.pdf")
            own.rename(place.drop / "1.pdf")
            own.unlink(missing_ok=True)

    ATTACKER.does(swap)
    assert_clerks_go_through(place, "9")
    until(lambda: "1.pdf" not in names(place.drop), "the last of them taken")
    daemon.stop()
    sent = [request.part.content for request in api.of("1")]
    assert sent
    assert set(sent) <= set(offered)
    filed = [(place.done / name).read_bytes() for name in documents(place.done) if name != "9.pdf"]
    assert sorted(filed) == sorted(sent)


@needs_strace
@pytest.mark.parametrize("what", ["link", "folder"])
def test_another_takes_the_place_at_the_moment_of_the_claim(
    api: StandIn, place: Place, daemon: Program, tmp_path: Path, what: str
) -> None:
    """Copied and found good, then swapped for what is no file: nothing of it is sent, and its order does not wait."""
    hidden, trace = secret_of(place), tmp_path / "trace"
    other = place.drop / "other.tmp"
    make = {"link": lambda: other.symlink_to(hidden), "folder": other.mkdir}[what]

    def swap() -> None:
        (place.drop / "1.pdf").unlink()
        other.rename(place.drop / "1.pdf")

    ATTACKER.does(make)
    with injected(daemon.pid, "renameat2", "delay_enter=5s", 1, trace):
        ATTACKER.drops(place, "1.pdf", pdf("1"))
        until(lambda: has_begun(trace, "renameat2"), "a claim, which is kept waiting")
        ATTACKER.does(swap)
        until(lambda: "DELAYED" in trace.read_text() and not os.listdir(place.work), "an end of the claim")
    daemon.says("1.pdf is no regular file")
    assert api.requests == []
    ATTACKER.does(lambda: (place.drop / "1.pdf").rename(place.drop / "other.tmp"))
    assert_clerks_go_through(place, "1")
    assert len(api.requests) == 1


def test_a_document_that_is_changed_through_a_descriptor_from_before(
    api: StandIn, place: Place, daemon: Program
) -> None:
    """The work folder is shut to its owner, who reopens and maps it all the same: done/ holds what was sent."""
    hold, new = threading.Event(), pdf("new")
    api.script("1", Answer(hold=hold), Answer())
    path = ATTACKER.drops(place, "1.tmp", pdf("old"))
    fd = os.open(path, os.O_RDONLY)
    ATTACKER.does(lambda: path.rename(place.drop / "1.pdf"))
    api.wait_for(1)

    def scribble() -> mmap.mmap:
        with open(f"/proc/self/fd/{fd}", "r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
        mapped[:] = new
        return mapped

    with ATTACKER.keeps(scribble):  # which would have to wait if a lease were held while it is sent
        hold.set()
        place.note_of("1.pdf")
        assert_clerks_go_through(place, "9")
        assert documents(place.work) == ["1.pdf"]
        assert len(api.of("1")) == 1
    os.close(fd)
    place.until_done("1.pdf")
    assert [request.part.content for request in api.of("1")] == [pdf("old"), new]
    assert (place.done / "1.pdf").read_bytes() == new


def test_a_lease_that_somebody_holds(api: StandIn, place: Place, daemon: Program) -> None:
    """Who has a file leased can keep it back, but neither the service nor the others' files."""

    def lease() -> int:
        path = write(place.drop / "1.tmp", pdf("leased"))
        fd = os.open(path, os.O_RDWR)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        path.rename(place.drop / "1.pdf")
        return fd

    with ATTACKER.keeps(lease):
        assert_clerks_go_through(place, "8", "9")
        assert names(place.drop) == ["1.pdf"]
    place.until_done("1.pdf")
    assert len(api.of("1")) == 1


def test_a_file_that_the_service_may_not_read(api: StandIn, place: Place, daemon: Program) -> None:
    """It waits in sight, holds up nobody, and goes as soon as its owner allows it."""
    path = ATTACKER.drops(place, "1.pdf", pdf("1"), 0o600)
    assert_clerks_go_through(place, "8", "9")
    assert names(place.drop) == ["1.pdf"]
    ATTACKER.does(lambda: path.chmod(0o640))
    place.until_done("1.pdf")


def test_what_is_dropped_for_anothers_order(api: StandIn, place: Place, daemon: Program) -> None:
    """Anybody may drop anything for any order; the receipts prove who dropped which document."""
    CLERK.drops(place, "1.pdf", pdf("right"))
    place.until_done("1.pdf")
    ATTACKER.drops(place, "1.pdf", pdf("wrong"))
    place.until_done("1.2.pdf")
    receipts = [sidecar(place.done / name) for name in ("1.pdf", "1.2.pdf")]
    assert [receipt["owner"] for receipt in receipts] == [str(CLERK.uid), str(ATTACKER.uid)]
    assert [receipt["sha256"] for receipt in receipts] == [request.part.sha256 for request in api.requests]


def test_thousands_of_files_of_one_user(api: StandIn, place: Place, daemon: Program) -> None:
    """One user fills the folder with what is none, what cannot be read, and invoices: the others' go all the same."""

    def fill() -> None:
        for number in range(1500):
            (place.drop / f"link-{number}.pdf").symlink_to("nowhere")
            write(place.drop / f"closed-{number}.pdf", b"", 0o600)
        for number in range(100):
            write(place.drop / f"{number}.pdf", pdf(f"{number}"))

    ATTACKER.does(fill)
    assert_clerks_go_through(place, "clerk-1", "clerk-2")
    place.until_done(*(f"{number}.pdf" for number in range(100)))
    assert len(api.requests) == 102
    assert daemon.stop() == 0


def test_a_document_that_becomes_immutable_is_never_sent_again(api: StandIn, place: Place, start: Start) -> None:
    """Its answer came, and it cannot be moved: kept over a restart, and the others go on."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold), Answer())
    place.configure(log__level="debug")
    daemon = start(within=as_daemon())
    ATTACKER.drops(place, "1.pdf", pdf("1"))
    api.wait_for(1)
    with immutable(place.work / "1.pdf"):
        hold.set()
        daemon.says("1.pdf may not be moved by this program")
        assert_clerks_go_through(place, "8", "9")
        assert daemon.stop() == 0
        daemon = start(within=as_daemon())
        daemon.says("1.pdf may not be moved by this program")
        assert_clerks_go_through(place, "10")
    place.until_done("1.pdf")
    assert len(api.of("1")) == 1
