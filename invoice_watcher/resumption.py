"""What an earlier run left in the work folder becomes a task again.

Guarantees: a document goes to the order for which it was dropped, whatever name it bears in the work folder, and
where that cannot be known now, to none; that run's attempts, strikes and crashes count on; what the last attempt came
to can still be told; an answer that it had is not asked for again. What cannot be read is said aloud, and keeps its
place in its order's lane, so that no younger document of that order goes first. Raises only what asking for the order
raises.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape
from invoice_watcher.outcome import Deferred, Delivered, Fault, Rejected
from invoice_watcher.receipt import nanoseconds, problem_of
from invoice_watcher.schedule import Decision, Task
from invoice_watcher.spool import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoice_watcher.naming import Naming
    from invoice_watcher.receipt import Receipt
    from invoice_watcher.spool import Recovered

_log = logging.getLogger(__name__)

_NO_ORDER = ""  # which is no order ID: better rejected than sent to an order that was guessed


def resumed(found: Recovered, naming: Naming, filed_for: Callable[[str], str | None]) -> Task:
    """Return the task for a document that an earlier run left in the work folder.

    Args:
        found: the document, and its note.
        naming: reads an order out of a name.
        filed_for: gives the order for a name, where a receipt says it better than the name does; asked only where the
            note says nothing.
    """
    note = found.note
    task = Task(naming.read(found.name, _order_of(found, filed_for)), found.arrived_ns, work_name=found.work_name)
    task.unread = bool(found.unread)
    if found.unread:
        text = "%s in the work folder, or its note, cannot be read (%s): it is left there, and tried at the next start"
        _log.error(text, escape(found.work_name), found.unread, extra={"fields": {"FILE_NAME": found.name}})
    task.in_doubt = found.died
    task.crashes = int(found.died)
    task.attempts = int(found.died) + (note.attempts if note is not None else 0)  # a note is written before the attempt
    if note is not None:
        task.in_doubt = found.died or note.in_doubt
        task.crashes += note.crashes or 0
        task.strikes = note.strikes or 0
        task.arrived_ns = nanoseconds(note.received_at, found.arrived_ns)
        task.last = _last(note)
        task.decision = _decision(note)
    return task


def _order_of(found: Recovered, filed_for: Callable[[str], str | None]) -> str | None:
    noted = found.note.order_id if found.note is not None else None
    if noted is not None and noted in found.name:  # where else is it from: the note is damaged
        return noted  # as the dropped name said; the name in the work folder may be another
    try:
        return filed_for(found.name)
    except UnreadableError:
        return _NO_ORDER


def _last(note: Receipt) -> Deferred | None:
    """Return what the last attempt came to, for people who ask why the document waits."""
    if note.state != "waiting" or note.error is None:
        return None
    # Whose fault it was is not noted, for nothing is decided any more by what an earlier run met.
    return Deferred(problem_of(note.error), Fault.WORLD, note.http_status, note.response)


def _decision(note: Receipt) -> Decision | None:
    """Return the answer that could not be filed; it is about the bytes of its checksum, whatever lies there now."""
    if note.state == "waiting" or note.sha256 is None:
        return None
    if note.error is None:
        return Decision(Delivered(note.http_status or 0, note.response or ""), note.sha256)
    return Decision(Rejected(problem_of(note.error), note.http_status, note.response), note.sha256)
