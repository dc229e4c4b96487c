"""Where the folders lie: the kind of file system, and what room is left on it.

Asks the kernel, changes nothing. Raises nothing: what cannot be asked is a finding, or silence.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.lookout import is_polled
from invoice_watcher.mounts import file_system_of, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Config

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_SCANT_SHARE = 0.05
_SCANT_BYTES = 10 * _GIB  # of a large disk, five in a hundred are still plenty
_SCANT_FILES = 1000


def look_at_storage(config: Config) -> Iterator[Finding]:
    """Yield what is to be said of the file system under the drop folder, which all four share."""
    yield _kind(config)
    try:
        found = os.statvfs(config.drop_dir)
    except OSError as error:
        yield note("room", f"how much is left cannot be asked ({error.strerror})")
    else:
        yield room(found, config.api.workers * config.max_size)


def _kind(config: Config) -> Finding:
    kind = file_system_of(config.drop_dir) or "unknown"
    polled = is_polled(config.settle, config.drop_dir)
    scan = f"found by a scan every {config.settle.rescan_for(polling=polled):g} s"
    if not is_local(config.drop_dir):
        found = f"new files are {scan}" if polled else f"what other machines drop is {scan} (settle.mode)"
        cure = "have the service run where the disk is, if new files have to be noticed at once"
        return note("file system", f"{kind} is a network one; {found}", cure)
    if polled:
        return ok("file system", f"{kind}, new files are {scan} (settle.mode)")
    return ok("file system", f"{kind}, new files are noticed at once")


def room(found: os.statvfs_result, needed: int) -> Finding:
    """Judge what statvfs(3) says.

    Args:
        found: its answer; a file system without a limit of files says 0 of them.
        needed: bytes that the copies of large documents may take at a time.
    """
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    files = found.f_favail if found.f_files else None
    text = f"{_shown(free)} free" + (f", {files} more files" if files is not None else "")
    if not free or files == 0:
        return fault("room", f"{text}: nothing is sent that could not be recorded", "make room on the disk")
    scant = free < needed or free < min(_SCANT_SHARE * size, _SCANT_BYTES)
    if scant or (files is not None and files < max(_SCANT_FILES, found.f_files // 100)):
        return note("room", f"the disk is nearly full ({text})", "make room, or move old invoices elsewhere")
    return ok("room", text)


def _shown(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"
