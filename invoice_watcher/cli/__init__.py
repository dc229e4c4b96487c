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
from typing import NoReturn

import click

from invoice_watcher import __version__, logs, privacy, streams
from invoice_watcher.cli.asking import explain, status
from invoice_watcher.cli.checking import check
from invoice_watcher.cli.filed import report, retry
from invoice_watcher.cli.options import DEFAULT_CONFIG, tell_unprinted
from invoice_watcher.cli.running import demo, run, sandbox, upload
from invoice_watcher.errors import ConfigError, ExitStatus, InvoiceWatcherError
from invoice_watcher.escaping import escape

__all__ = ["DEFAULT_CONFIG", "cli", "main"]


def main() -> NoReturn:
    """Run the command line, and exit with its status."""
    streams.protect()
    privacy.protect()
    status = _status()
    if tell_unprinted():
        status = status or ExitStatus.REJECTED
    logs.shutdown()
    sys.exit(status)


def _status() -> int:
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # no-color.org; None: where somebody looks
        return int(cli(standalone_mode=False, prog_name="invoice-watcher", color=colour) or 0)
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="invoice-watcher")
def cli() -> None:
    """Upload the invoices dropped into a folder to the i.materialise Invoice API.

    Exit status: 0 all well; 1 an invoice was rejected, or what was asked for could not be printed; 2 wrong usage;
    75 some are left waiting (the API is away, or another instance runs); 78 the configuration or the folders are wrong.
    """


for command in (run, check, status, explain, upload, sandbox, demo, report, retry):
    cli.add_command(command)
