r"""The log: each record one line, escaped, without secrets, and never in the way of an upload.

    2026-11-22T10:15:02.456Z INFO delivered ORDER_ID=12345 FILE_NAME="my invoice.pdf" ATTEMPT=1

Modules log with `logging.getLogger(__name__).info("delivered", extra={"fields": {"ORDER_ID": "12345"}})`;
a field that is None is left out. Formats: `text` as above, `json` (one object a line, the fields as strings
under their own names), `journal` (structured; where the journal does not take it, `text` with sd-daemon(3)'s
`<N>` in front) and `auto`, the journal under systemd, else text. A traceback stands on its record's line, its
line ends shown as `\n`, so that nothing from outside can forge a line.

Guarantees: a log call never waits for the sink. 10,000 records at most wait in memory, each text of 8192
characters at most; one daemon thread writes them. What finds the queue full is counted, and the count logged.
A line that stderr does not take, because it is closed, full or broken, is dropped in silence.
Raises nothing but `setup`'s KeyError for a level or format that does not exist, which is the caller's fault.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from invoice_watcher import service
from invoice_watcher.escaping import escape

_PROGRAM = "invoice_watcher"
_IDENTIFIER = "invoice-watcher"
# Below WARNING these write request lines and every file event. What urllib3.connection warns of, with a traceback, are
# answers whose header fields are nonsense: no fault of this program, and judged elsewhere.
_FOREIGN = dict.fromkeys(("requests", "urllib3", "watchdog"), logging.WARNING) | {"urllib3.connection": logging.ERROR}

_CAPACITY = 10_000
_LONGEST_TEXT = 8192
_FLUSH_WAIT = 2.0  # seconds

# As syslog(3) counts; a level of another library's own making is a notice.
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_NOTICE = 5


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
    _sinks.append(show)
    try:
        yield
    finally:
        if queue := _installed():
            queue.flush()
        _sinks.remove(show)


@dataclass(frozen=True, slots=True)
class Event:
    """One record as it will be shown: every text escaped, shortened and without secrets."""

    created: float
    level: int
    logger: str
    message: str
    fields: Mapping[str, str]
    exception: str

    @property
    def time(self) -> str:
        """The moment in UTC, ISO 8601, to the millisecond."""
        moment = datetime.fromtimestamp(self.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Redactor:
    """Replaces each secret, in any letter case and however it was quoted, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = frozenset(filter(None, secrets))
        forms = {form for secret in self.secrets for form in _spellings(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def redact(self, text: str) -> str:
        """Return `text` without the secrets."""
        return self._pattern.sub("***", text) if self._pattern else text


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


def to_event(record: logging.LogRecord, redactor: Redactor) -> Event:
    """Return `record` as it may be shown. The secrets go before the shortening: half a secret is one too."""

    def shown(text: object) -> str:
        return _shortened(redactor.redact(escape(str(text))))

    fields = getattr(record, "fields", None)
    return Event(
        record.created,
        record.levelno,
        record.name,
        shown(_message(record)),
        {name: shown(value) for name, value in fields.items() if value is not None}
        if isinstance(fields, Mapping)
        else {},
        shown(_exception(record)),
    )


def as_text(event: Event) -> str:
    """Return the event as a line for people, without the line end."""
    fields = [f"{name}={_quoted(value)}" for name, value in event.fields.items()]
    parts = (event.time, logging.getLevelName(event.level), event.message, *fields, event.exception)
    return " ".join(filter(None, parts))


def as_json(event: Event) -> str:
    """Return the event as one JSON object (RFC 8259), without the line end."""
    members = {
        "time": event.time,
        "level": logging.getLevelName(event.level),
        "logger": event.logger,
        "message": event.message,
        **event.fields,
    }
    if event.exception:
        members["exception"] = event.exception
    return json.dumps(members, ensure_ascii=False)


def journal_fields(event: Event) -> dict[str, str]:
    """Return what goes to the journal beside message and priority."""
    return {"SYSLOG_IDENTIFIER": _IDENTIFIER, "LOGGER": event.logger, **event.fields}


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


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # `logging` would print message and arguments to stderr as they are, secrets and all.
        return f"{record.msg} (its arguments do not fit)"


def _exception(record: logging.LogRecord) -> str:
    exception = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
    return "\n".join(filter(None, (exception, record.stack_info)))


def _spellings(secret: str) -> set[str]:
    return {secret, escape(secret), repr(secret)[1:-1], quote(secret, safe="", errors="surrogateescape")}


def _shortened(text: str) -> str:
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"


def _quoted(value: str) -> str:
    plain = value and not re.search(r'[ "=]', value)
    return value if plain else json.dumps(value, ensure_ascii=False)


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
