"""From a file's name to what it is: to be left alone, or an invoice (possibly one with a bad name).

Guarantees: every name has exactly one reading; an `OrderId` is only made from a *full* match, so a trailing
newline or a path cannot slip in. Pure. Raises nothing for any name.

The built-in patterns are the temporary names of the programs that write into shared folders: Office (`~$x`),
LibreOffice (`.~lock.x#`), browsers (`*.crdownload`, `*.part`), WinSCP (`*.filepart`), vim (`*.swp`), rsync and
Samba (dot files), and the litter of Windows and macOS file managers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

from invoice_watcher.invoice import Invoice, Kind, OrderId

if TYPE_CHECKING:
    from collections.abc import Iterable

TEMPORARY_NAMES = (
    ".*",
    "~$*",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.crdownload",
    "*.download",
    "*.filepart",
    "*.swp",
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
)

_KINDS = {kind.value: kind for kind in Kind}

# What `numbered` puts between stem and extension when a name is taken; ".1" is never given.
_NUMBER = re.compile(r"(?P<stem>.+)\.(?P<number>[2-9]|[1-9][0-9]{1,5})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Naming:
    """The rules by which names are read.

    Attributes:
        order_id: the configured pattern; a group called `order_id`, where there is one, is the id.
        ignored: one expression over the case-folded name: what is left alone.
    """

    order_id: re.Pattern[str]
    ignored: re.Pattern[str]

    @classmethod
    def of(cls, order_id_pattern: str, ignore: Iterable[str] = (), own_names: Iterable[str] = ()) -> Naming:
        """Build the rules.

        Args:
            order_id_pattern: a regular expression over the whole name without its extension.
            ignore: shell patterns (`fnmatch`) of names to leave alone, besides the built-in ones.
            own_names: names that the program itself writes into the drop folder.
        """
        exact = [re.escape(name.casefold()) for name in own_names]
        globs = [translate(pattern.casefold()) for pattern in (*TEMPORARY_NAMES, *ignore)]
        return cls(re.compile(order_id_pattern), re.compile("|".join([*globs, *exact])))

    def is_ignored(self, name: str) -> bool:
        """Tell whether the file is never taken, in any letter case (as Windows would see its name)."""
        return self.ignored.fullmatch(name.casefold()) is not None

    def read(self, name: str) -> Invoice:
        """Read a name that is not ignored; what it does not say is None in the invoice."""
        stem, dot, extension = name.rpartition(".")
        if not dot:
            return Invoice(name, self._order_id(name), None)
        return Invoice(name, self._order_id(stem), _KINDS.get(extension.lower()))

    def _order_id(self, stem: str) -> OrderId | None:
        """The order id; a number that the program itself appended (`12345.2`) is no part of it."""
        match = self.order_id.fullmatch(stem)
        if match is None and (own := _NUMBER.fullmatch(stem)):
            match = self.order_id.fullmatch(own["stem"])
        if match is None:
            return None
        try:
            return OrderId(match.groupdict().get("order_id", match[0]) or "")
        except ValueError:
            return None


def numbered(name: str, number: int) -> str:
    """Return the `number`-th name for a document whose name is taken: `12345.pdf` → `12345.2.pdf`.

    A number that is already there is replaced, not repeated: `12345.2.pdf` → `12345.3.pdf`.
    """
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = extension, ""
    if own := _NUMBER.fullmatch(stem):
        stem = own["stem"]
    return f"{stem}.{number}{dot}{extension}"


def first_number(name: str) -> int:
    """Return the first number worth trying with `numbered` when `name` itself is taken."""
    stem = name.rpartition(".")[0] or name
    own = _NUMBER.fullmatch(stem)
    return int(own["number"]) + 1 if own else 2
