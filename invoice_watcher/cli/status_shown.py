"""How `status` looks: tables on a terminal, one plain line for each thing in a pipe.

Guarantees: all text from outside is escaped; in a pipe there is neither colour nor a line that is drawn; a narrow
terminal folds what is too long. Raises nothing.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import click

from invoice_watcher.escaping import escape
from invoice_watcher.moments import moment, seconds, span
from invoice_watcher.standing import MOST_NAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from invoice_watcher.inquiry import Failure, Overview
    from invoice_watcher.standing import Waiter

MOST_FILES = 20
_MOST_LEFT_ALONE = 5
_NO_FILES = "only files are taken; move what is in it into the drop folder itself"
_HEADINGS = {
    "flowing": "running: what is dropped is taken",
    "paused": "PAUSED: nothing is sent",
    "folders_away": "WAITING for its folders: nothing is taken",
    "hanging": "HANGS: nothing is taken",
    "silent": "running, but how it goes on cannot be seen",
    "stopped": "NOT RUNNING: nothing is taken",
}
_COLOURS = {"flowing": "green", "paused": "yellow", "silent": "yellow"}


_Fact: TypeAlias = tuple[str, str]  # what it is about, and a text


class _Row(NamedTuple):
    """One file: its name, its order, a time, and what is to be said of it."""

    name: str
    order: str
    when: str
    text: str

    @property
    def file(self) -> str:
        """Its name and order in one."""
        return f"{self.name} (order {self.order})" if self.order else self.name


def show(overview: Overview) -> None:
    """Print it."""
    now = time.time()
    facts = list(_facts(overview, now))
    waiting = [_of_waiter(one, now) for one in overview.files[:MOST_FILES]]
    failed = [_of_failure(one, now) for one in overview.failures]
    if sys.stdout.isatty():
        _draw(overview.state, facts, waiting, failed)
    else:
        for line in _lines(overview.state, facts, waiting, failed):
            click.echo(line)


def _lines(state: str, facts: list[_Fact], waiting: list[_Row], failed: list[_Row]) -> Iterator[str]:
    yield _HEADINGS[state]
    yield from (f"{name}: {text}" for name, text in facts)
    yield from (f"waits: {row.file}, for {row.when}: {row.text}" for row in waiting)
    yield from (f"failed: {row.file}, {row.when}: {row.text}" for row in failed)


def _draw(state: str, facts: list[_Fact], waiting: list[_Row], failed: list[_Row]) -> None:
    """Draw the tables; the library for that is only loaded here."""
    from rich.console import Console  # noqa: PLC0415 - the other commands need none of it
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(Text(_HEADINGS[state], style=f"bold {_COLOURS.get(state, 'red')}"))
    console.print(_grid(facts))
    if waiting:
        console.print(_table("waiting", "for", waiting))
    if failed:
        console.print(_table("failed", "at", failed))


def _grid(facts: list[_Fact]) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts:
        grid.add_row(Text(name, style="bold"), Text(text))
    return grid


def _table(title: str, when: str, rows: list[_Row]) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for name in ("file", "order", when, "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _facts(overview: Overview, now: float) -> Iterator[_Fact]:
    """Yield all but the files."""
    yield "drop folder", escape(overview.drop_dir)
    if overview.running:
        since = f"since {_at(overview.started_at, now)}" if overview.started_at else "since an unknown time"
        process = f", process {overview.pid}" if overview.pid else ""
        yield "running", f"{since}{process}, version {escape(overview.program)}"
    if overview.state == "hanging" and overview.delivered is not None:  # it said so itself
        yield "last seen", f"at {_at(overview.as_of, now)}"
    yield from (("trouble", escape(text)) for text in overview.trouble)
    if pause := overview.pause:
        yield "paused", f"since {_at(pause.since, now)}: {escape(pause.message)}"
        yield "what to do", escape(pause.cure)
        yield "next try", f"in {span(seconds(pause.next_try) - now)}" if pause.next_try else "is under way"
    if overview.advice:
        yield "what to do", escape(overview.advice)
    yield "waiting", _waiting(overview, now)
    if overview.left_alone:
        yield "left alone", _left_alone(overview.left_alone)
    yield "failed", _failed(overview)
    yield "last delivery", _last(overview, now)
    if overview.delivered is not None:
        yield "since its start", f"{overview.delivered} delivered, {overview.rejected} rejected"


def _waiting(overview: Overview, now: float) -> str:
    if overview.waiting is None:
        return "unknown"
    if not overview.waiting:
        return "nothing"
    text = f"{overview.waiting}"
    if overview.oldest:
        text += f", the oldest for {span(now - seconds(overview.oldest))}"
    more = overview.waiting - MOST_FILES
    return f"{text}; the first {MOST_FILES} are shown" if more > 0 else text


def _left_alone(names: tuple[str, ...]) -> str:
    number = f"{len(names)}" if len(names) < MOST_NAMED else f"{MOST_NAMED} or more"
    shown = [*map(escape, names[:_MOST_LEFT_ALONE]), *(["…"] if len(names) > _MOST_LEFT_ALONE else [])]
    return f"{number}: {', '.join(shown)}; {_NO_FILES}"


def _failed(overview: Overview) -> str:
    if overview.failed is None:
        return "unknown"
    shown = len(overview.failures)
    return f"{overview.failed}; the newest {shown} are shown" if 0 < shown < overview.failed else f"{overview.failed}"


def _last(overview: Overview, now: float) -> str:
    last = overview.last_delivery
    if last is None:
        return "none is known"
    order = f" (order {escape(last.order_id)})" if last.order_id else ""
    return f"{escape(last.name)}{order}, at {_at(last.at, now)}, {span(now - seconds(last.at))} ago"


def _of_waiter(waiter: Waiter, now: float) -> _Row:
    text = waiter.text
    if waiter.state == "deferred" and waiter.next_try:
        text += f", in {span(seconds(waiter.next_try) - now)}"
    if waiter.problem and waiter.state != "paused":  # whose reason is told above
        text += f"; attempt {waiter.attempts} came to: {waiter.problem.message}"
    when = span(now - seconds(waiter.since))
    return _Row(escape(waiter.name), escape(waiter.order_id or ""), when, escape(text))


def _of_failure(failure: Failure, now: float) -> _Row:
    code = f" (code {failure.code})" if failure.code is not None else ""
    text = f"{failure.message or 'it has no receipt that says why'}{code}"
    text += f". {failure.hint}" if failure.hint else ""
    return _Row(escape(failure.name), escape(failure.order_id or ""), _at(failure.at, now), escape(text))


def _at(time_of_record: str, now: float) -> str:
    return moment(seconds(time_of_record), now)
