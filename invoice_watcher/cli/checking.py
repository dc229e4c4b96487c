"""The command that looks before anything is sent: check."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from invoice_watcher.checks import Grade, check_all, check_online, exit_status, fault, try_notify
from invoice_watcher.cli.options import config_option
from invoice_watcher.config import load, schema_text
from invoice_watcher.errors import ConfigError, ExitStatus
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.checks import Finding

_COLOURS = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.FAULT: "red"}


@click.command()
@config_option
@click.option("--online", is_flag=True, help="Also look at the way to the API, and ask it; no order is changed.")
@click.option("--notify", is_flag=True, help="Also send a test message to each of notify.urls.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: grade, subject, text, cure.")
@click.option("--schema", "print_schema", is_flag=True, help="Print the JSON Schema of the configuration instead.")
def check(config_path: Path, *, online: bool, notify: bool, as_json: bool, print_schema: bool) -> int:
    """Say what is wrong with the configuration, the folders and this machine, each with its cure.

    Exit status: 78 when configuration or folders are wrong, 1 when something else is, 0 when nothing is. A note is no
    fault.
    """
    if print_schema:
        click.echo(schema_text(), nl=False)
        return ExitStatus.OK
    findings = []
    for finding in _found(config_path, online=online, notify=notify, as_json=as_json):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps([_as_object(finding) for finding in findings], indent=2))
    return exit_status(findings)


def _found(path: Path, *, online: bool, notify: bool, as_json: bool) -> Iterator[Finding]:
    """Yield each finding as soon as it is known; for programs, what is wrong with the configuration is findings too."""
    try:
        config = load(path)
    except ConfigError as error:
        if not as_json:
            raise
        yield from (fault("configuration", str(one)) for one in error.faults)
        return
    yield from check_all(config, path, os.environ)
    if online:
        yield from check_online(config, os.environ)
    if notify:
        yield from try_notify(config)


def _show(finding: Finding) -> None:
    click.echo(click.style(f"{finding.grade.value:6}", fg=_COLOURS[finding.grade]) + escape(str(finding)))


def _as_object(finding: Finding) -> dict[str, str | None]:
    return {
        "grade": finding.grade.value,
        "subject": finding.subject,
        "text": finding.text,
        "cure": finding.cure or None,
    }
