"""Receipts in the failed folder whose documents a person took out: they go when the document goes through.

Under its old name that is `filing`'s business. This room knows the documents that were renamed on their way back, by
their checksums. Guarantees: only our own receipts are removed, of failures, with no document beside them, about the
very bytes that were delivered; a crowded folder costs a bounded share of the time, and in one with more than `MOST`
names nothing is looked for. Raises nothing: an old receipt is no reason for anything to fail.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from invoice_watcher.pacing import Looks
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.spool.receipts import remove_stale, stale_receipt
from invoice_watcher.spool.syscalls import exists

if TYPE_CHECKING:
    from invoice_watcher.spool.folders import Folders

MOST = 50_000
_MOST_PENDING = 1000


class Orphans:
    """What is known of one failed folder."""

    def __init__(self, folders: Folders) -> None:
        """Know nothing yet."""
        self._failed = folders.failed
        self._on_the_way = (folders.drop, folders.work)
        self._lock = threading.Lock()
        self._delivered: deque[str] = deque(maxlen=_MOST_PENDING)  # checksums that were not looked for yet
        self._known: dict[tuple[str, int], str | None] = {}  # of each orphan, by name and inode: its checksum
        self._looks = Looks()

    def went_through(self, sha256: str | None) -> None:
        """A document with this checksum was delivered: remove the receipts of its failures."""
        if sha256 is None:
            return
        with self._lock, suppress(OSError):
            self._delivered.append(sha256)
            if self._looks.rests:
                return
            with self._looks.at(self._failed.fd) as has_changed:
                if has_changed:
                    self._look()
            self._remove()

    def _look(self) -> None:
        """Learn which receipts have no document."""
        with os.scandir(self._failed.fd) as entries:
            inodes = {entry.name: entry.inode() for entry in islice(entries, MOST + 1)}
        orphans = {} if len(inodes) > MOST else {one: inode for one, inode in inodes.items() if _is_orphan(one, inodes)}
        self._known = {one: self._known.get(one) or self._checksum(one[0]) for one in orphans.items()}

    def _checksum(self, name: str) -> str | None:
        receipt = stale_receipt(name.removesuffix(SUFFIX), self._failed)
        return receipt.sha256 if receipt else None

    def _remove(self) -> None:
        delivered = set(self._delivered)
        self._delivered.clear()
        for name in [name for (name, _), sha256 in self._known.items() if sha256 in delivered]:
            document = name.removesuffix(SUFFIX)
            # Another of the same bytes may be on its way under that very name, and need it to know its order.
            if not any(exists(document, folder.fd) for folder in self._on_the_way):
                remove_stale(document, self._failed)


def _is_orphan(name: str, among: dict[str, int]) -> bool:
    return name.endswith(SUFFIX) and name.removesuffix(SUFFIX) not in among and name + SUFFIX not in among
