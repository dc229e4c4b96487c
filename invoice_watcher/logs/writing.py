"""The thread that writes the log, and what it writes to: standard error, the journal, or who draws on the terminal.

Guarantees: whoever logs never waits for what is written to; 10,000 records at most wait in memory, and what finds no
room is counted, and the count logged. What cannot be written is dropped in silence. Raises nothing but `configure`'s
KeyError for a format that does not exist.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from invoice_watcher import service
from invoice_watcher.logs.formats import Event, as_json, as_text, journal_fields, to_event
from invoice_watcher.logs.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CAPACITY = 10_000
_FLUSH_WAIT = 2.0  # seconds

# As syslog(3) counts; a level of another library's own making is a notice.
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_NOTICE = 5


class LogQueue(logging.Handler):
    """Takes records from any thread, without waiting, and writes them from one of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._redactor = Redactor(())
        self._write = _WRITERS["text"]
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._lost, self._idle = 0, False
        self.closed = False
        self._thread = threading.Thread(target=self._drain, name="log", daemon=True)
        self._thread.start()

    def configure(self, format: str, secret_texts: Iterable[str]) -> None:  # noqa: A002 - the configuration's word
        """Write in `format` from now on; `secret_texts` join those already known."""
        self._redactor = Redactor({*self._redactor.secrets, *secret_texts})
        if format == "auto":
            format = "journal" if service.under_journal() else "text"  # noqa: A001 - the configuration's word
        self._write = _WRITERS[format]

    def emit(self, record: logging.LogRecord) -> None:
        """Queue `record`, or count it as lost when 10,000 wait already."""
        event = to_event(record, self._redactor)
        with self._changed:
            if self.closed or len(self._waiting) >= _CAPACITY:
                self._lost += 1
                return
            self._waiting.append(event)
            self._changed.notify_all()

    def flush(self) -> None:
        """Return once everything is written, or after two seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or (self._idle and not self._waiting), _FLUSH_WAIT)

    def close(self) -> None:
        """End the thread once everything is written, or after two seconds; `logging` calls this at exit."""
        with self._changed:
            already, self.closed = self.closed, True
            self._changed.notify_all()
        if not already:
            self._thread.join(_FLUSH_WAIT)
            super().close()

    def _next(self) -> Event | None:
        with self._changed:
            self._idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self.closed)
            self._idle = False
            return self._waiting.popleft() if self._waiting else None

    def _drain(self) -> None:
        while event := self._next():
            self._write(event)
            self._tell_lost()

    def _tell_lost(self) -> None:
        """Say how many lines were lost as soon as the sink has taken all that waited."""
        with self._changed:
            if self._waiting or not self._lost:
                return
            lost, self._lost = self._lost, 0
        self._write(Event(time.time(), logging.WARNING, __name__, f"{lost} log lines lost", {}, ""))


@contextmanager
def sink(show: Callable[[str], None]) -> Iterator[None]:
    """For the length of a block, let `show` have each line (without its end) in place of standard error."""
    _sinks.append(show)
    try:
        yield
    finally:
        _sinks.remove(show)


def _write_journal(event: Event) -> None:
    message = " ".join(filter(None, (event.message, event.exception)))
    priority = _PRIORITIES.get(event.level, _NOTICE)
    if not service.journal_send(message, priority, journal_fields(event)):
        _sinks[-1](f"<{priority}>{as_text(event)}")


def _write_line(line: str) -> None:
    """Write to descriptor 2 itself: `sys.stderr` has a lock, and a writer stuck in it aborts the exit."""
    if sys.__stderr__ is None:
        return  # it was closed at the start, and its number may be a document's by now
    rest = f"{line}\n".encode()
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with suppress(OSError):
        while rest:
            # Another program with the same terminal or pipe may have made it non-blocking.
            poll.poll()
            rest = rest[os.write(2, rest) :]


_sinks: list[Callable[[str], None]] = [_write_line]  # the last one takes the lines

_WRITERS: dict[str, Callable[[Event], None]] = {
    "text": lambda event: _sinks[-1](as_text(event)),
    "json": lambda event: _sinks[-1](as_json(event)),
    "journal": _write_journal,
}
