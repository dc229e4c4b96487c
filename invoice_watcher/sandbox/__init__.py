"""A stand-in for the Invoice Add/Update API on this machine: for trying things out, for the demo, for tests.

`serve` is the command `invoice-watcher sandbox`; `running` is the same server inside this process, for a
`with` block. Which order id provokes which answer is the table `rules.ORDERS`, which `explain` prints; what can be
asked and told while it runs stands in `app`. Importing this needs nothing but the program itself; starting it
raises MissingExtraError where werkzeug is missing (the administrator's to install), ValueError for an
impossible argument and OSError where the address cannot be listened on (both the caller's).
"""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoice_watcher import signals
from invoice_watcher.errors import MissingExtraError
from invoice_watcher.sandbox.rules import explain, is_guid
from invoice_watcher.sandbox.state import Mode, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Mode", "Sandbox", "explain", "running", "serve"]

_LOG = logging.getLogger(__name__)


def serve(  # noqa: PLR0913 - one for each option of the command
    *,
    host: str = "127.0.0.1",
    port: int = 8025,
    api_code: str | None = None,
    latency: float = 0,
    fail: int | None = None,
    fail_for: float | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then return.

    Args:
        host: the name or address to listen on.
        port: 0 takes one that is free.
        api_code: the only GUID to accept; None accepts each.
        latency: seconds before every answer.
        fail: the HTTP status that answers every request; None answers as usual.
        fail_for: seconds for which `fail` holds; None is for ever.
        on_ready: called with the base URL as soon as connections are accepted.

    Raises:
        MissingExtraError: werkzeug is not installed.
        ValueError: an argument cannot be; the text never holds the API code.
        OSError: the address cannot be listened on.
    """
    mode = Mode(latency=latency, fail=fail, fail_for=fail_for)
    server = running(host=host, port=port, api_code=api_code, mode=mode)
    with _stops_pending(), _access_log(), server as sandbox:
        on_ready(sandbox.base_url)
        signal.sigwait(signals.STOPS)


@contextmanager
def running(
    *, host: str = "127.0.0.1", port: int = 0, api_code: str | None = None, mode: Mode | None = None
) -> Iterator[Sandbox]:
    """Serve in threads of this process until the context is left.

    Args and Raises: as those of `serve`; `mode` is how requests are treated at first.
    """
    if api_code is not None and not is_guid(api_code):
        raise ValueError("the API code is no GUID (36 characters: 8-4-4-4-12 hexadecimal digits)")
    try:
        from invoice_watcher.sandbox.server import serving  # noqa: PLC0415 - needs the extra `sandbox`
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "werkzeug":
            raise
        raise MissingExtraError(
            "the sandbox needs the package werkzeug: pip install werkzeug (Debian: apt install python3-werkzeug)"
        ) from error
    with serving(host, port, api_code=api_code, mode=mode or Mode()) as sandbox:
        yield sandbox


@contextmanager
def _stops_pending() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait for sigwait(3), in this thread and those that it starts; no handler can miss one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals.STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _access_log() -> Iterator[None]:
    """Write the access log to stderr; the log's own settings are restored at the end."""
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level, propagate = _LOG.level, _LOG.propagate
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False
    _LOG.addHandler(lines)
    try:
        yield
    finally:
        _LOG.removeHandler(lines)
        _LOG.setLevel(level)
        _LOG.propagate = propagate
