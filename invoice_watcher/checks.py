"""What `check` looks at, before anything is sent: each finding says what is so, and what would mend it.

Guarantees: nothing is made or changed that was not there before, beyond an empty hidden file that is renamed through
the folders and removed; a running instance is not disturbed. Raises nothing: what cannot be looked at is a finding.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from invoice_watcher.config import warnings
from invoice_watcher.errors import FolderError, FolderInUseError
from invoice_watcher.mounts import file_system_of, gives_hints, missing_disk
from invoice_watcher.spool import Folders, leases_work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config import Config


_FIXES = {
    errno.EACCES: "let this user search the folders above it",
    errno.ENAMETOOLONG: "give it a shorter path",
}


class Grade(Enum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: a sentence, with what to do where something is to be done; not escaped yet."""

    grade: Grade
    text: str


def check_all(config: Config, path: Path) -> Iterator[Finding]:
    """Yield every finding about a configuration that could be read.

    Args:
        config: the configuration.
        path: where it was read from.
    """
    yield Finding(Grade.OK, f"configuration: {path}")
    for doubt in warnings(config, path):
        yield Finding(Grade.NOTE, str(doubt))
    yield Finding(Grade.OK, f"API: {config.api.base_url}")
    folders = list(_check_folders(config))
    yield from folders
    if all(finding.grade is not Grade.FAULT for finding in folders):
        yield from _check_file_system(config)


def _check_folders(config: Config) -> Iterator[Finding]:
    missing = [path for path in (config.done_dir, config.failed_dir, config.work_dir) if not os.path.lexists(path)]
    if missing and os.path.isdir(config.drop_dir):
        trouble = missing_disk(config.drop_dir)
        yield from [Finding(Grade.FAULT, f"folders: {trouble}")] if trouble else map(_check_missing, missing)
        return
    try:
        Folders(config.drop_dir, config.done_dir, config.failed_dir, config.work_dir, create=False).close()
    except FolderInUseError as error:
        yield Finding(Grade.NOTE, f"folders: {error}, so they were not tried; stop it to have them tried")
    except FolderError as error:
        yield Finding(Grade.FAULT, f"folders: {error}")
    else:
        yield Finding(Grade.OK, f"folders: {config.drop_dir}, files can be moved through all four")


def _check_missing(path: Path) -> Finding:
    """Judge a folder that is not seen: is it not there yet, and can it be made, or can this user not get so far?"""
    try:
        os.stat(path.parent)
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        fix = _FIXES.get(error.errno or 0, "correct the configuration")
        return Finding(Grade.FAULT, f"folders: {path} cannot be reached ({error.strerror}); {fix}")
    if not path.parent.is_dir():
        return Finding(Grade.FAULT, f"folders: {path.parent} does not exist; create it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return Finding(Grade.FAULT, f"folders: {path} is missing, and this user may not create it")
    return Finding(Grade.OK, f"folders: {path} will be created at the first start")


def _check_file_system(config: Config) -> Iterator[Finding]:
    kind = file_system_of(config.drop_dir) or "unknown"
    if gives_hints(config.drop_dir):
        yield Finding(Grade.OK, f"file system: {kind}, new files are noticed at once")
    else:
        seconds = config.settle.rescan_for(polling=True)
        yield Finding(
            Grade.NOTE,
            f"file system: {kind} is a network one; new files are found by a scan every {seconds:g} s",
        )
    if leases_work(config.drop_dir):
        yield Finding(Grade.OK, "leases: the kernel tells when a file is still being written")
    else:
        text = "leases: not to be had here; a file counts as finished when it stays unchanged for settle.quiet"
        yield Finding(Grade.NOTE, text)
