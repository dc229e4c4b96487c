"""The manual pages: complete, for they are made from the program itself, and fit to be shown."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from invoice_watcher import __version__
from invoice_watcher.cli import cli
from invoice_watcher.config.json_schema import schema
from invoice_watcher.errors import ExitStatus

ROOT = Path(__file__).parents[2]
MAN = ROOT / "packaging" / "man"
NAMES = ("invoice-watcher.1", "invoice-watcher.yaml.5")


def make_pages(script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script that makes the pages, and return how it went."""
    return subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both pages."""
    folder = tmp_path_factory.mktemp("man")
    made = make_pages(MAN / "make_pages.py", folder)
    assert (made.returncode, made.stderr) == (0, "")
    return folder


def shown(page: Path) -> str:
    """Return what a page shows, without what is only for the formatter."""
    text = re.sub(r"\\f[BIR]|\\&", "", page.read_text(encoding="utf-8"))
    return text.replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\(ha", "^").replace(r"\(rs", "\\")


def test_each_command_and_option_is_told_of(pages: Path) -> None:
    """Whoever reads the manual learns of everything that can be typed, with the words of --help."""
    text = shown(pages / NAMES[0])
    flowing = " ".join(text.split())
    for name, command in cli.commands.items():
        assert f"\n.SS {name}\n" in text
        section = text.partition(f"\n.SS {name}\n")[2].partition("\n.S")[0]
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert all(spelled in section for spelled in option.opts)
            assert option.help
            assert option.help in flowing
    assert "-h, --help" in text


def test_each_exit_status_is_told_of(pages: Path) -> None:
    """Whoever writes a script finds what each exit status means."""
    section = shown(pages / NAMES[0]).partition(".SH EXIT STATUS")[2].partition(".SH")[0]
    told = re.findall(r"^\.TP\n(\d+)\n\S", section, re.MULTILINE)
    assert [int(status) for status in told] == sorted(ExitStatus)


def test_each_key_is_told_of(pages: Path) -> None:
    """Whoever configures the program finds each key, and what holds without it."""
    text = shown(pages / NAMES[1])
    terms = dict(re.findall(r"^\.T[PQ]\n([a-z_.]+) +\((.*(?:\n[^.].*)?)\)$", text, re.MULTILINE))
    found: dict[str, dict[str, object]] = {}
    for name, described in schema()["properties"].items():  # type: ignore[attr-defined]
        inner = described.get("properties")
        found |= {f"{name}.{key}": value for key, value in inner.items()} if inner else {name: described}
    assert terms.keys() == found.keys()
    for name, described in found.items():
        if isinstance(default := described.get("default"), str):
            assert default in terms[name]


def test_the_pages_are_of_this_version(pages: Path) -> None:
    """Whoever reads a page sees for which version it speaks."""
    for name in NAMES:
        assert f'"invoice-watcher {__version__}"' in shown(pages / name)


def test_no_page_is_silent_about_a_key(tmp_path: Path) -> None:
    """Whoever adds a key and forgets to say what it is for gets no pages, but is told which key it is."""
    script = shutil.copytree(MAN, tmp_path / "packaging" / "man") / "make_pages.py"
    example = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    (tmp_path / "config.example.yaml").write_text(example.replace("  quiet: 1s\n", ""), encoding="utf-8")
    made = make_pages(script, tmp_path)
    assert made.returncode == 1
    assert made.stderr.strip() == "config.example.yaml says nothing about settle.quiet"
    assert list(tmp_path.glob("*.[15]")) == []


@pytest.mark.parametrize("name", NAMES)
def test_mandoc_finds_no_fault(pages: Path, name: str) -> None:
    """The pages follow the rules of their language, down to its style."""
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    told = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "all", pages / name], capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.stdout, told.stderr) == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_man_shows_them_without_a_warning(pages: Path, name: str) -> None:
    """Whoever types `man` sees the page, and no complaint of the formatter."""
    if not shutil.which("man") or not shutil.which("groff"):
        pytest.skip("man-db and groff are not installed")
    told = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-P", "cat", "-l", pages / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(name.rpartition(".")[0].upper())
