"""Which answer a request gets: the API document's rules, and the order ids that ask for a certain answer.

Pure; `answer_to` is total and raises nothing. The API document fixes the codes, their messages and what each
one means; it leaves open in which order the checks are made, and the HTTP status of an error. Here that is:
the API code, then the order id, then the document; and 400.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from invoice_watcher.invoice import Kind, OrderId
from invoice_watcher.outcome import API_CODES
from invoice_watcher.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 10 * 1024 * 1024
RETRY_AFTER = 2
ANSWERED_WITH_RETRY_AFTER = frozenset({429, 503})

_EXTENSIONS = frozenset(Kind) - {Kind.URL}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Shape(Enum):
    """What the body of an answer is."""

    TAKEN = auto()  # the document was accepted
    REFUSED = auto()  # the API's error object: a code and a message
    BARE = auto()  # the status line again, as text: some machine in between, not the API, spoke
    PAGE = auto()  # an HTML login page
    DROPPED = auto()  # nothing: the connection is closed


class Answer(Record, frozen=True):
    """What a request is answered.

    Attributes:
        shape: what the body is.
        status: the HTTP status; None only when the connection is dropped.
        code: the API's code, of a refusal.
        retry_after: what the header Retry-After says, in seconds; None leaves it out.
        delay: seconds to wait before answering.
    """

    shape: Shape = Shape.TAKEN
    status: int | None = 200
    code: int | None = None
    retry_after: int | None = None
    delay: float = 0


DROPPED = Answer(Shape.DROPPED, status=None)


class Document(Record, frozen=True):
    """The part `File` of a request: what can be known of a document without keeping it."""

    name: str
    size: int
    sha256: str


class Post(Record, frozen=True):
    """One request to add or update an invoice, read completely.

    Attributes:
        order_id: the path's segment, decoded.
        api_code: the header ApiCode; None when it is missing. A secret.
        document: the part `File`; None without one that has a file name.
        file_url: the part `FileUrl`; None without one.
    """

    order_id: str
    api_code: str | None
    document: Document | None = None
    file_url: str | None = None

    def __repr__(self) -> str:
        return f"Post({self.order_id!r}, ApiCode hidden, {self.document!r}, {self.file_url!r})"


class Row(Record, frozen=True):
    """Order ids that ask for a certain answer.

    Attributes:
        shown: the id as the help shows it: `E103`, `H<status>`.
        example: an order id that this row answers.
        pattern: a regular expression for the whole id up to its first dash; its group is the number in it.
        meaning: what such an order is answered, for people.
        effect: from the number in the id (0 without one), and how many requests for the same id came before,
            to the answer.
    """

    shown: str
    example: str
    pattern: str
    meaning: str
    effect: Callable[[int, int], Answer]

    def match(self, order_id: str) -> re.Match[str] | None:
        """Return the match when `order_id` is one of this row's, in any letter case."""
        return re.fullmatch(f"(?:{self.pattern})(?:-.*)?", order_id, re.ASCII | re.IGNORECASE)


def refused(code: int) -> Answer:
    """Return the API's error `code`, one of API_CODES."""
    return Answer(Shape.REFUSED, 400, code)


def bare(status: int, retry_after: int | None = None) -> Answer:
    """Return an HTTP status about which the API itself says nothing."""
    return Answer(Shape.BARE, status, retry_after=retry_after)


def _status(status: int, _earlier: int) -> Answer:
    return bare(status, RETRY_AFTER if status in ANSWERED_WITH_RETRY_AFTER else None)


def _flaky(times: int, earlier: int) -> Answer:
    return bare(503) if earlier < times else Answer()


def _refusal(code: int, message: str) -> Row:
    shown = f"E{code}"
    sentence = message.partition(". ")[0].rstrip(".")
    return Row(shown, shown, shown, f"HTTP 400, code {code}: {sentence}", lambda *_: refused(code))


