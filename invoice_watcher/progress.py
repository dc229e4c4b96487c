"""A progress bar on stderr while a command works, when somebody is watching.

Guarantees: in a pipe nothing is printed; log lines stand above the bar, whole; what the command prints goes where it
would go without a bar. Raises nothing. The library that draws it is only loaded where somebody is watching.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from invoice_watcher import logs
from invoice_watcher.audience import Audience
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.progress import Progress

    from invoice_watcher.audience import Attempt

Item = TypeVar("Item")

_STEP = 100  # moving the bar costs more than most items do


@contextmanager
def progress() -> Iterator[Audience]:
    """Show a bar for the length of a block; yields the audience that has to hear of every attempt."""
    if not sys.stderr.isatty():
        yield Audience()
        return
    from rich.text import Text  # noqa: PLC0415 - see above

    with (
        _bar() as bar,
        logs.lines_through(lambda line: bar.console.print(Text(line), soft_wrap=True)),
    ):
        shown = bar.add_task("delivering", total=None)
        filed = 0

        def hear(attempt: Attempt) -> None:
            nonlocal filed
            filed += attempt.filed is not None
            bar.update(shown, completed=filed, total=filed + attempt.waiting, description=escape(attempt.name))

        yield Audience(attempts=[hear])


def watched(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over these items, and show meanwhile how far that is.

    Args:
        items: whatever has to be gone through.
        what: is being done, in words.
        total: how many they are, where that is known.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    with _bar() as bar:
        shown = bar.add_task(what, total=total)
        for done, item in enumerate(items):
            if done % _STEP == 0:
                bar.update(shown, completed=done)
            yield item


def _bar() -> Progress:
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Where stdout is a terminal it is this one, and lines have to make room for the bar; else it is none of the bar's.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())
