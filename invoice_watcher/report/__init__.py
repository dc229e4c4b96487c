"""`report`: what was delivered and what failed, from the archive.

`lines` says what there is to say about one document, `ledger` sorts and sums, `forms` writes. It looks, and changes
nothing: it needs no lock and no API code, works while the daemon does, and for whoever may read the two folders.
Guarantees: memory stays flat, over a million receipts too; what cannot be read is named, and hides nothing else.
Raises FolderError and its kin for the folders as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.archive import filed
from invoice_watcher.naming import Naming
from invoice_watcher.report.forms import as_csv, as_json, as_table, as_text, total_lines
from invoice_watcher.report.ledger import Ledger, ledger
from invoice_watcher.report.lines import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Config

__all__ = ["Ledger", "Line", "as_csv", "as_json", "as_table", "as_text", "ledger", "lines_of", "total_lines"]


def lines_of(config: Config) -> Iterator[tuple[Line, bool]]:
    """Iterate over the lines for all that is filed, in no order, each with whether something is wrong there."""
    naming = Naming.of(config.order_id_pattern.pattern)
    for folder, delivered in ((config.done_dir, True), (config.failed_dir, False)):
        for filing in filed(folder, months=delivered):
            month = "" if filing.folder == folder else f"{filing.folder.name}/"
            yield line_of(filing, month, naming, delivered=delivered)
