"""What `check` finds, in a form that a test can look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from invoice_watcher.checks import Finding

Result = TypeVar("Result")


class Line(NamedTuple):
    """One finding: its grade as a word, what it is about, and all that it says."""

    grade: str
    subject: str
    text: str


def lines(findings: Iterable[Finding]) -> list[Line]:
    """Return findings as lines."""
    return [Line(finding.grade.value, finding.subject, str(finding)) for finding in findings]


def only(findings: Iterable[Finding]) -> Line:
    """Return the one finding that there must be."""
    (line,) = lines(findings)
    return line


def drained(looking: Generator[Finding, None, Result]) -> tuple[list[Line], Result]:
    """Return what a step found, and what it came to."""
    findings = []
    while True:
        try:
            findings.append(next(looking))
        except StopIteration as end:
            return lines(findings), end.value
