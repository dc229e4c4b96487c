"""What the commands share: the option for the configuration, what is read with it, durations, and lost output."""

from __future__ import annotations

import os
from pathlib import Path

import click

from invoice_watcher import logs, streams
from invoice_watcher.config import find_api_code, load
from invoice_watcher.config.units import duration
from invoice_watcher.serve import Settings

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


class Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A duration on the command line, written as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a usage error says what is wrong with it."""
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def settings(path: Path) -> Settings:
    """Read the configuration and find the API code; logging follows the configuration from here on.

    Both are looked at before either is complained of, so that all faults are told at once.
    """
    config = load(path)
    api_code = find_api_code(config, os.environ)
    logs.setup(config.log.level, config.log.format, [api_code.reveal(), *config.notify.urls])
    return Settings(config, api_code)


def tell_unprinted() -> bool:
    """Say, once, that something could not be printed; returns whether it was so."""
    reason = streams.unprinted()
    if reason:
        click.echo(f"invoice-watcher: cannot write to the standard output: {reason}", err=True)
    return bool(reason)
