"""What would keep the metrics from being seen: the library, and the place of the file for node_exporter.

The address is not tried, for a running instance has it. Imports nothing of the library; asks the file system, changes
nothing. Raises nothing. No invoice ever depends on any of this, so nothing here is a fault.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from invoice_watcher.checks.finding import Finding, note, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config import Config

_SUBJECT = "metrics"


def look_at_metrics(config: Config) -> Iterator[Finding]:
    """Yield where the metrics are shown, and what stands in their way; nothing where none are wanted."""
    address, path = config.metrics.listen, config.metrics.textfile
    if not address and path is None:
        return
    if find_spec("prometheus_client") is None:
        cure = "install python3-prometheus-client, or invoice-watcher[metrics] where it came from pip"
        yield note(_SUBJECT, "there will be none, because prometheus-client is not installed", cure)
        return
    if address:
        yield ok(_SUBJECT, f"served at {address}")
    if path is not None:
        yield from _look_at_file(path)


def _look_at_file(path: Path) -> Iterator[Finding]:
    doubts = list(_doubts(path))
    yield from doubts or [ok(_SUBJECT, f"written to {path}")]


def _doubts(path: Path) -> Iterator[Finding]:
    if path.suffix != ".prom":
        yield note(_SUBJECT, f"node_exporter does not read {path}", "give it a name that ends with .prom")
    if not path.parent.is_dir():
        yield note(_SUBJECT, f"{path.parent} does not exist", "make it, and start node_exporter with that folder")
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        cure = "let the program's user write into it; in the service, name it in ReadWritePaths= as well"
        yield note(_SUBJECT, f"this user may not write into {path.parent}", cure)