ORDERS: tuple[Row, ...] = (
    *(_refusal(code, row.message) for code, row in API_CODES.items()),
    Row(
        "H<status>",
        "H503",
        "H([2-5][0-9]{2})",
        f"that HTTP status, 200 to 599, and nothing more; 429 and 503 with Retry-After: {RETRY_AFTER}",
        _status,
    ),
    Row(
        "SLOW<seconds>",
        "SLOW3",
        "SLOW([0-9]{1,3})",
        "taken, but the answer comes only after so many seconds",
        lambda seconds, _: Answer(delay=seconds),
    ),
    Row(
        "FLAKY<times>",
        "FLAKY2",
        "FLAKY([0-9]{1,3})",
        "HTTP 503 so many times for this order, then taken",
        _flaky,
    ),
    Row("DROP", "DROP", "DROP", "the connection is closed without an answer", lambda *_: DROPPED),
    Row("HTML", "HTML", "HTML", "HTTP 200 with an HTML login page", lambda *_: Answer(Shape.PAGE)),
    Row("any other", "12345", ".*", "taken, if API code and document are in order", lambda *_: Answer()),
)


def explain() -> str:
    """Return the table of ORDERS as plain text, for people."""
    width = max(len(row.shown) for row in ORDERS)
    lines = [f"{row.shown:<{width}}  {row.meaning}" for row in ORDERS]
    return "\n".join((*lines, "", "In any letter case; a dash and anything may follow, as in E103-anything."))


def is_guid(text: str) -> bool:
    """Return whether `text` has the 36 characters of a GUID: 8-4-4-4-12 hexadecimal digits."""
    return _GUID.fullmatch(text) is not None


def api_code_fault(sent: str | None, expected: str | None) -> Answer | None:
    """Return what a wrong API code is answered: 401 for none, code 101 for another's; None when it is right.

    Args:
        sent: the header as it came.
        expected: the only GUID to accept, in any letter case (RFC 9562); None accepts each.
    """
    if sent is None or not is_guid(sent):
        return bare(401)
    if expected is not None and sent.lower() != expected.lower():
        return refused(101)
    return None


def answer_to(post: Post, *, api_code: str | None, earlier: int) -> Answer:
    """Return what the API would answer `post`, or what its order id asks for.

    Args:
        post: the request.
        api_code: the only API code to accept; None accepts every GUID.
        earlier: how many requests for the same order id came before this one.
    """
    wrong = api_code_fault(post.api_code, api_code)
    if wrong is not None:
        return wrong
    asked = _asked_for(post.order_id, earlier)
    code = _document_fault(post) if asked.shape is Shape.TAKEN else None
    return asked if code is None else replace(refused(code), delay=asked.delay)


def _asked_for(text: str, earlier: int) -> Answer:
    try:
        order_id = OrderId(text)
    except ValueError:
        return refused(100)
    row, match = next((row, match) for row in ORDERS if (match := row.match(order_id)))
    return row.effect(int(match[1]) if match.groups() else 0, earlier)


def _document_fault(post: Post) -> int | None:
    if post.document is None:
        return 107 if post.file_url is None else _link_fault(post.file_url)
    return 110 if post.file_url is not None else _file_fault(post.document)


def _file_fault(document: Document) -> int | None:
    if document.name.rpartition(".")[2].lower() not in _EXTENSIONS:
        return 106
    if document.size == 0:
        return 108
    return 109 if document.size > LARGEST else None


def _link_fault(link: str) -> int | None:
    """Return 104 for what is no link to the web, 105 for a host that cannot exist (RFC 2606), else None."""
    if any(char.isspace() or not char.isprintable() for char in link):
        return 104
    try:
        parts = urlsplit(link)
        host = parts.hostname
        _ = parts.port  # raises for what is no port number
    except ValueError:
        return 104
    if parts.scheme not in {"http", "https"} or not host:
        return 104
    return 105 if host.rstrip(".").endswith(".invalid") else None
