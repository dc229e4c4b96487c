"""The machine itself: what the other tests here rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.machine import Machine


def leftovers(machine: Machine) -> list[str]:
    """Return what is still there of a machine: processes, mounts, control groups, files."""
    processes = [Path(path, "cmdline") for path in Path("/proc").glob("[0-9]*")]
    named = [str(path) for path in processes if machine.name.encode() in _read(path)]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if machine.name in line]
    folders = [
        *Path("/sys/fs/cgroup").glob(f"*/{machine.name}"),
        *Path("/run/systemd/nspawn").glob(f"*/{machine.name}"),
    ]
    return named + mounts + [str(path) for path in (*folders, machine.root) if path.exists()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_nothing_is_left_of_a_machine(base: Path) -> None:
    """A machine that is busy when its block ends leaves nothing behind, and its tree as it was."""
    before = os.stat(base / "etc").st_mtime_ns, sorted(os.listdir(base / "etc"))
    with Machine(base) as machine:
        machine.boot()
        machine.run("systemd-run", "--collect", "sleep", "infinity")
        machine.write("/etc/new", "written in the machine")
        assert machine.run("cat", "/etc/new", user="nobody") == "written in the machine"
        assert leftovers(machine)
    assert leftovers(machine) == []
    assert (os.stat(base / "etc").st_mtime_ns, sorted(os.listdir(base / "etc"))) == before


def test_a_machine_that_does_not_boot_is_told(base: Path) -> None:
    """A tree without systemd is no machine: an AssertionError with what the console said, and nothing left."""
    with Machine(base) as machine:
        for name in ("usr/lib/systemd/systemd", "usr/sbin/init"):
            (machine.root / name).unlink()
        with pytest.raises(AssertionError, match="does not boot"):
            machine.boot()
    assert leftovers(machine) == []
