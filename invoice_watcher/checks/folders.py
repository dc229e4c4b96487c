"""The four folders: is each there, may this user work in it, and can a file be moved through all of them?

Guarantees: nothing is made or changed that was not there before, beyond an empty hidden file that is renamed through
the folders and removed; a running instance is not disturbed. Raises nothing: what cannot be looked at is a finding.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from typing import TYPE_CHECKING

from invoice_watcher.accounts import group_name, user_name
from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.checks.rights import CAP_FOWNER, holds
from invoice_watcher.errors import FolderError, FolderInUseError
from invoice_watcher.mounts import missing_disk
from invoice_watcher.spool import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config import Config

_SUBJECT = "folders"
_CREATE = "create it, or correct the configuration"
_ALL = os.R_OK | os.W_OK | os.X_OK
# What mends it, by what the kernel answered when a file was moved for trial.
_CURES = {
    errno.EXDEV: "put all four on one file system, and mount that once, above all of them",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "raise this user's quota, or make room",
    errno.EROFS: "mount the file system for writing",
    errno.EACCES: "let this user write there, and look at what a security module (AppArmor, SELinux) forbids",
    errno.EPERM: "look whether a folder is immutable (lsattr -d), or what a security module forbids",
}


def look_at_folders(config: Config) -> Iterator[Finding]:
    """Yield a finding for each folder that is not as it has to be; when all are, whether files can be moved."""
    try:
        trouble = missing_disk(config.drop_dir) if os.path.isdir(config.drop_dir) else None
    except OSError as error:
        trouble = f"what is mounted cannot be read now: {error.strerror}"
    if trouble:
        yield fault(_SUBJECT, trouble)
        return
    found = list(_look_at_all(config))
    yield from found
    if not found:
        yield from _try(config)
    yield from _look_at_root(config.drop_dir)


def _look_at_all(config: Config) -> Iterator[Finding]:
    """Look at each folder; at one in the drop folder only when that is in order."""
    drop = config.drop_dir
    wrong = _look_at(drop, needed=True)
    others = [
        path for path in (config.done_dir, config.failed_dir, config.work_dir) if not wrong or drop not in path.parents
    ]
    found = [wrong, *map(_look_at, others), *map(_look_for_stickiness, (drop, config.work_dir))]
    yield from (finding for finding in found if finding)


def _look_at(path: Path, *, needed: bool = False) -> Finding | None:
    """Judge one folder by itself; None when it is as it has to be. What is not needed is made when it is missing."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return fault(_SUBJECT, f"{path} does not exist", _CREATE) if needed else _missing(path)
    except OSError as error:
        return _unreachable(path, error)
    if stat.S_ISLNK(found.st_mode):
        return fault(_SUBJECT, f"{path} is a symbolic link", "name the folder it leads to")
    if not stat.S_ISDIR(found.st_mode):
        return fault(_SUBJECT, f"{path} is not a folder", "move it away, or correct the configuration")
    return None if os.access(path, _ALL, effective_ids=True) else _closed(path, found)


def _closed(path: Path, found: os.stat_result) -> Finding:
    """Say why a folder cannot be used, and who has to open it."""
    if os.access(path, os.R_OK | os.X_OK, effective_ids=True) and os.statvfs(path).f_flag & os.ST_RDONLY:
        cure = "mount it for writing; in a unit with ProtectSystem=strict, name it in ReadWritePaths="
        return fault(_SUBJECT, f"{path} lies on what is read-only for this program", cure)
    return fault(_SUBJECT, f"{path} may not be read, written and searched by this user", _let_in(path, found))


def _let_in(path: Path, found: os.stat_result) -> str:
    me, quoted = os.geteuid(), shlex.quote(str(path))
    if me in {0, found.st_uid} and found.st_mode & stat.S_IRWXU == stat.S_IRWXU:  # more rights would not help
        return _CURES[errno.EPERM]
    if found.st_uid == me:
        return f"run: chmod u+rwx {quoted}"
    owner = user_name(found.st_uid)
    return f"run check as {owner}, its owner, if that is who the service is; else: chown {user_name(me)} {quoted}"


def _missing(path: Path) -> Finding | None:
    """Judge a folder that is not there: can it be made at the first start?"""
    if path.name and not path.parent.is_dir():
        return fault(_SUBJECT, f"{path.parent} does not exist", _CREATE)
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        cure = f"create it for the service's user (chown), or {_let_in(path.parent, os.stat(path.parent))}"
        return fault(_SUBJECT, f"{path} is missing, and this user may not create it", cure)
    return ok(_SUBJECT, f"{path} will be created at the first start")


def _unreachable(path: Path, error: OSError) -> Finding:
    text = f"{path} cannot be reached ({error.strerror})"
    if error.errno == errno.ENAMETOOLONG:
        return fault(_SUBJECT, text, "give it a shorter path")
    if error.errno == errno.ENOTDIR:
        return fault(_SUBJECT, text, "correct the configuration: a file stands where a folder has to be")
    shut = (one for one in reversed(path.parents) if not os.access(one, os.X_OK, effective_ids=True))
    return fault(
        _SUBJECT, text, f"let this user ({user_name(os.geteuid())}) search {next(shut, 'the folders above it')}"
    )


def _look_for_stickiness(path: Path) -> Finding | None:
    """From a sticky folder only its owner may move what belongs to somebody else (rename(2), EPERM)."""
    try:
        found = os.lstat(path)
    except OSError:  # told already
        return None
    if not found.st_mode & stat.S_ISVTX or found.st_uid == os.geteuid() or holds(CAP_FOWNER):
        return None
    text = f"{path} is sticky and belongs to {user_name(found.st_uid)}, so this user may not move away others' files"
    return fault(_SUBJECT, text, _let_in(path, found))


def _try(config: Config) -> Iterator[Finding]:
    try:
        Folders(config.drop_dir, config.done_dir, config.failed_dir, config.work_dir, create=False).close()
    except FolderInUseError as error:
        yield note(_SUBJECT, f"{error}, so moving files was not tried", "stop it to have that tried")
    except FolderError as error:
        cause = error.__cause__
        cure = _CURES.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""
        yield fault(_SUBJECT, str(error), cure)
    else:
        yield ok(_SUBJECT, f"{config.drop_dir}, files can be moved through all four")


def _look_at_root(drop: Path) -> Iterator[Finding]:
    """Root may do everything, so that all is well for root says little about the service."""
    try:
        found = os.stat(drop)
    except OSError:
        return
    if os.geteuid() == 0 != found.st_uid:
        name, group = user_name(found.st_uid), group_name(found.st_gid)
        text = f"this was tried as root, who may do everything; {drop} belongs to {name}"
        yield note("user", text, f"try it as the service: runuser -u {name} -g {group} -- invoice-watcher check")
