"""The sign of life: the service manager's watchdog is fed only while all that has to move does.

`beat` is called by the thread that decides everything, so when that one hangs, in a scan that never ends for example,
nothing is fed. What hangs in another thread, or is never begun, it knows by the moment at which it was due. The manager
then ends the program and starts it anew (WatchdogSec= in systemd.service(5)); invoices outlive that as they do any
crash. Guarantees: without a watchdog nothing is sent and nothing is asked for. Raises nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoice_watcher.service import Supervisor

_log = logging.getLogger(__name__)


class Heartbeat:
    """Feeds one watchdog."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Start with the first sign of life due at once; never, where nobody expects one."""
        period = supervisor.watchdog_period()
        self._supervisor = supervisor
        self._period = period or 0.0
        self._patience = 2 * self._period  # the manager's own: what it grants the program, it grants each part of it
        self._told = ""
        self.due = float("inf") if period is None else float("-inf")  # when `beat` is to be called, monotonic seconds

    def beat(self, now: float, expected: Mapping[str, float | None]) -> None:
        """Feed the watchdog, if that is due, unless something is late by more than the watchdog's own time.

        Args:
            now: monotonic seconds.
            expected: what has to move, in words for the log, and when it should have, monotonic seconds; None or a
                later moment for what is well.
        """
        if now < self.due:
            return
        self.due = now + self._period
        stuck = [what for what, moment in expected.items() if moment is not None and moment + self._patience < now]
        if not stuck:
            self._supervisor.watchdog()
        elif stuck[0] != self._told:
            self._told = stuck[0]
            _log.critical("%s does not come to an end; the service manager will start the program anew", stuck[0])
