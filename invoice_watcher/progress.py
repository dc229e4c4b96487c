"""A progress bar on stderr while `run --once` works, when somebody is watching.

Guarantees: in a pipe nothing is printed; log lines stand above the bar, whole. Raises nothing.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from invoice_watcher import logs
from invoice_watcher.delivery import Filed
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from invoice_watcher.delivery import Report
    from invoice_watcher.schedule import Task


@contextmanager
def progress() -> Iterator[Callable[[Task, Report, int], None]]:
    """Show a bar for the length of a block; yields what has to hear of every report."""
    if not sys.stderr.isatty():
        yield lambda _task, _report, _waiting: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with (
        Progress(*columns, console=console, transient=True) as bar,
        logs.lines_through(lambda line: console.print(Text(line), soft_wrap=True)),
    ):
        shown = bar.add_task("delivering", total=None)
        filed = 0

        def on_report(task: Task, report: Report, waiting: int) -> None:
            nonlocal filed
            filed += isinstance(report, Filed)
            bar.update(shown, completed=filed, total=filed + waiting, description=escape(task.invoice.name))

        yield on_report
