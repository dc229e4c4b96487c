"""Four real folders, open and locked, and what lies in them: the spool as its tests see it."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Self

from invoice_watcher.naming import Naming
from invoice_watcher.receipt import Receipt, decode, encode
from invoice_watcher.schedule import Task
from invoice_watcher.settling import Unready
from invoice_watcher.spool import Folders, Snapshot, Spool
from invoice_watcher.spool.shelves import Shelves
from invoice_watcher.spool.snapshot import signature_of, take_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from invoice_watcher.config.model import DoneLayout
    from invoice_watcher.receipt import State

MIB = 1024 * 1024
LARGEST = 10 * MIB
PDF = b"%PDF-1.4\n%%EOF\n"
OTHER_PDF = b"%PDF-1.7\n%%EOF\n"
NAMING = Naming.of(r"[A-Za-z0-9_-]{1,64}")


class Box:
    """One instance's folders under `root`; the names of its files are told as `done/12345.pdf`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.drop, self.done, self.failed, self.work = root, root / "done", root / "failed", root / ".processing"
        self.folders = self.open()

    def open(self) -> Folders:
        """Open and lock the folders, as a start of the program does."""
        return Folders(self.drop, self.done, self.failed, self.work)

    def reopen(self) -> None:
        """Let go of the folders and open them anew: a restart."""
        self.folders.close()
        self.folders = self.open()

    def spool(self, *, receipts: bool = True, layout: DoneLayout = "flat") -> Spool:
        """Give the door to these folders."""
        return Spool(self.folders, largest=LARGEST, receipts=receipts, layout=layout)

    def shelves(self, layout: DoneLayout = "flat", *, receipts: bool = True) -> Shelves:
        """Give these folders as places for what has been decided."""
        return Shelves(self.folders, monthly=layout == "month", receipts=receipts)

    def put(self, place: str, raw: bytes = PDF) -> Path:
        """Write a file: `put("12345.pdf")` drops it, `put("done/12345.pdf")` lays it elsewhere."""
        path = self.root / place
        path.write_bytes(raw)
        return path

    def task(self, name: str) -> Task:
        """Return the task for a dropped file that has been quiet for long."""
        found = os.stat(name, dir_fd=self.folders.drop.fd, follow_symlinks=False)
        return Task(NAMING.read(name), found.st_ctime_ns, signature_of(found), unchanged_for=1000.0)

    def snapshot(self, name: str, *, largest: int = LARGEST) -> Snapshot:
        """Copy a dropped file that must be ready for it."""
        taken = take_snapshot(name, self.folders.drop.fd, self.folders.work.fd, largest, None)
        assert not isinstance(taken, Unready), taken
        return taken

    def files(self) -> dict[str, bytes]:
        """Return every regular file in the four folders, and in those for months, with its bytes."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in (self.drop, self.done, *sorted(self.done.glob("????-??/")), self.failed, self.work)
            for path in sorted(folder.iterdir())
            if stat.S_ISREG(path.lstat().st_mode)
        }

    def names(self) -> set[str]:
        """Return the names of all these files."""
        return set(self.files())

    def receipt(self, place: str) -> Receipt:
        """Read a sidecar."""
        return decode((self.root / place).read_bytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.folders.close()


def receipt(state: State, file: str = "12345.pdf", raw: bytes = PDF, *, month: str = "2026-11") -> Receipt:
    """Return the receipt of a document with these bytes, decided in this month."""
    finished_at = None if state == "waiting" else f"{month}-22T10:15:02.456Z"
    return Receipt(
        state=state,
        order_id="12345",
        file=file,
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        owner="anna",
        received_at="2026-11-22T10:15:00.123Z",
        finished_at=finished_at,
        attempts=1,
        in_doubt=False,
        http_status=None if state == "waiting" else 200,
        error=None,
        response=None,
    )


def written(state: State, file: str = "12345.pdf", raw: bytes = PDF) -> bytes:
    """Return such a receipt as it lies on the disk."""
    return encode(receipt(state, file, raw))
