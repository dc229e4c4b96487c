"""From a file's name to what it is: to be left alone, or an invoice (possibly one with a bad name).

Guarantees: every name has exactly one reading; an `OrderId` is only made from a *full* match, so a trailing
newline or a path cannot slip in, and never from a name that was cut short. Pure. Raises nothing for any name.

The built-in patterns are the temporary names of the programs that write into shared folders: Office (`~$x`),
LibreOffice (`.~lock.x#`), browsers (`*.crdownload`, `*.part`), WinSCP (`*.filepart`), vim (`*.swp`), rsync and
Samba (dot files), and the litter of Windows and macOS file managers.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoice_watcher.config import Config

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
    "lost+found",  # a folder, where a disk is mounted right here; mke2fs(8)
)

# Under which the status page lies in the drop folder until it is complete.
PAGE_IN_WRITING = ".invoice-watcher-page"

# Bytes. A longer name leaves too little room for a number and ".json" behind it (255 in all), so it may have to be cut
# short; what is left of it is longer than this still, so that no order is ever read from a part of a name.
LONGEST_NAME = 230

# What a shell may put on the command line as it is: anything else could be a command, or an option.
HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+@%-]*")

_KINDS = {kind.value: kind for kind in Kind}

_NUMBERED = re.compile(r".+\.[1-9][0-9]{0,5}(\.[^.]*)?", re.DOTALL)


class Naming(Record, frozen=True):
    """The rules by which names are read.

    Attributes:
        order_id: the configured pattern; a group called `order_id`, where there is one, is the id.
        ignored: one expression over the case-folded name: what is left alone.
        own: names that the program itself writes, as it writes them; they are among the ignored.
    """

    order_id: re.Pattern[str]
    ignored: re.Pattern[str]
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, order_id_pattern: str, ignore: Iterable[str] = (), own_names: Iterable[str] = ()) -> Naming:
        """Build the rules.

        Args:
            order_id_pattern: a regular expression over the whole name without its extension.
            ignore: shell patterns (`fnmatch`) of names to leave alone, besides the built-in ones.
            own_names: names that the program itself writes into the drop folder.
        """
        own = frozenset(own_names)
        exact = [re.escape(name.casefold()) for name in own]
        globs = [translate(pattern.casefold()) for pattern in (*TEMPORARY_NAMES, *ignore)]
        return cls(re.compile(order_id_pattern), re.compile("|".join([*globs, *exact])), own)

    def is_ignored(self, name: str) -> bool:
        """Tell whether the file is never taken, in any letter case (as Windows would see its name)."""
        return self.ignored.fullmatch(name.casefold()) is not None

    def read(self, name: str, filed_for: str | None = None) -> Invoice:
        """Read a name that is not ignored; what it does not say is None in the invoice.

        Args:
            name: the file's name.
            filed_for: the order for which this program itself gave the file that name, where that is known.
        """
        stem, dot, extension = name.rpartition(".")
        if not dot:
            stem, extension = name, ""
        order_id = self._order_id(name, stem) if filed_for is None else _checked(filed_for)
        return Invoice(name, order_id, _KINDS.get(extension.lower()))

    def lane_of(self, name: str) -> str:
        """Return `Invoice.lane` of a name that holds an order, sooner than `read` would: for very many of them."""
        stem, dot, _ = name.rpartition(".")
        match = self.order_id.fullmatch(stem if dot else name)
        return match.groupdict().get("order_id", match[0]) or name if match else name

    def _order_id(self, name: str, stem: str) -> OrderId | None:
        match = self.order_id.fullmatch(stem) if is_short(name) else None
        return _checked(match.groupdict().get("order_id", match[0]) or "") if match else None


def ignoring_pattern(name: str, ignore: Iterable[str] = ()) -> str | None:
    """Return the pattern, built-in or of `ignore`, by which a name is left alone; None when there is none."""
    folded = name.casefold()
    patterns = (*TEMPORARY_NAMES, *ignore)
    return next((one for one in patterns if re.fullmatch(translate(one.casefold()), folded)), None)


def _checked(text: str) -> OrderId | None:
    try:
        return OrderId(text)
    except ValueError:
        return None


def naming_of(config: Config) -> Naming:
    """Return the rules by which the names in the drop folder are read."""
    own_names = (config.status_page, PAGE_IN_WRITING) if config.status_page else ()
    return Naming.of(config.order_id_pattern.pattern, config.ignore, own_names)


def is_short(name: str) -> bool:
    """Tell whether the name is short enough to be kept whole, wherever its file goes."""
    # No character takes more than four bytes, so most names need not be spelled out.
    return 4 * len(name) <= LONGEST_NAME or len(name.encode(errors="surrogatepass")) <= LONGEST_NAME


def numbered(name: str, number: int) -> str:
    """Return the `number`-th name for a document whose name is taken, from 2 on: `12345.pdf` → `12345.2.pdf`.

    A number that is already there stays: it may be a part of the order id (`2024.12.pdf` → `2024.12.2.pdf`).
    """
    stem, dot, extension = name.rpartition(".")
    return f"{stem}.{number}.{extension}" if dot else f"{name}.{number}"


def is_numbered(name: str) -> bool:
    """Tell whether `numbered` may have made the name; it may be somebody's own choice all the same (`2026.11.pdf`)."""
    return _NUMBERED.fullmatch(name) is not None
