"""The commands that tell how things stand, and why a file still waits: status, explain.

Guarantees: as those of the package; nothing is changed, and no API code is needed.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from invoice_watcher.backlog import naming_of
from invoice_watcher.cli.options import DEFAULT_CONFIG, config_option
from invoice_watcher.cli.status_shown import show
from invoice_watcher.config import load
from invoice_watcher.errors import InvoiceWatcherError
from invoice_watcher.escaping import escape
from invoice_watcher.explanation import explain as explanations
from invoice_watcher.overview import encode, overview

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OFFERED = 100
_MOST_READ = 20_000  # names; nobody waits for a completion
# What a shell puts on the command line as it is: names with anything else in them could be commands.
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+@%-]*")


class DroppedFile(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A file of the drop folder, or any other; the shell offers those."""

    name = "file"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Offer the first files of the drop folder that begin so; any file of this machine where there are none."""
        path = Path(ctx.params.get("config_path") or os.environ.get("INVOICE_WATCHER_CONFIG") or DEFAULT_CONFIG)
        try:
            names = sorted(islice(_waiting(path, incomplete), MOST_OFFERED))
        except (InvoiceWatcherError, OSError):
            names = []
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def _waiting(config_path: Path, begin: str) -> Iterator[str]:
    config = load(config_path)
    naming = naming_of(config)
    with os.scandir(config.drop_dir) as entries:
        for entry in islice(entries, _MOST_READ):
            name = entry.name
            if name.startswith(begin) and _HARMLESS.fullmatch(name) and not naming.is_ignored(name) and entry.is_file():
                yield name


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs; times are UTC.")
def status(config_path: Path, *, as_json: bool) -> int:
    """Say whether the service runs, whether it is paused and why, what waits, what failed, what was delivered last.

    Exit status: 0 what is dropped is taken; 75 it is not: the service does not run, is paused, hangs, waits for its
    folders, or may not be asked by this user; 78 the configuration or the folders are wrong. So
    `invoice-watcher status || alert` watches over it. Failed invoices do not count: they are for the clerks to mend.
    """
    found = overview(load(config_path), config_path)
    if as_json:
        click.echo(encode(found))
    else:
        show(found)
    return found.exit_status


@click.command()
@config_option
@click.argument("file", type=DroppedFile())
def explain(config_path: Path, file: str) -> int:
    """Say why FILE has not been uploaded yet, or what became of it.

    FILE is a path, or the name of a file wherever it lies, in the drop folder, claimed, delivered or failed; or the id
    of an order, for all its files. As root it is also seen which program has a file open.

    Exit status: 0 it could be explained; 1 there is no such file; 75 the running service does not answer, and only what
    can be seen from outside is told.
    """
    if not file:
        raise click.UsageError("FILE is empty; name a file or an order")
    status = 0
    for what, sentences, one in explanations(load(config_path), config_path, file):
        click.secho(escape(what), bold=True)
        for sentence in sentences:
            click.echo(f"  {escape(sentence)}")
        status = max(status, one)
    return status
