"""File systems of a test's own: small, read-only, or on an image that can be copied as a power cut would leave it.

`make test-faults` runs in a mount namespace of its own where it may, so that nothing stays mounted even when the tests
are killed. Guarantees: what a block mounted is unmounted when it is left. Raises CalledProcessError with what mount(8)
said.

A copy of an image is what a power cut at that moment leaves: what was synced lies in it, and the next mount replays its
journal. Nothing else gets there by itself within a test, for the journal is committed every five minutes only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from _typeshed import StrPath


def _may_mount() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="only root may mount, where mounts are allowed at all")
needs_images = pytest.mark.skipif(
    not _may_mount() or shutil.which("mkfs.ext4") is None or not os.path.exists("/dev/loop-control"),
    reason="an image wants root, mounts, mkfs.ext4 and a loop device",
)


_UNSYNCED = ("-o", "loop,commit=300")  # seconds in which nothing gets to the disk by itself

# The disk is gone, without a last write of its journal: linux/fs.h, FS_IOC_SHUTDOWN and FS_SHUTDOWN_FLAGS_NOLOGFLUSH.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2


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


def covering(files: Mapping[str, Path]) -> list[str]:
    """Return a command that executes the rest of its arguments where these files lie over others: path, what is there.

    Nobody else sees them there.
    """
    script = "".join(f"mount --bind '{own}' '{path}' && " for path, own in files.items())
    return ["unshare", "--mount", "sh", "-c", f'{script}exec "$@"', "sh"]


def remount(folder: Path, options: str) -> None:
    """Change the options of what is mounted there: `ro`, `rw`, `size=2M`."""
    _mount("-o", f"remount,{options}", folder)


def make_image(path: Path, size: int = 4 << 20) -> Path:
    """Make a file of `size` bytes that holds an empty ext4; returns its path."""
    with path.open("wb") as file:
        file.truncate(size)
    at_once = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", at_once, path], check=True, capture_output=True)
    return path


def mount_image(image: Path, folder: Path) -> None:
    """Mount an image; what is not synced stays out of it for five minutes."""
    _mount(*_UNSYNCED, image, folder)


def copy_image(image: Path, copy: Path) -> Path:
    """Copy it as a power cut at this moment leaves it; returns the copy.

    The copy is a disk of its own, whoever still holds on to the first, be it a mount namespace that was made meanwhile.
    """
    shutil.copyfile(image, copy)
    return copy


@contextmanager
def on_image(image: Path, folder: Path) -> Iterator[Path]:
    """Mount an image for the length of a block."""
    with mounted(folder, *_UNSYNCED, image):
        yield folder


def unmount(folder: Path, *options: str) -> None:
    """Unmount it, which is refused while anything there is in use; `--lazy` hides it at once."""
    subprocess.run(["umount", *options, folder], check=True, capture_output=True, text=True)


def sync(folder: Path) -> None:
    """Bring all that was written there to the disk."""
    subprocess.run(["sync", "--file-system", folder], check=True, capture_output=True)


def shut_down(folder: Path) -> None:
    """Take the disk away: what was not synced is lost, and every call that needs the disk fails with EIO."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
    finally:
        os.close(descriptor)


def _mount(*arguments: StrPath) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
