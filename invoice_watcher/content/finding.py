"""What can be found about a document's bytes. Pure values.

The two errors never leave the package: a check that looks deep inside a format raises one of them, and the
format's `judge` turns it into the `Finding` of the same meaning.
"""

from __future__ import annotations

from enum import Enum, auto

from invoice_watcher.record import Record


class Verdict(Enum):
    """How far a document's bytes can be trusted to be all there."""

    WHOLE = auto()  # the format's own end is there
    DOUBTFUL = auto()  # nothing says it is cut off, nothing proves that it is whole
    CUT_OFF = auto()  # bytes are missing
    MISMATCH = auto()  # surely not what the extension says


class Finding(Record, frozen=True):
    """A verdict and the reason for it.

    Attributes:
        verdict: what to do with the document.
        what: one phrase for people, without a full stop; holds no text from the document.
    """

    verdict: Verdict
    what: str


class CutOffError(ValueError):
    """A check found that bytes are missing."""


class DoubtError(ValueError):
    """A check found something that no sound writer leaves behind, and that proves nothing."""
