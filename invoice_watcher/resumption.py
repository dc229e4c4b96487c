"""What an earlier run left in the work folder becomes a task again.

Guarantees: a document goes to the order for which it was dropped, whatever name it bears in the work folder; that
run's attempts, strikes and crashes count on. Pure. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.receipt import nanoseconds
from invoice_watcher.schedule import Task

if TYPE_CHECKING:
    from invoice_watcher.naming import Naming
    from invoice_watcher.spool import Recovered


def resumed(found: Recovered, naming: Naming, filed_for: str | None) -> Task:
    """Return the task for a document that an earlier run left in the work folder.

    Args:
        found: the document, and its note.
        naming: reads an order out of a name.
        filed_for: the order, where a receipt says it better than the name does.
    """
    note = found.note
    if note is not None and note.order_id is not None:
        filed_for = note.order_id  # as the dropped name said; the name in the work folder may be another
    task = Task(naming.read(found.name, filed_for), found.arrived_ns, work_name=found.work_name)
    task.in_doubt = found.died
    task.crashes = int(found.died)
    task.attempts = 1 if note is None else note.attempts
    if note is not None:
        task.in_doubt = found.died or note.in_doubt
        task.crashes += note.crashes or 0
        task.strikes = note.strikes or 0
        task.arrived_ns = nanoseconds(note.received_at, found.arrived_ns)
    return task
