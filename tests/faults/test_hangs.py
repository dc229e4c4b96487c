"""Parts of the running program that hang: the watchdog is no longer fed, so systemd would start the program anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.injection import injected, needs_strace
from tests.integration.place import pdf
from tests.support.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn

pytestmark = needs_strace

WATCHDOG = 1.0
FOR_AGES = "delay_enter=600s"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Listen, with a watchdog that has little patience."""
    pytest.importorskip("systemd")
    with Manager(tmp_path, watchdog=WATCHDOG) as manager:
        yield manager


def test_a_scan_that_never_ends(place: Place, start: Start, manager: Manager, tmp_path: Path) -> None:
    """The file system does not answer: no sign of life. It answers again: alive, and what was dropped is delivered."""
    place.configure(settle__rescan="100ms", settle__mode="polling")
    daemon = start(**manager.env)
    with injected(daemon.pid, "getdents64", FOR_AGES, "1+", tmp_path / "trace", [place.drop]):
        manager.hears_no_more_of("WATCHDOG=1", 3 * WATCHDOG)
        place.put("1.pdf", pdf())
    manager.hears("WATCHDOG=1")
    place.until_done("1.pdf")


def test_an_upload_beyond_its_deadline(
    api: StandIn, place: Place, start: Start, manager: Manager, tmp_path: Path
) -> None:
    """A worker hangs in the disk, all else goes on: after the deadline no sign of life, and a line says why."""
    place.configure(api__workers=1, api__deadline="1s", api__read_timeout="1s", api__connect_timeout="1s")
    daemon = start(**manager.env)
    with injected(daemon.pid, "renameat2", FOR_AGES, 1, tmp_path / "trace"):
        place.put("1.pdf", pdf())
        daemon.says(
            "CRITICAL an attempt to deliver does not come to an end; the service manager will start the program anew"
        )
        manager.hears_no_more_of("WATCHDOG=1", 3 * WATCHDOG)
    manager.hears("WATCHDOG=1")
    place.until_done("1.pdf")


@pytest.mark.parametrize("command", [("status",), ("explain", "1")])
def test_asking_while_the_disk_hangs(place: Place, start: Start, command: tuple[str, ...]) -> None:
    """The file system does not answer: whoever asks how things stand is told that."""
    place.put("1.pdf", pdf())
    hanging = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(place.drop), "-e", "trace=getdents64"]
    hanging += ["-e", f"inject=getdents64:{FOR_AGES}"]
    asking = start(*command, "-c", place.config, within=hanging)
    assert "a disk or a server hangs" in asking.says("invoice-watcher: ")  # strace cannot let it end then
