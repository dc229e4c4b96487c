"""Records of how things stand, as a running program would tell them."""

from __future__ import annotations

import time

from msgspec.structs import replace

from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Standing, Waiter


def standing(**changes: object) -> Standing:
    """Return that of a program that is well and has nothing to do, but for these fields."""
    now = timestamp(time.time())
    return replace(Standing(pid=1, drop_dir="/srv/invoices", started_at=now, as_of=now), **changes)


def waiter(name: str, **changes: object) -> Waiter:
    """Return a file that waits for its turn, but for these fields."""
    ready = Waiter(
        name=name,
        order_id=None,
        folder="drop",
        size=1,
        since=timestamp(time.time()),
        state="ready",
        text="is ready, and its turn comes",
    )
    return replace(ready, **changes)
