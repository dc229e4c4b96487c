"""What is worth a look, and when: single names, as many as are remembered, or all of the folder.

Guarantees: whatever was wanted comes due, by its name or with all of the folder; the number of names is bounded.
Moments are monotonic seconds. Pure; raises nothing.
"""

from __future__ import annotations

MOST_NAMES = 1000
NEVER = float("inf")


class Wanted:
    """Names, each with the moment at which to look at it."""

    def __init__(self) -> None:
        """Want nothing."""
        self._names: dict[str, float] = {}
        self.next_at = NEVER  # when to look at the first of the names, or sooner
        self.all_at = NEVER  # when to look at all of the folder

    def name(self, name: str, moment: float) -> None:
        """Look at this one then, at the latest."""
        if name not in self._names and len(self._names) >= MOST_NAMES:
            self.all(moment)
            return
        self._names[name] = min(moment, self._names.get(name, NEVER))
        self.next_at = min(self.next_at, moment)

    def all(self, moment: float) -> None:
        """Look at all of the folder then, at the latest."""
        self.all_at = min(self.all_at, moment)

    def forget(self, name: str) -> None:
        """This one has just been looked at."""
        self._names.pop(name, None)

    def take(self, now: float) -> list[str]:
        """Return the names that are due, which are wanted no longer."""
        due = [name for name, moment in self._names.items() if moment <= now]
        for name in due:
            del self._names[name]
        self.next_at = min(self._names.values(), default=NEVER)
        return due

    def clear(self) -> None:
        """Want nothing: all of the folder is being looked at."""
        self._names.clear()
        self.next_at = self.all_at = NEVER
