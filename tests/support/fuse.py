"""A file system that a user has mounted for himself (FUSE): nobody else, root included, may even look at it."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.children import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DETACH = 2  # MNT_DETACH, umount2(2)
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def mounted_by_somebody(folder: Path, kind: str = "fuse") -> Iterator[None]:
    """Make a folder, with such a file system on it (fuse(4)); skips the test where this machine allows none.

    What it stands for may be told with its kind: "fuse.sshfs".
    """
    folder.mkdir()
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error.strerror}")
    try:
        options = f"fd={device},rootmode=40000,user_id={NOBODY},group_id={NOBODY}".encode()
        if _libc.mount(b"test", os.fsencode(folder), kind.encode(), 0, options) != 0:
            pytest.skip(f"no FUSE here: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            _libc.umount2(os.fsencode(folder), _DETACH)
    finally:
        os.close(device)
