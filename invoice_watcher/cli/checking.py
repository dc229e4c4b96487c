"""The command that looks before anything is sent: check."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from invoice_watcher.checks import Grade, check_all
from invoice_watcher.cli.options import config_option
from invoice_watcher.config import find_api_code, load, schema_text
from invoice_watcher.errors import ExitStatus
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from pathlib import Path

    from invoice_watcher.checks import Finding


@click.command()
@config_option
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


def _show(finding: Finding) -> None:
    colours = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.FAULT: "red"}
    click.echo(click.style(f"{finding.grade.value:6}", fg=colours[finding.grade]) + escape(finding.text))


def _show_ok(text: str) -> None:
    click.echo(click.style(f"{Grade.OK.value:6}", fg="green") + text)
