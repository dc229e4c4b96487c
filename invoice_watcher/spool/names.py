"""The names of what lies in the work folder, and those under which a document may be filed away.

In the work folder `X.json` is always the note of `X`, and what begins with a dot is the program's own: room for a
receipt, a copy, or the lock. Guarantees: a document can be told from a note by its name; what a claim makes of a
dropped name can be undone; a name that is cut short is known by its length. Pure; raises nothing.
"""

from __future__ import annotations

import os
import re
from itertools import count
from typing import TYPE_CHECKING

from invoice_watcher.naming import LONGEST_NAME, numbered
from invoice_watcher.receipt import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM = ".receipt-"  # how the room for a receipt begins, before it has been written
COPY = ".copy-"  # how a copy begins, in the moment in which it has a name where the file system has no O_TMPFILE
_CUT_TO = LONGEST_NAME + 10  # bytes; a character has four at most, so what is cut stays longer than LONGEST_NAME
_ESCAPED = re.compile(r"(.+)~[1-9][0-9]*~", re.DOTALL)


def is_document(name: str) -> bool:
    """Tell whether a name in the work folder is a document's: no note, and nothing else that the program keeps."""
    return not name.startswith(".") and not name.endswith(SUFFIX)


def work_names(name: str) -> Iterator[str]:
    """Yield the names under which a dropped file may lie in the work folder, the best first.

    Its own; or, where that is taken, `X~1~`, from which `original_name` gives it back. In the work folder `X.json` is
    always the note of `X`, so a dropped file called so never has its own. A name too long for a receipt beside it is
    cut short.
    """
    name = _shortened(name)
    if not name.endswith(SUFFIX) and not _ESCAPED.fullmatch(name):
        yield name
    for number in count(1):
        yield f"{name}~{number}~"


def original_name(work_name: str) -> str:
    """Return the name under which a claimed document is filed away: `work_names` undone."""
    escaped = _ESCAPED.fullmatch(work_name)
    return escaped[1] if escaped else work_name


def note_name(work_name: str) -> str:
    """Return the name of a claimed document's note."""
    return work_name + SUFFIX


def candidates(name: str) -> Iterator[str]:
    """Yield the names under which a document may be filed away, the best first."""
    yield name
    for number in count(2):
        yield numbered(name, number)


def _shortened(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    tail = dot + extension if stem and len(os.fsencode(extension)) <= 10 else ""  # noqa: PLR2004 - longer is none
    stem = name.removesuffix(tail)
    while len(os.fsencode(stem + tail)) > _CUT_TO:
        stem = stem[:-1]
    return stem + tail
