"""How fast a command answers: it imports what it needs, and nothing that only another needs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.cli import cli
from tests.integration.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.place import Place

# The libraries that take longest; each belongs to what delivers, or to what is drawn on a terminal.
SLOW = {"requests", "urllib3", "watchdog", "rich", "invoice_watcher.daemon", "invoice_watcher.uploader"}
_TAB = {"COMP_WORDS": "invoice-watcher ", "COMP_CWORD": "1", "_INVOICE_WATCHER_COMPLETE": "bash_complete"}


def imported(place: Place, *arguments: str, env: Mapping[str, str] | None = None) -> set[str]:
    """Run a command in a pipe, and return what it imported."""
    code = "from invoice_watcher.cli import main; import sys; sys.argv[0] = 'invoice-watcher'; main()"
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *arguments],
        cwd=ROOT,
        env={"INVOICE_WATCHER_CONFIG": str(place.config), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout, ran.stderr
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}


@pytest.mark.parametrize("command", ["status", "report"])
def test_whoever_only_looks_does_not_wait_for_what_delivers(place: Place, command: str) -> None:
    """A command that only tells answers at once: it loads neither the upload nor the watching of folders."""
    for folder in (place.done, place.failed):
        folder.mkdir()
    found = imported(place, command)
    assert "invoice_watcher.config" in found
    assert found & SLOW == set()


def test_a_check_of_this_machine_does_not_wait_for_the_upload(place: Place) -> None:
    """Without --online nothing is loaded that speaks to the API."""
    found = imported(place, "check")
    assert "invoice_watcher.checks" in found
    assert found & {"requests", "urllib3", "invoice_watcher.uploader"} == set()


def test_the_version_is_told_without_any_command(place: Place) -> None:
    """`--version` needs neither a command nor the configuration."""
    found = imported(place, "--version")
    assert "click" in found
    assert found & {*SLOW, "invoice_watcher.config", "invoice_watcher.inquiry"} == set()


@pytest.mark.parametrize(("arguments", "env"), [(["--help"], {}), ([], _TAB)], ids=["help", "tabulator"])
def test_the_commands_are_listed_without_what_delivers(place: Place, arguments: list[str], env: dict[str, str]) -> None:
    """Whoever asks for the help, or presses the tabulator, sees the commands at once."""
    found = imported(place, *arguments, env=env)
    assert "invoice_watcher.cli.running" in found
    assert found & (SLOW - {"watchdog"}) == set()  # which `check` asks what the kernel can do


def test_each_name_leads_to_its_command() -> None:
    """What is typed is what is run, and what is no command is none."""
    assert {name: command.name for name, command in cli.commands.items()} == {name: name for name in cli.commands}
    assert cli.commands.get("deliver") is None
