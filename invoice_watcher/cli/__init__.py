"""The commands: options in, sentences and exit statuses out.

Guarantees: bad input of any kind gets a sentence that says what to do, and the documented exit status, never a
traceback; what is printed is escaped, and no secret is in it. What cannot be printed changes nothing about what is
done, nor about the status of a command that deals with invoices; one that only tells ends with 1. The work itself is
done in the rooms below. A command is imported when it is asked for: none waits for what only another needs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import click

from invoice_watcher import __version__, logs, privacy, signals, streams
from invoice_watcher.cli.options import DEFAULT_CONFIG, tell_unprinted
from invoice_watcher.errors import ConfigError, ExitStatus, InvoiceWatcherError
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["DEFAULT_CONFIG", "cli", "main"]


def main() -> NoReturn:
    """Run the command line, and exit with its status."""
    streams.protect()
    privacy.protect()
    status = _status()
    if tell_unprinted():
        status = status or ExitStatus.FAILED
    logs.shutdown()
    signals.end()
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


def _asking() -> ModuleType:
    from invoice_watcher.cli import asking  # noqa: PLC0415 - only where it is asked for, as all five

    return asking


def _checking() -> ModuleType:
    from invoice_watcher.cli import checking  # noqa: PLC0415

    return checking


def _filed() -> ModuleType:
    from invoice_watcher.cli import filed  # noqa: PLC0415

    return filed


def _running() -> ModuleType:
    from invoice_watcher.cli import running  # noqa: PLC0415

    return running


def _trying() -> ModuleType:
    from invoice_watcher.cli import trying  # noqa: PLC0415

    return trying


_MODULES = {
    **dict.fromkeys(("status", "explain"), _asking),
    **dict.fromkeys(("check",), _checking),
    **dict.fromkeys(("report", "retry"), _filed),
    **dict.fromkeys(("run", "upload"), _running),
    **dict.fromkeys(("sandbox", "demo"), _trying),
}


class _Commands(Mapping[str, click.Command]):
    """The commands by their names; looking one up imports it."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(_MODULES[name](), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)

    def __contains__(self, name: object) -> bool:
        return name in _MODULES  # without importing it


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=_Commands(),  # click only reads them
)
@click.version_option(__version__, prog_name="invoice-watcher")
def cli() -> None:
    """Upload the invoices dropped into a folder to the i.materialise Invoice API.

    Exit status: 0 all well; 1 an invoice was rejected, a check failed, or not all that was asked for could be done or
    printed; 2 wrong usage; 75 some are left waiting (the API is away, the queue is paused, nothing runs, or another
    instance does); 78 the configuration or the folders are wrong.
    """
