"""Completion in the shell: what the package installs is the program's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from invoice_watcher.cli import cli

RULES = Path(__file__).parents[2] / "packaging" / "debian" / "rules"
# The program by its name, as a shell finds it.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
VARIABLE = "_INVOICE_WATCHER_COMPLETE"


def completion(shell: str) -> str:
    """Return the script with which a shell learns to complete, as the build makes it."""
    made = subprocess.run(
        ["invoice-watcher"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": PATH, VARIABLE: f"{shell}_source"},
    )
    return made.stdout


def completed(words: str) -> list[str]:
    """Return what bash offers after `words`, with the completion of the package."""
    ask = f"COMP_WORDS=({words} ''); COMP_CWORD={len(words.split())}; _invoice_watcher_completion invoice-watcher"
    script = f'{completion("bash")}\n{ask}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    told = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True, env={"PATH": PATH}
    )
    return told.stdout.split()


@pytest.mark.skipif(not shutil.which("invoice-watcher", path=PATH), reason="the program is not installed by its name")
def test_bash_offers_the_commands() -> None:
    """Whoever types `invoice-watcher` and the tabulator sees every command."""
    assert sorted(completed("invoice-watcher")) == sorted(cli.commands)


@pytest.mark.skipif(not shutil.which("invoice-watcher", path=PATH), reason="the program is not installed by its name")
@pytest.mark.parametrize(("shell", "mark"), [("zsh", "#compdef invoice-watcher"), ("fish", "complete ")])
def test_the_other_shells_have_theirs(shell: str, mark: str) -> None:
    """In zsh and fish, too, the tabulator offers the commands."""
    assert mark in completion(shell)


def test_the_package_is_built_with_them() -> None:
    """The build asks the program by the name of the variable that the program listens to."""
    told = RULES.read_text(encoding="utf-8")
    assert [f"{VARIABLE}={shell}_source" in told for shell in ("bash", "zsh", "fish")] == [True, True, True]
