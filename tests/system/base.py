"""A tree of Debian 13 with systemd and Samba, made once and kept: what every machine of the system tests starts from.

`base_tree` returns its path. What is only downloaded into it lies in apt's own cache there, so that a machine without
a network can install it with apt. Guarantees: a tree is whole or not there, however its making ended; it is made anew
when other packages are asked for, and once a week; nobody writes to it later. Raises CalledProcessError when the
archive cannot be reached, or a package is not in it; the file `log` beside the trees says which.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

ARCHIVE = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SUITE = "trixie"
INSTALLED = (
    *("adduser", "ca-certificates", "dbus", "openssl", "procps", "python3"),
    *("samba", "smbclient", "systemd", "systemd-sysv"),
)
# What the program's own tests ask for, beside what the program does.
TESTING = ("apprise", "e2fsprogs", "python3-hypothesis", "python3-pytest", "python3-pytest-timeout")
_HALF = "half-"
WEEK = 7 * 24 * 3600.0
# A machine of these tests has a loopback only, and the NetBIOS name service waits for more.
_FINISH = "systemctl disable --quiet nmbd.service; apt-get clean"


def folder() -> Path:
    """Return where the trees are kept: outside of any checkout."""
    return Path(os.environ.get("INVOICE_WATCHER_CACHE", "/var/cache/invoice-watcher"))


def base_tree(packages: Sequence[str]) -> Path:
    """Return a tree in which `packages`, and what they recommend, can be installed without a network."""
    recipe = [ARCHIVE, SUITE, INSTALLED, TESTING, sorted(packages), _FINISH]
    tree = folder() / f"{SUITE}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    folder().mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(folder() / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh(tree):
            _make(tree, packages)
    return tree


def _is_fresh(tree: Path) -> bool:
    return tree.exists() and time.time() - tree.stat().st_mtime < WEEK


def _make(tree: Path, packages: Sequence[str]) -> None:
    """Make a tree beside the others, and give it its name when it is whole."""
    for other in (*folder().glob(f"{_HALF}*"), *folder().glob(f"{SUITE}-*")):
        if other.name.startswith(_HALF) or not _is_fresh(other):
            remove(other)
    (folder() / "log").unlink(missing_ok=True)
    sys.stderr.write(f"\nmaking a tree of Debian {SUITE} in {folder()}; this takes two minutes, once a week\n")
    new = Path(tempfile.mkdtemp(prefix=_HALF, dir=folder()))
    new.chmod(0o755)
    try:
        _run("debootstrap", "--variant=minbase", "--include=eatmydata", SUITE, str(new), ARCHIVE)
        _within(new, "apt-get update -qq")
        _within(new, f"eatmydata apt-get install -qq --no-install-recommends {' '.join(INSTALLED)}")
        _within(new, _FINISH)
        _within(new, f"eatmydata apt-get install -qq --download-only {' '.join((*packages, *TESTING))}")
        os.utime(new)
        new.rename(tree)
    except BaseException:
        remove(new)
        raise


def remove(tree: Path) -> None:
    """Remove a tree, but nothing that may still be mounted in it."""
    subprocess.run(["rm", "-rf", "--one-file-system", tree], check=True)


def _within(tree: Path, script: str) -> None:
    """Run a shell script with the tree as its root, with a process table of its own and this machine's name service."""
    isolated = ("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={tree}/proc")
    (tree / "etc" / "resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
    _run(*isolated, "chroot", str(tree), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", script)


def _run(*command: str) -> None:
    with open(folder() / "log", "ab") as log:
        subprocess.run(command, check=True, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
