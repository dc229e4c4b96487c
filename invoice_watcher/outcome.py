"""What can become of an invoice: the three answers, whose fault it is, and what to tell the clerk.

The vocabulary of every decision in the program. `policy` decides, `receipt` writes it down, `delivery` acts on
it. Pure values; nothing here raises.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from invoice_watcher.record import Record


class Fault(StrEnum):
    """Whose fault it is, which decides what happens next."""

    FILE = "file"  # rejected at once: sending it again as it is would change nothing
    WORLD = "world"  # deferred: it goes away by itself
    OPERATOR = "operator"  # the whole queue pauses until an administrator mends it
    OURS = "ours"  # this machine's: nothing is sent that could not be recorded


class Source(StrEnum):
    """Where a problem was found."""

    API = "api"
    HTTP = "http"
    NETWORK = "network"
    VALIDATION = "validation"


class Problem(Record, frozen=True):
    """Why an invoice was not delivered, as its sidecar tells it.

    Attributes:
        source: where it was found.
        code: the API's own code, also for a fault found locally that the API would have answered so; else None.
        reason: a stable word for programs.
        message: one sentence, from the API where it spoke.
        hint: what the person at the share should do.
    """

    source: Source
    code: int | None
    reason: str
    message: str
    hint: str


class Delivered(Record, frozen=True):
    """The API took the document."""

    http_status: int
    response: str


class Rejected(Record, frozen=True):
    """The document will never be taken as it is; a person has to look at it."""

    problem: Problem
    http_status: int | None = None
    response: str | None = None


class Deferred(Record, frozen=True):
    """Not now: try again later.

    Attributes:
        fault: whose it is; FILE when the document was changed while it was sent, and has to be sent as it is now.
        in_doubt: the document may have reached the API, and its answer is unknown.
        retry_after: seconds the API asked us to wait; None when it did not.
        reached: the API's machine answered something, so it may be this one document that it cannot bear.
    """

    problem: Problem
    fault: Fault
    http_status: int | None = None
    response: str | None = None
    in_doubt: bool = False
    retry_after: float | None = None
    reached: bool = False


Outcome: TypeAlias = Delivered | Rejected | Deferred


class ApiCode(Record, frozen=True):
    """One row of the API document's table of errors.

    Attributes:
        reason: the stable word of the problem.
        message: what the API says, for want of its own words.
        fault: whose it is.
        tries: with the WORLD's fault: it may pass, but is about this document alone, which is given up after so many
            tries, whatever becomes of others; None for what may meet any document, and counts towards a pause.
    """

    reason: str
    message: str
    fault: Fault
    tries: int | None = None


# The Invoice Add/Update API's own table; a link may be reachable later (the server with the document may come back).
UNKNOWN_ORDER = 100
WRONG_API_CODE = 101
ORDER_CLOSED = 103
BAD_LINK = 104
LINK_UNREACHABLE = 105
UNSUPPORTED_FORMAT = 106
NO_DOCUMENT = 107
EMPTY = 108
TOO_LARGE = 109
FILE_AND_LINK = 110
API_CODES = {
    UNKNOWN_ORDER: ApiCode("unknown_order", "Order ID is wrong", Fault.FILE),
    WRONG_API_CODE: ApiCode("wrong_api_code", "Wrong API code", Fault.FILE),
    ORDER_CLOSED: ApiCode("order_closed", "Order is already shipped or cancelled", Fault.FILE),
    BAD_LINK: ApiCode("bad_link", "Incorrect document link format", Fault.FILE),
    LINK_UNREACHABLE: ApiCode("link_unreachable", "Document cannot be downloaded or timeout", Fault.WORLD, tries=3),
    UNSUPPORTED_FORMAT: ApiCode(
        "unsupported_format",
        "Document file format is not supported. File should be of one of formats .doc, .docx, .pdf, .xls, .xlsx",
        Fault.FILE,
    ),
    NO_DOCUMENT: ApiCode("no_document", "No document in request", Fault.FILE),
    EMPTY: ApiCode("empty", "Invoice file cannot be empty", Fault.FILE),
    TOO_LARGE: ApiCode("too_large", "Invoice file should be not more than 10MB.", Fault.FILE),
    FILE_AND_LINK: ApiCode(
        "file_and_link",
        "Please, use either FileUrl or File, but not both within the same request.",
        Fault.FILE,
    ),
}


def tries_for(failure: Deferred) -> int | None:
    """Return after how many tries a document that is answered so is given up; None for what is not about it alone."""
    row = None if failure.problem.code is None else API_CODES.get(failure.problem.code)
    return row.tries if row and failure.fault is row.fault else None  # a redirect, say, may quote any code
