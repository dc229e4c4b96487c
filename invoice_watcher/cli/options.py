"""What the commands share: the option for the configuration, and lost output.

Every command waits for what is imported here, even `--version`.
"""

from __future__ import annotations

from pathlib import Path

import click

from invoice_watcher import streams

DEFAULT_CONFIG = "/etc/invoice-watcher/config.yaml"

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(readable=False, path_type=Path),  # whether it can be read is told when it is read
    envvar="INVOICE_WATCHER_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration; also $INVOICE_WATCHER_CONFIG.",
)


def tell_unprinted() -> bool:
    """Say, once, that something could not be printed; returns whether it was so."""
    reason = streams.unprinted()
    if reason:
        click.echo(f"invoice-watcher: cannot write to the standard output: {reason}", err=True)
    return bool(reason)
