"""`upload`: send files by hand, without the folders; nothing is moved, and no sidecar is written.

The same judgement and the same upload as the daemon's, so what is taken here is taken there. Guarantees: each file
gets one result, unless a stop comes first: then the one that is being sent still gets its own, within the grace period,
and no other is begun. Raises OSError for a file that cannot be read, the caller's fault.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from invoice_watcher import signals
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Outcome, Rejected
from invoice_watcher.settling import Unready
from invoice_watcher.uploader import Uploader
from invoice_watcher.validation import Limits, validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from invoice_watcher.config import Config, Secret

Sent: TypeAlias = "tuple[Path, Outcome]"


class Stop:
    """Whether the caller has been asked to stop: once, or again by somebody in a hurry."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.asked = threading.Event()
        self.insisted = threading.Event()

    def ask(self) -> None:
        """Begin nothing new; the second time: break off what is under way."""
        (self.insisted if self.asked.is_set() else self.asked).set()


def send_files(paths: Iterable[Path], config: Config, api_code: Secret, stop: Stop) -> Iterator[Sent]:
    """Send each file, one after another, and yield what came of it, until `stop` is asked."""
    naming = Naming.of(config.order_id_pattern.pattern)
    limits = Limits.of(config)
    with closing(Uploader(config.api, api_code)) as uploader:
        threading.Thread(target=_break_off, args=(uploader, stop), name="grace", daemon=True).start()
        for path in paths:
            if stop.asked.is_set():
                return
            yield path, _send(path, naming, limits, uploader)


def _break_off(uploader: Uploader, stop: Stop) -> None:
    stop.asked.wait()
    stop.insisted.wait(signals.GRACE)
    uploader.stop()


def _send(path: Path, naming: Naming, limits: Limits, uploader: Uploader) -> Outcome:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size  # not the path's, under which another file may lie by now
        readable = file if size <= limits.max_size else None
        # Whoever names a file means it as it is now, so there is no waiting for it to be finished.
        verdict = validate(naming.read(path.name), readable, size, float("inf"), limits)
        assert not isinstance(verdict, Unready)  # noqa: S101 - nothing is unready after an infinite wait
        return verdict if isinstance(verdict, Rejected) else uploader.send(verdict)
