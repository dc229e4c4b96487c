"""The commands that deliver: run, upload.

Guarantees: as those of the package. What cannot be printed leaves the status to what became of the invoices. What
delivers, with the libraries for it, is imported by the commands as they begin: the help, and a shell that completes,
need none of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from invoice_watcher import signals
from invoice_watcher.cli.options import config_option, tell_unprinted
from invoice_watcher.config import find_api_code, load
from invoice_watcher.errors import ExitStatus
from invoice_watcher.escaping import escape
from invoice_watcher.outcome import Deferred, Delivered, Outcome, Rejected
from invoice_watcher.progress import progress

if TYPE_CHECKING:
    import signal

    from invoice_watcher.by_hand import Stop
    from invoice_watcher.serve import Settings


@click.command()
@config_option
@click.option("--once", is_flag=True, help="Deliver what lies there now, then exit.")
def run(config_path: Path, *, once: bool) -> int:
    """Watch the drop folder, and deliver whatever is dropped, for ever."""
    from invoice_watcher.serve import deliver_once, prepare, serve  # noqa: PLC0415 - see above

    mailbox = prepare()
    if not once:
        serve(lambda: _settings(config_path), mailbox)
        return ExitStatus.OK
    settings = _settings(config_path)
    settings.set_up_log()
    with progress() as audience:
        result = deliver_once(settings, mailbox, audience)
    click.echo(f"{result.delivered} delivered, {result.rejected} rejected, {result.waiting} waiting", err=True)
    return result.exit_status


@click.command()
@config_option
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def upload(config_path: Path, files: tuple[Path, ...]) -> int:
    """Send FILES now, without the folders; they stay where they are."""
    from invoice_watcher.by_hand import send_files  # noqa: PLC0415 - see above

    for path in files:
        if not path.is_file():  # opening a FIFO would wait for its writer
            raise click.UsageError(escape(f"{path} is no regular file"))
    stop = _stop_on_signal()
    settings = _settings(config_path)
    settings.set_up_log()
    outcomes: list[Outcome] = []
    try:
        for path, outcome in send_files(files, *settings, stop):
            click.echo(f"{escape(str(path))}: {_told(outcome)}")
            outcomes.append(outcome)
    except OSError as error:
        path = files[len(outcomes)]  # a read that fails does not name the file
        raise click.UsageError(escape(f"cannot read {path}: {error.strerror or error}")) from error
    for path in files[len(outcomes) :]:
        click.echo(f"{escape(str(path))}: not sent: the program was stopped before")
    tell_unprinted()  # and leave the status to what became of the invoices
    if any(isinstance(outcome, Rejected) for outcome in outcomes):
        return ExitStatus.FAILED
    unsent = len(outcomes) < len(files) or any(isinstance(outcome, Deferred) for outcome in outcomes)
    return ExitStatus.WAITING if unsent else ExitStatus.OK


def _settings(path: Path) -> Settings:
    """Read the configuration, and find the API code; raises ConfigError."""
    from invoice_watcher.serve import Settings  # noqa: PLC0415 - see above

    config = load(path)
    return Settings(config, find_api_code(config, os.environ))


def _stop_on_signal() -> Stop:
    from invoice_watcher.by_hand import Stop  # noqa: PLC0415 - see above

    stop = Stop()

    def heard(_: signal.Signals) -> None:
        stop.ask()
        if not stop.insisted.is_set():
            wait = f"waiting up to {signals.GRACE:.0f} s for the answer; again (Ctrl-C) to break off"
            click.echo(f"stopping: {wait}", err=True)

    signals.listen(signals.STOPS, heard)
    return stop


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Delivered):
        return "delivered"
    code = f" (code {outcome.problem.code})" if outcome.problem.code is not None else ""
    if isinstance(outcome, Rejected):
        return escape(f"rejected{code}: {outcome.problem.message}. {outcome.problem.hint}")
    doubt = "; it may have arrived" if outcome.in_doubt else ""
    return escape(f"not sent{code}: {outcome.problem.message}{doubt}. Try again later.")  # nobody else will
