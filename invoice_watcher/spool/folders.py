"""The four folders, held open: every call of the spool goes through these descriptors, never through a path.

Guarantees: the folders are real directories on one file system between which a rename works (tried at the start);
nobody else works on them (locked; instances may share where they file, but where one files no other takes from); a
folder that was swapped, unmounted or mounted over is noticed by `verify`. Missing done, failed and work folders are
made; the drop folder never is, for a missing one is a missing mount or a typing mistake, and nothing is made or used
where /etc/fstab wants a disk and there is none. Raises FolderError (the administrator's), FolderUnavailableError (this
machine's, and may pass), FolderInUseError, FolderLostError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

from invoice_watcher.errors import FolderError, FolderInUseError, FolderLostError, FolderUnavailableError
from invoice_watcher.mounts import missing_disk
from invoice_watcher.record import Record
from invoice_watcher.spool.syscalls import exists, rename_noreplace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK_FILE = ".invoice-watcher-lock"  # where the folder itself cannot be locked
_TRIAL = ".invoice-watcher-trial"
# What may pass without anybody changing the configuration or the rights: the machine's limits, a disk that is full,
# ailing or (after an error) read-only, a server that is away.
_PASSING = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE,
    errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN,
})  # fmt: skip


class Folder(Record, frozen=True):
    """One folder: its path for people and for the watcher, its descriptor for the spool, and who it is."""

    path: Path
    fd: int
    identity: tuple[int, int]


class Folders:
    """The four folders of one instance, open and locked until `close`."""

    def __init__(self, drop: Path, done: Path, failed: Path, work: Path, *, create: bool = True) -> None:
        """Open, try and lock them.

        Args:
            drop: where invoices arrive; must be there.
            done: where delivered ones go.
            failed: where rejected ones go.
            work: where claimed ones lie.
            create: make the last three when they are missing.
        """
        self._open: list[int] = []
        try:
            self.drop = self._folder(drop)
            self._lock(self.drop)
            _require_its_disk(drop)
            if create:
                _make_missing(done, failed, work)
            self.work, self.done, self.failed = (self._folder(path) for path in (work, done, failed))
            self._lock(self.work)
            self._lock(self.done, shared=True)
            self._lock(self.failed, shared=True)
            self._try_renames()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise _fault("cannot use the folders", error) from error
            raise

    def __iter__(self) -> Iterator[Folder]:
        return iter((self.drop, self.work, self.done, self.failed))

    def verify(self) -> None:
        """Raise FolderLostError unless each path still leads to the folder that was opened."""
        for folder in self:
            try:
                found = os.stat(folder.path)
            except OSError as error:
                raise FolderLostError(f"{folder.path} is gone or cannot be read: {error.strerror}") from error
            if (found.st_dev, found.st_ino) != folder.identity:
                raise FolderLostError(f"{folder.path} is not the folder it was: it was replaced or mounted over")

    def verify_rights(self) -> None:
        """Raise FolderLostError unless files can still be moved out of and into each folder."""
        for folder in self:
            if not os.access(folder.path, os.W_OK | os.X_OK, effective_ids=True):
                raise FolderLostError(f"{folder.path} may not be written by this user, or is read-only")

    def close(self) -> None:
        """Let go of folders and locks."""
        while self._open:
            os.close(self._open.pop())

    def _folder(self, path: Path) -> Folder:
        folder = open_folder(path)
        self._open.append(folder.fd)
        return folder

    def _lock(self, folder: Folder, *, shared: bool = False) -> None:
        """Lock the directory itself: whoever reaches it by another path meets the same lock (flock(2))."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(folder.fd, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(f"another invoice-watcher works on {folder.path}") from error
        except OSError as error:
            if error.errno not in {errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}:
                raise _fault(f"cannot lock {folder.path}", error) from error
            self._lock_file(folder, kind)

    def _lock_file(self, folder: Folder, kind: int) -> None:
        """Lock a file inside: NFS turns flock into a range lock, which wants a file open for writing (nfs(5))."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(LOCK_FILE, flags, 0o600, dir_fd=folder.fd)
            self._open.append(fd)
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(f"another invoice-watcher works on {folder.path}") from error
        except OSError as error:
            raise _fault(f"cannot lock {folder.path}", error) from error

    def _try_renames(self) -> None:
        """Rename an empty file through the folders, as every document will be: rights and EXDEV show here.

        One file system is not enough: a rename between two bind mounts of it fails too (rename(2), EXDEV).
        """
        stations = [self.work, self.drop, self.done, self.failed, self.work]
        self._remove_trials(_TRIAL)  # of a start that was killed
        trial = f"{_TRIAL}-{uuid4().hex}" if any(_has_trial(folder) for folder in self) else _TRIAL
        try:
            os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=self.work.fd))
        except OSError as error:
            raise _fault(f"cannot write in {self.work.path}", error) from error
        try:
            for here, there in pairwise(stations):
                _try_rename(trial, here, there)
        finally:
            self._remove_trials(trial)

    def _remove_trials(self, trial: str) -> None:
        """Remove what is ours: an empty file. Whatever else has that name is somebody's."""
        for folder in self:
            with suppress(OSError):
                found = os.stat(trial, dir_fd=folder.fd, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and not found.st_size:
                    os.unlink(trial, dir_fd=folder.fd)


def open_folder(path: Path) -> Folder:
    """Open a folder, which is no link; the caller closes its descriptor. Raises FolderError and its kin."""
    try:
        fd = os.open(path, OPEN)
    except OSError as error:
        raise _fault_of(path, error) from error
    found = os.fstat(fd)
    return Folder(path, fd, (found.st_dev, found.st_ino))


def _has_trial(folder: Folder) -> bool:
    try:
        return exists(_TRIAL, folder.fd)
    except PermissionError as error:
        raise FolderError(f"{folder.path} may not be searched by this user") from error


def _try_rename(trial: str, here: Folder, there: Folder) -> None:
    try:
        rename_noreplace(trial, trial, old_dir=here.fd, new_dir=there.fd)
    except OSError as error:
        if error.errno == errno.EXDEV:
            text = f"{here.path} and {there.path} must lie on one file system (and one mount): files are renamed"
            raise FolderError(text) from error
        raise _fault(f"cannot move files from {here.path} to {there.path}", error) from error


def _make_missing(*folders: Path) -> None:
    for path in folders:
        try:
            path.mkdir(mode=0o700 if path == folders[-1] else 0o770, exist_ok=True)
        except OSError as error:
            raise _fault_of(path, error) from error


def _require_its_disk(drop: Path) -> None:
    if trouble := missing_disk(drop):
        raise FolderError(trouble)


def _fault(what: str, error: OSError) -> FolderError:
    kind = FolderUnavailableError if error.errno in _PASSING else FolderError
    return kind(f"{what}: {error.strerror}")


def _fault_of(path: Path, error: OSError) -> FolderError:
    """Say why a folder cannot be opened or made, and whose fault that is."""
    if os.path.islink(path):  # O_DIRECTORY answers ENOTDIR for it, as for a file
        return FolderError(f"{path} is a symbolic link; name the folder it leads to")
    reasons = {
        errno.ENOENT: "does not exist; create it, or correct the configuration",
        errno.ENOTDIR: "is not a folder",
        errno.EEXIST: "is not a folder",
        errno.EACCES: "may not be opened by this user",
        errno.ENAMETOOLONG: "is longer than a path may be; choose a shorter one",
    }
    reason = reasons.get(error.errno or 0)
    return FolderError(f"{path} {reason}") if reason else _fault(f"{path} cannot be used", error)
