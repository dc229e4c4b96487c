"""Whether those who are to be told can be told: can each address be used, and, where asked for, does a test arrive?

Never shows an address, for it may hold a secret; see `notify`. Raises nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.checks.finding import Finding, fault, note, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Config

_SUBJECT = "notifications"


def look_at_notify(config: Config) -> Iterator[Finding]:
    """Yield a finding for each address that apprise cannot use."""
    if not config.notify.urls:
        return
    from invoice_watcher import notify  # noqa: PLC0415 - for those who want it

    for name, trouble in notify.look(config.notify.urls):
        if trouble:
            yield fault(_SUBJECT, f"{name}: {trouble.text}", trouble.cure)


def try_notify(config: Config) -> Iterator[Finding]:
    """Send a test message to each address, and yield whether it was sent."""
    if not config.notify.urls:
        yield note(_SUBJECT, "notify.urls is empty, so nobody is told anything")
        return
    from invoice_watcher import notify  # noqa: PLC0415 - for those who want it

    for name, trouble in notify.test(config.notify.urls, config.drop_dir):
        if trouble:
            yield fault(_SUBJECT, f"{name}: {trouble.text}", trouble.cure)
        else:
            yield ok(_SUBJECT, f"{name}: a test message was sent; see whether it has arrived")
