"""The commands that tell how things stand, and why a file still waits: status, explain.

Guarantees: as those of the package; nothing is changed, no API code is needed, and a disk that hangs is told as such.
"""

from __future__ import annotations

import os
import threading
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

from invoice_watcher.cli.options import DEFAULT_CONFIG, config_option
from invoice_watcher.cli.status_shown import show
from invoice_watcher.config import load
from invoice_watcher.errors import FolderUnavailableError, InvoiceWatcherError
from invoice_watcher.escaping import escape
from invoice_watcher.inquiry import encode, overview
from invoice_watcher.inquiry import explain as explanations
from invoice_watcher.naming import HARMLESS, naming_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")

MOST_OFFERED = 100
_PATIENCE = 20.0  # seconds; a million files are counted in about five
_MOST_READ = 20_000  # names; nobody waits for a completion


_RECORD = """With --json: version (of this record), program (its version), state (flowing, paused, folders_away,
hanging, silent, stopped), running, paused, pause (reason, message, hint, cure, fault, since, next_try), pid, drop_dir,
started_at, as_of, trouble (a list of sentences), advice, waiting, oldest, files (at most 100: name, order_id, folder,
size, since, state, text, behind, attempts, next_try, problem), left_alone (names of at most 100 folders, links and the
like, for only files are taken), failed, failures (the newest 10: name, order_id, at, code, reason, message, hint),
delivered and rejected (both since started_at), last_delivery (at, order_id, name). Times are RFC 3339 in UTC; null
stands for what cannot be known or does not apply. Keys may be added, and stay as they are."""


def _in_time(look: Callable[[], Found]) -> Found:
    """Return what a look at the folders gives; a disk or a server that hangs would hold it up for ever."""
    found: list[Found] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(look())
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    for error in failed:
        raise error
    if not found:
        why = "a disk or a server hangs, or is very slow; look at the system's log"
        text = f"the folders gave no answer within {_PATIENCE:.0f} s: {why}"
        raise FolderUnavailableError(text)
    return found[0]


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
            if name.startswith(begin) and HARMLESS.fullmatch(name) and not naming.is_ignored(name) and entry.is_file():
                yield name


@click.command(epilog=_RECORD)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs; times are UTC.")
def status(config_path: Path, *, as_json: bool) -> int:
    """Say whether the service runs, whether it is paused and why, what waits, what failed, what was delivered last.

    Exit status: 0 what is dropped is taken; 75 it is not: the service does not run, is paused, hangs, waits for its
    folders, or may not be asked by this user; 78 the configuration or the folders are wrong. So
    `invoice-watcher status || alert` watches over it. Failed invoices do not count: they are for the clerks to mend.
    """
    config = load(config_path)
    found = _in_time(lambda: overview(config, config_path))
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
    config, status = load(config_path), 0
    for what, sentences, one in _in_time(lambda: list(explanations(config, config_path, file))):
        click.secho(escape(what), bold=True)
        for sentence in sentences:
            click.echo(f"  {escape(sentence)}")
        status = max(status, one)
    return status
