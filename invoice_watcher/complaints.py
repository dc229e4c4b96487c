"""What has been wrong with a file for long is said aloud: once, and again every day for as long as it lasts.

A file may be unfit for a moment a hundred times a day, and nobody wants to read of it; one that stays so needs a
person, who must hear of it. Guarantees: nothing stays wrong in silence for longer than its patience and a look, as long
as no more files than the memory holds are wrong at once; the memory frees itself of what is not heard of any more.
Raises nothing; time is an argument.
"""

from __future__ import annotations

import logging

from invoice_watcher.escaping import escape
from invoice_watcher.record import MutableRecord, field

MOST_REMEMBERED = 20_000
WORTH_A_WARNING = 60.0
_AGAIN = 86_400.0

_log = logging.getLogger(__name__)


class _Matter(MutableRecord):
    since: float
    heard: float
    told: dict[str, float] = field(default_factory=dict)  # each reason, and when it was said last


class Complaints:
    """The memory of what is wrong, and since when."""

    def __init__(self, gap: float) -> None:
        """Start with none.

        Args:
            gap: seconds; what was not heard of for so long is over, and begins anew when it is heard of again.
        """
        self._gap = max(gap, WORTH_A_WARNING)
        self._matters: dict[str, _Matter] = {}
        self._swept_at = float("-inf")

    def about(self, name: str, reason: str, now: float, patience: float = WORTH_A_WARNING) -> None:
        """Hear that something is (still) wrong with a file.

        Args:
            name: the file's.
            reason: a phrase that goes on after the name: "is still open for writing".
            now: monotonic seconds.
            patience: seconds for which it may be so; 0 for what only a person can mend.
        """
        matter = self._matter(name, now)
        if matter is None:
            return
        matter.heard = now
        if now - matter.since >= patience and now - matter.told.get(reason, float("-inf")) >= _AGAIN:
            matter.told[reason] = now
            _log.warning("%s %s", escape(name), reason, extra={"fields": {"FILE_NAME": name}})

    def over(self, name: str) -> None:
        """Nothing is wrong with a file any more; the next one of its name begins anew."""
        self._matters.pop(name, None)

    def _matter(self, name: str, now: float) -> _Matter | None:
        """What is known of a file; its reasons may take turns, as those of one that is written to now and then do."""
        matter = self._matters.get(name)
        if matter is not None and now - matter.heard <= self._gap:
            return matter
        if matter is None and len(self._matters) >= MOST_REMEMBERED and not self._has_room(now):
            return None
        self._matters[name] = _Matter(now, now)
        return self._matters[name]

    def _has_room(self, now: float) -> bool:
        """Forget what is over, now and then; False when the memory is full all the same."""
        if now - self._swept_at > self._gap:
            self._swept_at = now
            self._matters = {name: one for name, one in self._matters.items() if now - one.heard <= self._gap}
        return len(self._matters) < MOST_REMEMBERED
