"""Metrics for Prometheus: what came of each attempt, and how things stand, over HTTP or as a file for node_exporter.

`figures` counts, `endpoint` and `textfile` show. Counting happens in the daemon's loop and takes no time; whatever
touches a file or the net happens in threads of its own. Guarantees: no order id, file name or text from outside is ever
shown; counts survive a reload, also one that turns the metrics off and on again. Raises nothing; importing it raises
ImportError where prometheus-client is not installed.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from invoice_watcher.archive import Failed, last_delivered
from invoice_watcher.audience import Aside
from invoice_watcher.errors import FolderError
from invoice_watcher.metrics.endpoint import Endpoint
from invoice_watcher.metrics.figures import Figures
from invoice_watcher.metrics.textfile import Textfile
from invoice_watcher.moments import seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invoice_watcher.audience import Attempt
    from invoice_watcher.config import Config
    from invoice_watcher.standing import Standing

__all__ = ["Metrics"]


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        """Count from here on; nothing is shown before `follow` says where."""
        self._figures = Figures()
        self._config: Config | None = None
        self._failed: Failed | None = None
        self._followed: Config | None = None  # by the thread that touches files
        self._textfile: Textfile | None = None
        self._endpoint: Endpoint | None = None
        self._back: threading.Thread | None = None
        self._closing = threading.Event()
        self._aside = Aside("the metrics", self._look)

    def follow(self, config: Config) -> None:
        """Show them as this configuration says."""
        self._config = config
        wanted = config.metrics.listen
        if self._endpoint is not None and self._endpoint.address == wanted:
            self._endpoint.try_again()
            return
        if self._endpoint is not None:
            self._endpoint.close()
        self._endpoint = Endpoint(wanted, lambda: self._figures.text(machine=True)) if wanted else None

    def hear(self, standing: Standing) -> None:
        """Take note of how things stand."""
        self._figures.standing = standing
        self._aside.hear(standing)

    def attempted(self, attempt: Attempt) -> None:
        """Count what came of one attempt."""
        self._figures.count(attempt)

    def close(self) -> None:
        """Show them no longer; the file gets what was heard last, and stays: that it grows old tells of the end."""
        self._closing.set()
        self._aside.close()
        if self._endpoint is not None:
            self._endpoint.close()

    def _look(self, standing: Standing) -> None:
        """Look into the folders, and write the file; in a thread of its own, for both may take long."""
        if (config := self._config) is None:
            return
        if config is not self._followed:
            self._turn_to(config)
        if self._failed is not None:
            self._figures.failed = self._failed.now().count
        if self._figures.last_delivery is None and (self._back is None or not self._back.is_alive()):
            args = (config,)
            self._back = threading.Thread(target=self._look_back, args=args, name="the last delivery", daemon=True)
            self._back.start()
        file = self._textfile
        if file is not None and (standing.is_over or file.is_due(time.monotonic())):
            file.write(self._figures.text(machine=False))

    def _look_back(self, config: Config) -> None:
        """Learn when the last delivery was, which may take minutes; one may be counted meanwhile."""

        def rest(seconds: float) -> None:
            if self._closing.wait(seconds) or config is not self._config:
                raise FolderError("it is looked at no longer")

        found = _last_delivery(config.done_dir, rest)
        self._figures.last_delivery = self._figures.last_delivery or found

    def _turn_to(self, config: Config) -> None:
        self._followed, path = config, config.metrics.textfile
        self._failed = Failed(config.failed_dir, most=0)
        if self._textfile is not None and self._textfile.path != path:
            self._textfile.remove()
            self._textfile = None
        if self._textfile is None and path is not None:
            self._textfile = Textfile(path)


def _last_delivery(done: Path, rest: Callable[[float], object]) -> float | None:
    """Return when the last document was filed in the done folder; 0 for none, None when it cannot be looked at."""
    try:
        newest = last_delivered(done, 1, rest)
    except FolderError:
        return None
    if not newest:
        return 0.0
    receipt = newest[0].receipt
    told = seconds(receipt.finished_at) if receipt is not None and receipt.finished_at else 0.0
    return told or newest[0].changed
