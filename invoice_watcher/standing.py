"""How things stand: the record that the running program gives of itself, and its JSON.

Everything that people and programs are shown of a running instance is made of it: the status page, `status`, the
service manager's line, the gauges, the notifications. Texts in it are as they came from outside: whoever shows them
escapes them. Guarantees: unknown further fields do no harm to a reader; a bounded number of files is named, however
many wait. Pure; raises nothing.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from invoice_watcher import __version__
from invoice_watcher.receipt import Error

MOST_NAMED = 100  # files that wait (the others are counted), and what is left alone

# settling: not finished yet, as `text` tells; ready: its turn comes; behind: another file of its order goes first;
# paused: nothing flows; sending: a worker has it; deferred: sent again at `next_try`; suspect: the program died while
# it was sent; held: it is being found out whose fault the answer is; unfiled: answered, and not filed yet, for a fault
# of this machine; unread: an earlier run left it, and it or its note cannot be read.
State: TypeAlias = Literal[
    "settling", "ready", "behind", "paused", "sending", "deferred", "suspect", "held", "unfiled", "unread"
]


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing flows.

    Attributes:
        reason: a stable word, as in a sidecar.
        message: one sentence.
        hint: what the clerk should do.
        cure: what the administrator should do.
        fault: world, operator, or ours.
        since: RFC 3339, as all times here.
        next_try: when one file is tried; None while one is.
    """

    reason: str
    message: str
    hint: str
    cure: str
    fault: str
    since: str
    next_try: str | None


class Waiter(msgspec.Struct, frozen=True, kw_only=True):
    """One file that waits.

    Attributes:
        name: as it was dropped.
        folder: drop, or work once it is claimed.
        since: when it was dropped, or last changed.
        text: why it waits, a phrase that goes on after its name: "is still open for writing".
        behind: the file of its order that goes first.
        attempts: how often it was tried to be sent.
        next_try: when it is sent again, where that is known.
        problem: what the last attempt came to.
    """

    name: str
    order_id: str | None
    folder: Literal["drop", "work"]
    size: int | None
    since: str
    state: State
    text: str
    behind: str | None = None
    attempts: int = 0
    next_try: str | None = None
    problem: Error | None = None


class Sent(msgspec.Struct, frozen=True):
    """One delivery."""

    at: str
    order_id: str | None
    name: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand.

    Attributes:
        as_of: when this was so.
        is_over: the program has ended in good order.
        trouble: why there is nothing to work on at all: the folders are away.
        waiting: how many files wait, those under way included.
        oldest: since when the one waits that waits longest.
        delivered: how many, since `started_at`; likewise `rejected`.
        recent: the last deliveries of this process, the newest first.
        files: what waits, the oldest first, and then what is not ready yet; `MOST_NAMED` at most.
        left_alone: what lies in the drop folder and is no file (folders, links): never taken; `MOST_NAMED` at most.
    """

    version: int = 1
    program: str = __version__
    pid: int
    drop_dir: str
    started_at: str
    as_of: str
    is_over: bool = False
    trouble: str | None = None
    pause: Paused | None = None
    waiting: int = 0
    oldest: str | None = None
    delivered: int = 0
    rejected: int = 0
    recent: tuple[Sent, ...] = ()
    files: tuple[Waiter, ...] = ()
    left_alone: tuple[str, ...] = ()
