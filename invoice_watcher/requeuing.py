"""`retry`: which failed documents are meant; and back they go, the oldest first.

The daemon need not run: what is put back waits in the drop folder. Guarantees: memory stays flat, however much has
failed; nothing is replaced; whatever is not put back is told with its reason. Raises FolderError and its kin.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.archive import Filing, filed, order_of
from invoice_watcher.escaping import encodable
from invoice_watcher.naming import HARMLESS, Naming, naming_of
from invoice_watcher.receipt import timestamp
from invoice_watcher.record import Record
from invoice_watcher.scratch import Scratch, scratch
from invoice_watcher.spool.requeue import Requeue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config import Config

_MOST_OFFERED = 200
_MOST_LOOKED_AT = 5000
_LEFT_ALONE = "its name is one that is left alone in the drop folder (ignore, status_page); give it another one first"


class Choice(Record, frozen=True, kw_only=True):
    """Which failed documents are meant: those of some orders, those that failed with one code, or (with neither) all.

    Attributes:
        orders: a document is of the order that its receipt names; where it has none, of the one in its own name.
        code: the error code in the receipt.
    """

    orders: frozenset[str] = frozenset()
    code: int | None = None

    def takes(self, filing: Filing, order_id: str | None) -> bool:
        """Tell whether this document is meant."""
        if self.orders:
            return order_id in self.orders
        if self.code is None:
            return True
        error = filing.receipt.error if filing.receipt else None
        return error is not None and error.code == self.code


class Requeued(NamedTuple):
    """What became of one document; `fault` says why it was left where it is, and is None when it went."""

    name: str
    fault: str | None


class Found:
    """The documents that are meant, sorted; to be put back once.

    Attributes:
        count: how many they are.
        missing: the orders that were asked for and of which there is none, sorted.
    """

    def __init__(self, config: Config, choice: Choice, room: Scratch) -> None:
        """Look for them."""
        self._config = config
        self._room = room
        self._orders: set[str] = set()
        room.execute("CREATE TABLE found (arrived TEXT, name BLOB, lane TEXT)")
        room.executemany("INSERT INTO found VALUES (?, ?, ?)", self._search(choice))
        self.count: int = room.execute("SELECT count(*) FROM found").fetchone()[0]
        self.missing = sorted(choice.orders - self._orders)

    def put_back(self) -> Iterator[Requeued]:
        """Put them back, the oldest first, and yield what became of each."""
        is_ignored = naming_of(self._config).is_ignored
        rows = self._room.execute("SELECT name, lane FROM found ORDER BY arrived, name")
        with Requeue(self._config.failed_dir, self._config.drop_dir) as requeue:
            for raw, lane in rows:
                name = os.fsdecode(raw)
                yield Requeued(name, _LEFT_ALONE if is_ignored(name) else requeue.put_back(name, lane))

    def _search(self, choice: Choice) -> Iterator[tuple[str, bytes, str]]:
        naming = Naming.of(self._config.order_id_pattern.pattern)
        for filing in filed(self._config.failed_dir, months=False):
            if filing.name is None:
                continue
            order_id = order_of(filing, naming)
            if choice.takes(filing, order_id):
                self._orders.update(choice.orders & {order_id})
                arrived = filing.receipt.received_at if filing.receipt else timestamp(filing.changed)
                yield encodable(arrived), os.fsencode(filing.name), encodable(order_id or filing.name)


@contextmanager
def search(config: Config, choice: Choice) -> Iterator[Found]:
    """Find the failed documents that are meant, for the length of a block."""
    with scratch() as room:
        yield Found(config, choice, room)


def offered(failed: Path, beginning: str) -> list[str]:
    """Return orders with failed documents whose ids begin so, to choose from: some, where there are very many.

    A shell puts them on the command line as they are, so one that it could take for a command or an option is left out.
    """
    looked_at = islice(filed(failed, months=False), _MOST_LOOKED_AT)
    ids = {one.receipt.order_id for one in looked_at if one.name is not None and one.receipt is not None}
    fit = (one for one in ids if one and one.startswith(beginning) and HARMLESS.fullmatch(one))
    return sorted(islice(fit, _MOST_OFFERED))
