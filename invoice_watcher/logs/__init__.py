r"""The log: each record one line, escaped, without secrets, and never in the way of an upload.

    2026-11-22T10:15:02.456Z INFO delivered ORDER_ID=12345 FILE_NAME="my invoice.pdf" ATTEMPT=1

Modules log with `logging.getLogger(__name__).info("delivered", extra={"fields": {"ORDER_ID": "12345"}})`;
a field that is None is left out. Formats: `text` as above, `json` (one object a line, the fields as strings
under their own names), `journal` (structured; where the journal does not take it, `text` with sd-daemon(3)'s
`<N>` in front) and `auto`, the journal under systemd, else text. A traceback stands on its record's line, its
line ends shown as `\n`, so that nothing from outside can forge a line. This module sets it up; `redaction` blackens
secrets, `formats` makes lines, `writing` is the thread that writes them.

Guarantees: a log call never waits for the sink. 10,000 records at most wait in memory, each text of 8192
characters at most; one daemon thread writes them. What finds the queue full is counted, and the count logged.
A line that stderr does not take, because it is closed, full or broken, is dropped in silence.
Raises nothing but `setup`'s KeyError for a level or format that does not exist, which is the caller's fault.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoice_watcher.logs import writing
from invoice_watcher.logs.writing import LogQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["lines_through", "setup", "shutdown"]

_PROGRAM = "invoice_watcher"
# Below WARNING these write request lines and every file event. What urllib3.connection warns of, with a traceback, are
# answers whose header fields are nonsense: no fault of this program, and judged elsewhere.
_FOREIGN = dict.fromkeys(("requests", "urllib3", "watchdog"), logging.WARNING) | {"urllib3.connection": logging.ERROR}


def setup(level: str, format: str, secret_texts: Iterable[str] = ()) -> None:  # noqa: A002 - the configuration's word
    """Start logging, or change how it is done: a second call replaces level and format.

    Args:
        level: `debug`, `info`, `warning`, `error` or `critical`.
        format: `auto`, `text`, `json` or `journal`.
        secret_texts: what to show as `***`. Those of earlier calls stay secret: an attempt that began
            before a reload still knows them.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    queue = _installed() or _install()
    queue.configure(format, secret_texts)
    logging.getLogger(_PROGRAM).setLevel(number)
    for name, least in _FOREIGN.items():
        logging.getLogger(name).setLevel(max(number, least))


def shutdown() -> None:
    """Write what still waits, for two seconds at most; records after this are dropped."""
    if queue := _installed():
        queue.close()


@contextmanager
def lines_through(show: Callable[[str], None]) -> Iterator[None]:
    """For the length of a block, let `show` print each line (without its end), for it draws on the same terminal."""
    with writing.sink(show):
        try:
            yield
        finally:
            if queue := _installed():
                queue.flush()


def _installed() -> LogQueue | None:
    found = (each for each in logging.getLogger().handlers if isinstance(each, LogQueue))
    return next((queue for queue in found if not queue.closed), None)


def _install() -> LogQueue:
    # On the root of all loggers: what another library says must not reach the terminal unescaped.
    root = logging.getLogger()
    for each in [each for each in root.handlers if isinstance(each, LogQueue)]:
        root.removeHandler(each)
    queue = LogQueue()
    root.addHandler(queue)
    return queue
