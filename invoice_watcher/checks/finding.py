"""What `check` has to say about one thing: how bad it is, what it is about, a sentence, and what would mend it.

Pure values; raises nothing. The texts may hold what strangers wrote, and are escaped by whoever shows them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from invoice_watcher.errors import ExitStatus
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the administrator laid down for this program, and has to correct before it can start.
_LAID_DOWN = frozenset({"configuration", "folders", "API code"})


class Grade(Enum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"  # it works, but deserves a word
    FAULT = "fault"


class Finding(Record, frozen=True):
    """One thing that was looked at; not escaped yet.

    Attributes:
        grade: how bad it is.
        subject: what was looked at, in a word or two that stay the same.
        text: what is so.
        cure: what to do about it; empty where nothing is to be done.
    """

    grade: Grade
    subject: str
    text: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" + (f"; {self.cure}" if self.cure else "")


def ok(subject: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(Grade.OK, subject, text)


def note(subject: str, text: str, cure: str = "") -> Finding:
    """Return what works and deserves a word."""
    return Finding(Grade.NOTE, subject, text, cure)


def fault(subject: str, text: str, cure: str = "") -> Finding:
    """Return what does not work."""
    return Finding(Grade.FAULT, subject, text, cure)


def exit_status(findings: Iterable[Finding]) -> ExitStatus:
    """Return 78 when configuration or folders are wrong, 1 when something else is, else 0."""
    wrong = {finding.subject for finding in findings if finding.grade is Grade.FAULT}
    if wrong & _LAID_DOWN:
        return ExitStatus.CONFIG
    return ExitStatus.FAILED if wrong else ExitStatus.OK
