"""What `check` looks at, before anything is sent: each finding says what is so, and what would mend it.

`configuration`, `folders` (with `rights`), `storage`, `kernel` and `metrics` are about this machine; `route` goes the
way to the API, by `reach`, `proxy` and `tls`, each step only when the one before it went well, and `api` asks at its
end; `people` are those who are to be told, to whom a test is sent only where that is asked for. Guarantees: nothing is
made or changed that was not there before, beyond an empty hidden file that is renamed through the folders and removed;
a running instance is not disturbed; no order is changed, for no document is sent; everything ends in time. Raises
nothing: what cannot be looked at is a finding.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoice_watcher.checks.configuration import look_at_api_code, look_at_configuration, look_at_status_page
from invoice_watcher.checks.finding import Finding, Grade, exit_status, fault
from invoice_watcher.checks.folders import look_at_folders
from invoice_watcher.checks.kernel import clock, look_at_kernel
from invoice_watcher.checks.metrics import look_at_metrics
from invoice_watcher.checks.people import look_at_notify, try_notify
from invoice_watcher.checks.storage import look_at_storage
from invoice_watcher.config import find_api_code
from invoice_watcher.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from invoice_watcher.config import Config

__all__ = ["Finding", "Grade", "check_all", "check_online", "exit_status", "fault", "try_notify"]


def check_all(config: Config, path: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield every finding about this machine, for a configuration that could be read.

    Args:
        config: the configuration.
        path: where it was read from.
        environ: where an API code may stand.
    """
    yield from look_at_configuration(config, path)
    usable = True
    for finding in look_at_folders(config):
        usable = usable and finding.grade is not Grade.FAULT
        yield finding
    if usable:
        yield from look_at_storage(config)
        yield from look_at_kernel(config)
        yield from look_at_status_page(config)
    yield from clock(datetime.now(UTC))
    yield from look_at_api_code(config, path, environ)
    yield from look_at_notify(config)
    yield from look_at_metrics(config)


def check_online(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield every finding about the way to the API, and about what it answers; bounded by the configured times.

    One request is made, without a document and for no order there is. An API code that cannot be found was told by
    `check_all`; the way is looked at all the same.
    """
    from invoice_watcher.checks.api import ask  # noqa: PLC0415 - the libraries for HTTP, for those who want it
    from invoice_watcher.checks.route import look_at_route  # noqa: PLC0415 - likewise

    is_open = yield from look_at_route(config.api)
    try:
        code = find_api_code(config, environ)
    except ConfigError:
        return
    if is_open:
        yield from ask(config.api, code)
