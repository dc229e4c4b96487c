"""The page's file: replaced whole, through the folder it belongs in, or not at all.

The folder is opened anew each time and must be the one it was, so that neither a folder that was put in its place nor
the bare mount point of a disk that went away ever gets a page, and no disk is kept from being unmounted. Guarantees:
whoever opens the page sees a whole one; no link is followed; nothing but a file of its name is replaced. Raises
OSError.

A page may be read by whoever may list the folder: its mode has the folder's bits for reading, and its group.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from invoice_watcher.naming import PAGE_IN_WRITING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Sheet:
    """One file in one folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Prepare, for the folder that this path leads to now; nothing is written."""
        self._folder, self._name = folder, name
        self._written: tuple[int, int] | None = None  # which file is ours
        self._identity = _identity(os.stat(folder))

    def write(self, text: str) -> bool:
        """Replace the page; False, and nothing is done, when the folder is not the one it was."""
        with self._opened() as folder:
            if folder is None:
                return False
            descriptor = _made(folder)
            try:
                with open(descriptor, "wb") as file:
                    self._share(file.fileno(), os.fstat(folder))
                    file.write(text.encode())
                    written = _identity(os.fstat(file.fileno()))
                os.rename(PAGE_IN_WRITING, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(PAGE_IN_WRITING, dir_fd=folder)
                raise
        self._written = written
        return True

    def remove(self) -> None:
        """Take the page away, if it is the one that was written: under another name, it would be an invoice."""
        with self._opened() as folder, suppress(FileNotFoundError):
            if folder is None or self._written is None:
                return
            if _identity(os.stat(self._name, dir_fd=folder, follow_symlinks=False)) == self._written:
                os.unlink(self._name, dir_fd=folder)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Open the folder; None when it is another, or none."""
        try:
            descriptor = os.open(self._folder, _FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield descriptor if _identity(os.fstat(descriptor)) == self._identity else None
        finally:
            os.close(descriptor)

    @staticmethod
    def _share(descriptor: int, folder: os.stat_result) -> None:
        """Let those read it who see its name."""
        os.fchmod(descriptor, 0o600 | (folder.st_mode & (stat.S_IRGRP | stat.S_IROTH)))
        if os.fstat(descriptor).st_gid != folder.st_gid:
            with suppress(PermissionError):  # no member of that group: then its own group reads it
                os.fchown(descriptor, -1, folder.st_gid)


def _made(folder: int) -> int:
    """Make the temporary file anew; one that is there was left by a crash, or lies in wait."""
    with suppress(FileNotFoundError):
        os.unlink(PAGE_IN_WRITING, dir_fd=folder)
    return os.open(PAGE_IN_WRITING, _NEW, 0o600, dir_fd=folder)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
