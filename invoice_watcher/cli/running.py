"""The commands that deliver, or stand in for what delivers: run, upload, sandbox, demo.

Guarantees: as those of the package. What cannot be printed leaves the status to what became of the invoices. What
delivers, with the libraries for it, is imported by the commands as they begin: the help, and a shell that completes,
need none of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from invoice_watcher import logs, signals
from invoice_watcher.cli.options import config_option, tell_unprinted
from invoice_watcher.config import duration, find_api_code, load
from invoice_watcher.errors import ExitStatus
from invoice_watcher.escaping import escape
from invoice_watcher.outcome import Deferred, Delivered, Outcome, Rejected
from invoice_watcher.progress import progress
from invoice_watcher.sandbox import explain
from invoice_watcher.sandbox import serve as serve_sandbox

if TYPE_CHECKING:
    import signal

    from invoice_watcher.sending import Stop
    from invoice_watcher.serve import Settings


class Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A duration on the command line, written as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a usage error says what is wrong with it."""
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
    found = _settings(config_path)
    with progress() as audience:
        tally = deliver_once(found, mailbox, audience)
    click.echo(f"{tally.delivered} delivered, {tally.rejected} rejected, {tally.waiting} waiting", err=True)
    return tally.exit_status


@click.command()
@config_option
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def upload(config_path: Path, files: tuple[Path, ...]) -> int:
    """Send FILES now, without the folders; they stay where they are."""
    from invoice_watcher.sending import send_files  # noqa: PLC0415 - see above

    for path in files:
        if not path.is_file():  # opening a FIFO would wait for its writer
            raise click.UsageError(escape(f"{path} is no regular file"))
    stop = _stop_on_signal()
    config, api_code = _settings(config_path)
    outcomes: list[Outcome] = []
    try:
        for path, outcome in send_files(files, config, api_code, stop):
            click.echo(f"{escape(str(path))}: {_told(outcome)}")
            outcomes.append(outcome)
    except OSError as error:
        path = files[len(outcomes)]  # a read that fails does not name the file
        raise click.UsageError(escape(f"cannot read {path}: {error.strerror or error}")) from error
    for path in files[len(outcomes) :]:
        click.echo(f"{escape(str(path))}: not sent: the program was stopped before")
    tell_unprinted()  # and leave the status to what became of the invoices
    if any(isinstance(outcome, Rejected) for outcome in outcomes):
        return ExitStatus.REJECTED
    unsent = len(outcomes) < len(files) or any(isinstance(outcome, Deferred) for outcome in outcomes)
    return ExitStatus.WAITING if unsent else ExitStatus.OK


def _settings(path: Path) -> Settings:
    """Read the configuration and find the API code; logging follows the configuration from here on.

    Both are looked at before either is complained of, so that all faults are told at once.
    """
    from invoice_watcher.serve import Settings  # noqa: PLC0415 - see above

    config = load(path)
    api_code = find_api_code(config, os.environ)
    logs.setup(config.log.level, config.log.format, [api_code.reveal(), *config.notify.urls])
    return Settings(config, api_code)


def _stop_on_signal() -> Stop:
    from invoice_watcher.sending import Stop  # noqa: PLC0415 - see above

    stop = Stop()

    def heard(_: signal.Signals) -> None:
        stop.ask()
        if not stop.insisted.is_set():
            wait = f"waiting up to {signals.GRACE:.0f} s for the answer; again (Ctrl-C) to break off"
            click.echo(f"stopping: {wait}", err=True)

    signals.listen(signals.STOPS, heard)
    return stop


@click.command(epilog="\b\n" + explain())
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8025, show_default=True, help="0 takes a free one.")
@click.option("--api-code", metavar="GUID", help="The only API code to accept; without it, every GUID is.")
@click.option("--latency", type=Seconds(), default="0", help="Wait so long before every answer: 500ms, 2s.")
@click.option("--fail", type=click.IntRange(400, 599), metavar="STATUS", help="Answer every upload with this status.")
@click.option("--fail-for", type=Seconds(), help="Fail only for so long, then answer as usual.")
def sandbox(  # noqa: PLR0913 - one for each option
    *, host: str, port: int, api_code: str | None, latency: float, fail: int | None, fail_for: float | None
) -> int:
    """Serve a local stand-in for the API, to try things out without an API code.

    What an order is answered depends on its id alone:
    """
    try:
        serve_sandbox(
            host=host,
            port=port,
            api_code=api_code,
            latency=latency,
            fail=fail,
            fail_for=fail_for,
            on_ready=lambda base_url: click.echo(f"api.base_url: {base_url}"),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return ExitStatus.OK


@click.command()
def demo() -> int:
    """Show the whole thing on a temporary folder and the local sandbox, in under 30 s."""
    from invoice_watcher.demo import show  # noqa: PLC0415 - only this command pays for rich's live display

    return show()


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Delivered):
        return "delivered"
    code = f" (code {outcome.problem.code})" if outcome.problem.code is not None else ""
    if isinstance(outcome, Rejected):
        return escape(f"rejected{code}: {outcome.problem.message}. {outcome.problem.hint}")
    doubt = "; it may have arrived" if outcome.in_doubt else ""
    return escape(f"not sent{code}: {outcome.problem.message}{doubt}. Try again later.")  # nobody else will
