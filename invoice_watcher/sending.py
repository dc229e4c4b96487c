"""`upload`: send files by hand, without the folders; nothing is moved, and no sidecar is written.

The same judgement and the same upload as the daemon's, so what is taken here is taken there. Guarantees: each file
gets one result. Raises OSError for a file that cannot be read, the caller's fault.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

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


def send_files(paths: Iterable[Path], config: Config, api_code: Secret) -> Iterator[Sent]:
    """Send each file, one after another, and yield what came of it."""
    naming = Naming.of(config.order_id_pattern.pattern)
    limits = Limits(config.max_size, config.settle.incomplete_after)
    with closing(Uploader(config.api, api_code)) as uploader:
        for path in paths:
            yield path, _send(path, naming, limits, uploader)


def _send(path: Path, naming: Naming, limits: Limits, uploader: Uploader) -> Outcome:
    with path.open("rb") as file:
        size = path.stat().st_size
        readable = file if size <= limits.max_size else None
        # Whoever names a file means it as it is now, so there is no waiting for it to be finished.
        verdict = validate(naming.read(path.name), readable, size, float("inf"), limits)
        assert not isinstance(verdict, Unready)  # noqa: S101 - nothing is unready after an infinite wait
        return verdict if isinstance(verdict, Rejected) else uploader.send(verdict)
