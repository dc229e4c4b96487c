"""The commands: options in, sentences and exit statuses out.

Guarantees: bad input of any kind gets a sentence that says what to do, and the documented exit status, never a
traceback; what is printed is escaped, and no secret is in it. What cannot be printed changes nothing about what is
done, nor about the status of a command that deals with invoices; one that only tells ends with 1. The work itself is
done in the rooms below.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from invoice_watcher import __version__, logs, privacy, signals, streams
from invoice_watcher.checks import Grade, check_all
from invoice_watcher.config import find_api_code, load, schema_text
from invoice_watcher.config.units import duration
from invoice_watcher.errors import ConfigError, ExitStatus, InvoiceWatcherError
from invoice_watcher.escaping import escape
from invoice_watcher.outcome import Deferred, Delivered, Outcome, Rejected
from invoice_watcher.progress import progress
from invoice_watcher.sandbox import explain
from invoice_watcher.sandbox import serve as serve_sandbox
from invoice_watcher.sending import Stop, send_files
from invoice_watcher.serve import Settings, deliver_once, prepare, serve

if TYPE_CHECKING:
    from invoice_watcher.checks import Finding

DEFAULT_CONFIG = "/etc/invoice-watcher/config.yaml"

_config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(readable=False, path_type=Path),  # whether it can be read is told when it is read
    envvar="INVOICE_WATCHER_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration; also $INVOICE_WATCHER_CONFIG.",
)


class _Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A duration on the command line, written as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def main() -> NoReturn:
    """Run the command line, and exit with its status."""
    streams.protect()
    privacy.protect()
    status = _status()
    if _tell_unprinted():
        status = status or ExitStatus.REJECTED
    logs.shutdown()
    sys.exit(status)


def _status() -> int:
    try:
        return int(cli(standalone_mode=False, prog_name="invoice-watcher") or 0)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # Ctrl-C
        return 128 + signal.SIGINT
    except InvoiceWatcherError as error:
        for line in error.faults if isinstance(error, ConfigError) else [error]:
            click.echo(f"invoice-watcher: {escape(str(line))}", err=True)
        return error.exit_status


def _tell_unprinted() -> bool:
    """Say, once, that something could not be printed; returns whether it was so."""
    reason = streams.unprinted()
    if reason:
        click.echo(f"invoice-watcher: cannot write to the standard output: {reason}", err=True)
    return bool(reason)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="invoice-watcher")
def cli() -> None:
    """Upload the invoices dropped into a folder to the i.materialise Invoice API.

    Exit status: 0 all well; 1 an invoice was rejected, or what was asked for could not be printed; 2 wrong usage;
    75 some are left waiting (the API is away, or another instance runs); 78 the configuration or the folders are wrong.
    """


@cli.command()
@_config_option
@click.option("--once", is_flag=True, help="Deliver what lies there now, then exit.")
def run(config_path: Path, *, once: bool) -> int:
    """Watch the drop folder, and deliver whatever is dropped, for ever."""
    mailbox = prepare()
    if not once:
        serve(lambda: _settings(config_path), mailbox)
        return ExitStatus.OK
    settings = _settings(config_path)
    with progress() as on_report:
        tally = deliver_once(settings, mailbox, on_report)
    click.echo(f"{tally.delivered} delivered, {tally.rejected} rejected, {tally.waiting} waiting", err=True)
    return tally.exit_status


@cli.command()
@_config_option
@click.option("--schema", "print_schema", is_flag=True, help="Print the JSON Schema of the configuration instead.")
def check(config_path: Path, *, print_schema: bool) -> int:
    """Say what is wrong with the configuration and the folders, each with its fix."""
    if print_schema:
        click.echo(schema_text(), nl=False)
        return ExitStatus.OK
    config = load(config_path)
    findings = list(check_all(config, config_path))
    for finding in findings:
        _show(finding)
    find_api_code(config, os.environ)
    _show_ok("API code: found")
    wrong = any(finding.grade is Grade.FAULT for finding in findings)
    return ExitStatus.CONFIG if wrong else ExitStatus.OK


@cli.command()
@_config_option
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def upload(config_path: Path, files: tuple[Path, ...]) -> int:
    """Send FILES now, without the folders; they stay where they are."""
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
    _tell_unprinted()  # and leave the status to what became of the invoices
    if any(isinstance(outcome, Rejected) for outcome in outcomes):
        return ExitStatus.REJECTED
    unsent = len(outcomes) < len(files) or any(isinstance(outcome, Deferred) for outcome in outcomes)
    return ExitStatus.WAITING if unsent else ExitStatus.OK


def _stop_on_signal() -> Stop:
    stop = Stop()

    def heard(_: signal.Signals) -> None:
        stop.ask()
        if not stop.insisted.is_set():
            wait = f"waiting up to {signals.GRACE:.0f} s for the answer; again (Ctrl-C) to break off"
            click.echo(f"stopping: {wait}", err=True)

    signals.block(signals.STOPS)
    signals.listen(signals.STOPS, heard)
    return stop


@cli.command(epilog="\b\n" + explain())
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8025, show_default=True, help="0 takes a free one.")
@click.option("--api-code", metavar="GUID", help="The only API code to accept; without it, every GUID is.")
@click.option("--latency", type=_Seconds(), default="0", help="Wait so long before every answer: 500ms, 2s.")
@click.option("--fail", type=click.IntRange(400, 599), metavar="STATUS", help="Answer every upload with this status.")
@click.option("--fail-for", type=_Seconds(), help="Fail only for so long, then answer as usual.")
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


@cli.command()
def demo() -> int:
    """Show the whole thing on a temporary folder and the local sandbox, in under 30 s."""
    from invoice_watcher.demo import show  # noqa: PLC0415 - only this command pays for rich's live display

    return show()


def _settings(path: Path) -> Settings:
    """Read the configuration and find the API code; logging follows the configuration from here on.

    Both are looked at before either is complained of, so that all faults are told at once.
    """
    config = load(path)
    api_code = find_api_code(config, os.environ)
    logs.setup(config.log.level, config.log.format, [api_code.reveal()])
    return Settings(config, api_code)


def _show(finding: Finding) -> None:
    colours = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.FAULT: "red"}
    click.echo(click.style(f"{finding.grade.value:6}", fg=colours[finding.grade]) + escape(finding.text))


def _show_ok(text: str) -> None:
    click.echo(click.style(f"{Grade.OK.value:6}", fg="green") + text)


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Delivered):
        return "delivered"
    code = f" (code {outcome.problem.code})" if outcome.problem.code is not None else ""
    if isinstance(outcome, Rejected):
        return escape(f"rejected{code}: {outcome.problem.message}. {outcome.problem.hint}")
    doubt = "; it may have arrived" if outcome.in_doubt else ""
    return escape(f"not sent{code}: {outcome.problem.message}{doubt}. Try again later.")  # nobody else will
