"""Room for sorting more than memory holds: a database in a temporary file, which vanishes with the process.

Guarantees: memory stays flat, whatever is put in; nothing is left behind, even after a crash, for SQLite deletes the
file while it is open. Raises FolderUnavailableError when the disk for temporary files is full or cannot be written.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeAlias

from invoice_watcher.errors import FolderUnavailableError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

Scratch: TypeAlias = "sqlite3.Connection"

_SETTINGS = (
    "PRAGMA cache_size = -8192",  # KiB; also what a sort may hold before it goes on in a file
    "PRAGMA temp_store = FILE",
    "PRAGMA journal_mode = OFF",  # nothing is ever undone
    "PRAGMA synchronous = OFF",
)


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Open such a database for the length of a block."""
    import sqlite3  # noqa: PLC0415 - no other command pays for it

    try:
        with closing(sqlite3.connect("")) as database:  # the name that makes it a temporary one (sqlite.org/inmemorydb)
            for setting in _SETTINGS:
                database.execute(setting)
            yield database
    except sqlite3.Error as error:
        cure = "make room in the folder for temporary files, or name another one in $SQLITE_TMPDIR"
        raise FolderUnavailableError(f"cannot sort what was found: {error}; {cure}") from error
