"""The watch on the drop folder fails, in each way the kernel has: the rescan delivers meanwhile, and it is mended."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import injected, needs_strace, standing_still, was_hit
from tests.faults.invariants import assert_all_delivered
from tests.faults.users import as_daemon, installed, needs_users
from tests.integration.events import events_in
from tests.integration.place import documents, invoices, pdf
from tests.integration.program import lines_with, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

_LIMIT = "/proc/sys/user/max_inotify_{}"  # of a user namespace
_NAMESPACE = ["unshare", "--map-root-user"]
_MOST_EVENTS = "/proc/sys/fs/inotify/max_queued_events"


def _deliver(place: Place, *numbers: int) -> dict[str, bytes]:
    """Drop one after the other, each as soon as the one before is done: each needs a look of its own."""
    dropped = invoices(numbers)
    for name, content in dropped.items():
        place.put(name, content)
        place.until_done(name)
    return dropped


def _limited(what: str) -> list[str]:
    """Return a command that executes the rest of its arguments where the kernel grants no watch."""
    limit = _LIMIT.format(what)
    if subprocess.run([*_NAMESPACE, "test", "-w", limit], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    return [*_NAMESPACE, "sh", "-c", f'echo 0 >{limit} && exec "$0" "$@"']


def _grant(daemon: Program, what: str) -> None:
    """Let the daemon have watches from now on."""
    inside = ["nsenter", "--user", "--preserve-credentials", "--target", str(daemon.pid)]
    script = f"echo 9 >{_LIMIT.format(what)}"
    subprocess.run([*inside, "sh", "-c", script], check=True)


def _open_files(daemon: Program) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@pytest.mark.parametrize("what", ["watches", "instances"])
def test_no_watches_are_left(api: StandIn, place: Place, start: Start, what: str) -> None:
    """One alarm with the remedy; the rescan alone delivers; tried again, at no cost; and said when it is over."""
    place.configure(settle__rescan="100ms")
    daemon = start(within=_limited(what))
    dropped = _deliver(place, 1)
    before = _open_files(daemon)
    dropped |= _deliver(place, *range(2, 12))  # each with a rescan, and each of these has tried again
    assert _open_files(daemon) <= before + 4  # a connection, and what is being looked at just now
    _grant(daemon, what)
    daemon.says("the kernel gives hints again")
    dropped |= _deliver(place, 12)
    assert daemon.stop() == 0
    alarm, _ = (line for line in daemon.lines if "WARNING" in line or "ERROR" in line)
    assert "new files are found by the rescan alone" in alarm
    assert f"raise fs.inotify.max_user_{what} with sysctl(8)" in alarm
    assert_all_delivered(api, place, dropped)


def _more_events_than_the_queue_holds(folder: Path) -> None:
    """Rename an ignored file to and fro: the same event twice in a row would count once (inotify(7))."""
    with open(_MOST_EVENTS, encoding="ascii") as limit:
        most = int(limit.read())
    here, there = f"{folder}/one.tmp", f"{folder}/two.tmp"
    with open(here, "wb"), events_in(folder) as events:
        for _ in range(most // 2 + 100):
            os.rename(here, there)
            os.rename(there, here)
        assert ("", "") in events(), "no queue overflowed"  # IN_Q_OVERFLOW has no name


def test_more_events_than_the_kernel_keeps(api: StandIn, place: Place, start: Start) -> None:
    """The daemon is held up while others are busy in the folder: what the kernel could not tell of is delivered too.

    The hints go on: nothing here waits for the rescan, which is an hour away.
    """
    place.configure(settle__rescan="1h")
    daemon = start()
    with standing_still(daemon.process):
        _more_events_than_the_queue_holds(place.drop)
        dropped = place.put_all(invoices(range(20)))
    place.until_done(*dropped)
    dropped |= _deliver(place, 21, 22)
    (place.drop / "one.tmp").unlink()
    assert daemon.stop() == 0
    assert_all_delivered(api, place, dropped)


@needs_strace
def test_the_watch_dies(api: StandIn, place: Place, start: Start, tmp_path: Path) -> None:
    """The kernel answers the watch with an I/O error: said in one line, the rescan delivers, and it is built anew.

    And again: the second time it is the new watch that meets the error, so it was a real one.
    """
    place.configure(settle__rescan="1s")
    daemon = start()
    dropped: dict[str, bytes] = {}
    for time in (1, 2):
        trace = tmp_path / f"trace-{time}"
        with injected(daemon.pid, "read", "error=EIO", 1, trace):
            place.put(f"{time}.tmp", b"a name that is left alone, so only the watch has anything to read")
            until(lambda: was_hit(trace), "an error")  # noqa: B023
        daemon.says("the watch on the drop folder ended: Input/output error", times=time)
        dropped |= _deliver(place, time)
        daemon.says("the watch on the drop folder had ended; watching anew", times=time)
    assert daemon.stop() == 0
    assert len(lines_with("WARNING", daemon.lines)) == 4
    for time in (1, 2):
        (place.drop / f"{time}.tmp").unlink()
    assert_all_delivered(api, place, dropped)


@needs_users
@pytest.mark.parametrize(("folder", "mode"), [
    ("", 0o000), ("", 0o444), ("", 0o555), ("done", 0o000), ("failed", 0o500), (".processing", 0o000),
])  # fmt: skip
def test_a_folder_is_closed_to_the_daemon(api: StandIn, start: Start, folder: str, mode: int) -> None:
    """Somebody takes the rights away: named within one rescan, nothing is sent; given back, it goes on by itself."""
    with installed(api.base_url) as place:
        place.configure(settle__rescan="200ms")
        daemon = start("run", "-c", place.config, within=as_daemon())
        daemon.says("ready: watching")
        shut = place.drop / folder
        before = shut.stat().st_mode & 0o7777
        with standing_still(daemon.process):  # so that both are there when it looks
            place.put("1.pdf", pdf("1"))
            shut.chmod(mode)
        assert str(shut) in daemon.says("waiting for the folders")
        assert (documents(place.drop), api.requests) == (["1.pdf"], [])
        shut.chmod(before)
        place.until_done("1.pdf")
        assert daemon.stop() == 0
        assert_all_delivered(api, place, {"1.pdf": pdf("1")})
