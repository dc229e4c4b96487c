"""The metrics as a file for node_exporter's textfile collector.

Each writing is a new file beside it that takes its name, so a reader never finds half of one; meanwhile its name does
not end with .prom, or node_exporter would read it. Everyone may read it, whatever the umask. It is not forced to the
disk: after a power cut it is written anew. Guarantees: written at most every 15 seconds; raises nothing, what does not
work is logged once, with what mends it.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from pathlib import Path

SPACING = 15.0  # seconds between two writings
_SIGN_OF_LIFE = 60.0  # seconds after which it is written anew though nothing changed
_WAY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_CURES = {
    errno.ENOENT: "make its folder; node_exporter is told of it by --collector.textfile.directory",
    errno.EACCES: "let the program's user write into its folder",
    errno.EPERM: "let the program's user write into its folder",
    errno.EROFS: "in the service, name its folder in ReadWritePaths= (the example metrics-textfile.conf)",
}

_log = logging.getLogger(__name__)


class Textfile:
    """One file, written again and again."""

    def __init__(self, path: Path) -> None:
        """Write to this path, when asked."""
        self.path = path
        self._beside = path.with_name(f".{path.name}.tmp")
        self._written: bytes | None = None
        self._written_at = float("-inf")
        self._complaint = ""

    def is_due(self, now: float) -> bool:
        """Tell whether it may be written again, at a moment in monotonic seconds."""
        return now >= self._written_at + SPACING

    def write(self, text: bytes) -> None:
        """Write it, when it says something new, or nothing was written for a minute."""
        now = time.monotonic()
        if text == self._written and now < self._written_at + _SIGN_OF_LIFE:
            return
        self._written_at = now
        try:
            self._replace(text)
        except OSError as error:
            self._complain(error)
        else:
            self._written, self._complaint = text, ""

    def remove(self) -> None:
        """Take it away, for nobody keeps it up any more."""
        if self._written is not None:
            with suppress(OSError):
                self.path.unlink()

    def _replace(self, text: bytes) -> None:
        with suppress(FileNotFoundError):  # left by a crash
            self._beside.unlink()
        with open(os.open(self._beside, _WAY, 0o600), "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        self._beside.replace(self.path)

    def _complain(self, error: OSError) -> None:
        reason = f"{error.strerror}; {_CURES.get(error.errno or 0, 'they are tried again')}"
        if reason != self._complaint:
            self._complaint = reason
            _log.warning("the metrics cannot be written to %s: %s", escape(str(self.path)), escape(reason))
