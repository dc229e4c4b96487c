"""What a record looks like: one line of text, one JSON object, or the fields of a journal entry.

Guarantees: no secret that the redactor knows, nothing that could end a line or move a cursor, and no text longer than
8192 characters. Pure; raises nothing, not even for a log call whose arguments do not fit its message.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from invoice_watcher.logs.redaction import Redactor

_IDENTIFIER = "invoice-watcher"
_LONGEST_TEXT = 8192


class Event(Record, frozen=True):
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


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # `logging` would print message and arguments to stderr as they are, secrets and all.
        return f"{record.msg} (its arguments do not fit)"


def _exception(record: logging.LogRecord) -> str:
    exception = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
    return "\n".join(filter(None, (exception, record.stack_info)))


def _shortened(text: str) -> str:
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"


def _quoted(value: str) -> str:
    plain = value and not re.search(r'[ "=]', value)
    return value if plain else json.dumps(value, ensure_ascii=False)
