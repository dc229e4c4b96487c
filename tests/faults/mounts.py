"""File systems of a test's own: small, read-only, or on an image that can be copied as a power cut would leave it.

`make test-faults` runs in a mount namespace of its own where it may, so that nothing stays mounted even when the tests
are killed. Guarantees: what a block mounted is unmounted when it is left. Raises CalledProcessError with what mount(8)
said.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import StrPath


def _may_mount() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="only root may mount, where mounts are allowed at all")


@contextmanager
def mounted(folder: Path, *arguments: StrPath) -> Iterator[Path]:
    """Mount something on a folder, which is made if it is not there: `mounted(x, "-t", "tmpfs", "none")`."""
    folder.mkdir(exist_ok=True)
    _mount(*arguments, folder)
    try:
        yield folder
    finally:
        # Lazily: what still has a file open there must not keep the mount for ever.
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory with options such as `size=1M,nr_inodes=50`."""
    with mounted(folder, "-t", "tmpfs", "-o", options, "none"):
        yield folder


def remount(folder: Path, options: str) -> None:
    """Change the options of what is mounted there: `ro`, `rw`, `size=2M`."""
    _mount("-o", f"remount,{options}", folder)


def make_image(path: Path, size: int) -> Path:
    """Make a file of `size` bytes that holds an empty ext4; returns its path."""
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True, capture_output=True)
    return path


def _mount(*arguments: StrPath) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
