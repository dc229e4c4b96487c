"""What the program needs of the kernel: leases, hints, a rule about hard links, and a clock that is set.

Asks and tries, changes nothing: a lease is taken on an unnamed file, and a watch is given back at once. Raises
nothing; what the kernel does not tell (in a unit with ProcSubset=pid, say) is left unsaid.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.checks.rights import CAP_LEASE, holds_everywhere
from invoice_watcher.lookout import is_polled
from invoice_watcher.spool import leases_work
from invoice_watcher.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Config

_SETTINGS = Path("/proc/sys/fs")
_LIMITS = ("queued_events", "user_watches", "user_instances")  # inotify(7)
_FEWEST_EVENTS = 1024
_OLDEST = datetime(2025, 1, 1, tzinfo=UTC)  # before this program was written
_QUIET_ALONE = "counts as finished when it stays unchanged for settle.quiet"


def look_at_kernel(config: Config) -> Iterator[Finding]:
    """Yield what is to be said of leases, hints and hard links, for folders that can be used."""
    yield _leases(config.drop_dir)
    if not is_polled(config.settle, config.drop_dir):
        yield _hints(config.drop_dir)
    yield from hard_links(_SETTINGS)


def _leases(drop: Path) -> Finding:
    """Without CAP_LEASE the kernel grants leases on this user's own files only (fcntl(2)), and clerks drop theirs."""
    longer = "choose a longer settle.quiet if files are dropped slowly"
    if not leases_work(drop):
        return note("leases", f"not to be had here; a file {_QUIET_ALONE}", longer)
    if holds_everywhere(CAP_LEASE):
        return ok("leases", "the kernel tells when a file is still being written")
    if not _is_shared(drop):
        return ok("leases", "the kernel tells when a file is still being written, of this user's own files")
    cure = f"grant CAP_LEASE, as the shipped unit does to the service, have all files belong to this user, or {longer}"
    return note("leases", f"not for the files of other users (no CAP_LEASE): such a file {_QUIET_ALONE}", cure)


def _is_shared(drop: Path) -> bool:
    """Tell whether others than this user may drop files."""
    found = os.stat(drop)
    return found.st_uid != os.geteuid() or bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _hints(drop: Path) -> Finding:
    watcher = Watcher(drop, lambda: None)
    trouble = watcher.start()
    watcher.stop()
    if trouble:
        text, _, cure = trouble.partition("; ")
        return note("inotify", text, cure)
    return limits(_SETTINGS / "inotify")


def limits(folder: Path) -> Finding:
    """Return that a watch can be had, and within which limits, as the kernel's files in `folder` tell them."""
    events, watches, instances = (_number(folder / f"max_{name}") for name in _LIMITS)
    if events is not None and events < _FEWEST_EVENTS:
        text = f"only {events} events are kept, so what a storm of files brings may be found by the rescan alone"
        return note("inotify", text, "raise fs.inotify.max_queued_events with sysctl(8)")
    told = watches is not None and instances is not None
    within = f" (each user may have {instances} instances and {watches} watches)" if told else ""
    return ok("inotify", f"the kernel watches the drop folder{within}")


def hard_links(folder: Path) -> Iterator[Finding]:
    """Yield a note when anybody may give somebody else's file a name in the drop folder (proc_sys_fs(5))."""
    if _number(folder / "protected_hardlinks") == 0:
        text = "fs.protected_hardlinks is 0, so whoever may drop can link a file there that only the service may read"
        yield note("hard links", text, "run: sysctl fs.protected_hardlinks=1, and set it in /etc/sysctl.d")


def clock(now: datetime) -> Iterator[Finding]:
    """Yield a fault when the clock was never set, as on a machine whose battery is empty."""
    if now < _OLDEST:
        text = f"this machine believes it is {now:%Y-%m-%d}, so receipts would be dated wrong and certificates refused"
        yield fault("clock", text, "set it: timedatectl set-ntp true")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None
