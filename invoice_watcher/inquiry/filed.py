"""What became of earlier invoices, as `status` tells it: the newest that failed, and the last that was delivered.

Guarantees: nothing is changed; what cannot be known is said, and is null, never nought. Texts are as they came from
outside, but for names that no text can hold: whoever shows them escapes them. Raises nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from invoice_watcher.archive import Failed, last_delivered, order_of
from invoice_watcher.errors import FolderError
from invoice_watcher.escaping import encodable
from invoice_watcher.receipt import timestamp
from invoice_watcher.record import Record
from invoice_watcher.standing import Sent

if TYPE_CHECKING:
    from invoice_watcher.archive import Filing
    from invoice_watcher.config import Config
    from invoice_watcher.naming import Naming

MOST_FAILED = 10


class Failure(msgspec.Struct, frozen=True):
    """One failed invoice; null where its receipt does not tell."""

    name: str
    order_id: str | None
    at: str
    code: int | None
    reason: str | None
    message: str | None
    hint: str | None


class Failures(Record, frozen=True):
    """What failed.

    Attributes:
        count: how many documents lie in the failed folder; None when that cannot be known.
        newest: of these, `MOST_FAILED` at most.
        trouble: why that cannot be known, in a sentence.
    """

    count: int | None
    newest: tuple[Failure, ...] = ()
    trouble: str | None = None


def failures(config: Config, naming: Naming) -> Failures:
    """Look at what lies in the failed folder."""
    if not os.path.lexists(config.failed_dir) and os.path.isdir(config.drop_dir):  # it is made at the first start
        return Failures(0)
    now = Failed(config.failed_dir, MOST_FAILED).now()
    return Failures(now.count, tuple(_failure(one, naming) for one in now.newest), now.trouble)


def last_delivery(config: Config, naming: Naming) -> tuple[Sent | None, str | None]:
    """Return what was delivered last by an earlier run, if anything; and why that cannot be known, if so."""
    try:
        newest = last_delivered(config.done_dir, 1) if os.path.lexists(config.done_dir) else []
    except FolderError as error:
        return None, str(error)
    found = next(iter(newest), None)
    if found is None:
        return None, None
    return Sent(_when(found), order_of(found, naming), encodable(found.name or found.file)), None


def _failure(found: Filing, naming: Naming) -> Failure:
    error = found.receipt.error if found.receipt else None
    return Failure(
        name=encodable(found.name or found.file),
        order_id=order_of(found, naming),
        at=_when(found),
        code=error.code if error else None,
        reason=error.reason if error else None,
        message=error.message if error else found.fault,
        hint=error.hint if error else None,
    )


def _when(found: Filing) -> str:
    """When it was filed, by its receipt, or else by its file."""
    told = found.receipt.finished_at if found.receipt else None
    return told or timestamp(found.changed)
