"""The commands that deal with what is filed: report, retry.

Guarantees: as those of the package. `report` only looks; `retry` moves, so its status is about the invoices, whether or
not they could be printed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from invoice_watcher import requeuing
from invoice_watcher.cli.options import config_option, tell_unprinted
from invoice_watcher.config import load
from invoice_watcher.control import ask
from invoice_watcher.errors import ControlError, ExitStatus, InvoiceWatcherError
from invoice_watcher.escaping import escape
from invoice_watcher.progress import watched
from invoice_watcher.report import as_csv, as_json, as_table, as_text, ledger, lines_of, total_lines
from invoice_watcher.spool.shelves import MONTH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoice_watcher.config import Config
    from invoice_watcher.report import Ledger
    from invoice_watcher.requeuing import Found

_COLOURS = {"": None, "delivered": "green", "failed": "red", "taken_away": "yellow"}


class _Month(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A month on the command line, as it stands in the receipts."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if MONTH.fullmatch(str(value)) is None:
            self.fail(f"{escape(str(value))} is no month; write it as 2026-11", param, ctx)
        return str(value)


@click.command()
@config_option
@click.option("--month", type=_Month(), metavar="YYYY-MM", help="Only what was decided in that month (UTC).")
@click.option("--csv", "wants_csv", is_flag=True, help="Print it for a spreadsheet; the totals go to standard error.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON document.")
def report(config_path: Path, *, month: str | None, wants_csv: bool, wants_json: bool) -> int:
    """List what was delivered and what failed, from the receipts, and what it comes to.

    Exit status 1 when a receipt cannot be read, or does not fit its document; all others are listed.
    """
    if wants_csv and wants_json:
        raise click.UsageError("choose one of --csv and --json")
    config = load(config_path)
    with ledger(month) as book:
        book.fill(watched(lines_of(config), "reading the receipts"))
        if wants_csv or wants_json:
            lines = book.lines() if sys.stdout.isatty() else watched(book.lines(), "writing", book.count)
            _print_bytes(as_csv(lines) if wants_csv else as_json(book, lines))
        else:
            _print_lines(book)
        if not wants_json:
            for line in total_lines(book):
                click.echo(line, err=wants_csv)
        return _tell_wrong(book)


def _print_bytes(pieces: Iterable[str]) -> None:
    """Print in UTF-8, whatever the terminal's encoding: a file has none."""
    for piece in pieces:
        sys.stdout.buffer.write(piece.encode())
    sys.stdout.buffer.flush()


def _print_lines(book: Ledger) -> None:
    if not sys.stdout.isatty():
        for line in watched(as_text(book.lines()), "writing", book.count):
            click.echo(line)
        return
    for line, state in as_table(book.lines(), book.widths()):
        click.echo(click.style(line, fg=_COLOURS[state], bold=not state))


def _tell_wrong(book: Ledger) -> ExitStatus:
    status = ExitStatus.OK
    for file, remark in book.wrong():
        click.echo(f"invoice-watcher: {escape(file)}: {escape(remark)}", err=True)
        status = ExitStatus.FAILED
    return status


def _failed_orders(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Offer the orders with failed invoices to the shell, where that can be known; else nothing, in silence."""
    with suppress(InvoiceWatcherError, OSError):
        config = load(Path(ctx.params["config_path"]))
        return requeuing.offered(config.failed_dir, incomplete)
    return []


@click.command()
@config_option
@click.argument("order_ids", nargs=-1, metavar="[ORDER_ID]...", shell_complete=_failed_orders)
@click.option("--all", "everything", is_flag=True, help="Put back all that failed.")
@click.option("--code", type=int, metavar="N", help="Put back what failed with this error code.")
def retry(config_path: Path, order_ids: tuple[str, ...], *, everything: bool, code: int | None) -> int:
    """Put the failed invoices of these orders back into the drop folder, to be sent again.

    The service does so as with any file that is dropped there. Exit status 1 when there is none of an order, or one
    could not be put back.
    """
    if sum((bool(order_ids), everything, code is not None)) != 1:
        raise click.UsageError("name the orders, or give either --all or --code")
    config = load(config_path)
    choice = requeuing.Choice(orders=frozenset(order_ids), code=code)
    with requeuing.search(config, choice) as found:
        left = _put_back(found, bar=everything)
        for order_id in found.missing:
            click.echo(f"invoice-watcher: {escape(order_id)}: no failed invoice of this order", err=True)
        if not found.count and not order_ids:
            click.echo("nothing has failed" + ("" if everything else " with this code"), err=True)
        if left < found.count:
            _tell_if_nobody_works(config)
    tell_unprinted()  # and leave the status to what became of the invoices
    return ExitStatus.FAILED if left or found.missing else ExitStatus.OK


def _tell_if_nobody_works(config: Config) -> None:
    with suppress(ControlError):  # then somebody does, or this user may not know
        if ask(config.drop_dir) is None:
            click.echo("the service does not run; they wait in the drop folder until it does", err=True)


def _put_back(found: Found, *, bar: bool) -> int:
    """Put them back, and print what became of each; returns how many were left."""
    results = found.put_back()
    left = 0
    for one in watched(results, "putting back", found.count) if bar else results:
        became = "put back" if one.fault is None else f"left in the failed folder: {one.fault}"
        click.echo(escape(f"{one.name}: {became}"))
        left += one.fault is not None
    return left
