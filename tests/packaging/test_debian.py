"""The Debian package's own files agree with the program, and with the promises about folders and invoices.

That it can be built, installed, upgraded and removed is proved on a machine of its own, by the system tests.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from invoice_watcher import __version__
from invoice_watcher.config import Config, load

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "packaging" / "debian"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {
    "/srv/invoices": "3770",
    "/srv/invoices/done": "2750",
    "/srv/invoices/failed": "2770",
    "/srv/invoices/.processing": "0700",
}


def lines(name: str) -> list[list[str]]:
    """Return the words of each line of a file, but for comments."""
    text = (DEBIAN / name).read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def dependencies() -> set[str]:
    """Return what the installed program can make use of."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["systemd"], *extras["sandbox"], *extras["metrics"], *extras["notify"]]
    return {re.split("[<>=]", one)[0] for one in asked}


def test_the_version_is_the_programs() -> None:
    """The package, the change log and `--version` speak of the same version."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.match(rf"# Changes\n\n## {re.escape(__version__)}\b", changes)
    assert (DEBIAN / "changelog").read_text(encoding="utf-8").startswith(f"invoice-watcher ({__version__}) ")


def test_each_dependency_has_its_package() -> None:
    """Whoever adds a dependency hears of it here, and not when the service does not start."""
    packages = {words[0]: words[1].rstrip(";") for words in lines("py3dist-overrides")}
    assert packages.keys() == dependencies()
    control = (DEBIAN / "control").read_text(encoding="utf-8")
    asked = re.findall(r"^ ([a-z0-9-]+)[ ,(]", control.partition("Standards-Version")[0], re.MULTILINE)
    assert set(packages.values()) - set(asked) == set()


def test_the_build_asks_for_the_same_setuptools() -> None:
    """A build with tools that are too old is refused before it begins."""
    (bound,) = (one.removeprefix("setuptools>=") for one in PROJECT["build-system"]["requires"])
    assert f"python3-setuptools (>= {bound})" in (DEBIAN / "control").read_text(encoding="utf-8")


def test_the_configuration_is_the_default() -> None:
    """Who changes nothing gets every default, also those of the next version."""
    assert load(DEBIAN / "config.yaml") == Config(drop_dir=Path("/srv/invoices"))


def test_the_folders_are_safe() -> None:
    """Clerks may drop but not take away another's file; done/ cannot be altered; nobody sees what is being sent."""
    found = {path: (kind, mode, user, group) for kind, path, mode, user, group in lines("invoice-watcher.tmpfiles")}
    assert found == {path: ("d", f":{mode}", ":invoice-watcher", ":invoices") for path, mode in FOLDERS.items()}


def test_users_and_groups_are_those_of_the_service() -> None:
    """The package makes the user and the group that the unit asks for, and the folders belong to."""
    made = {(words[0], words[1]) for words in lines("invoice-watcher.sysusers")}
    assert made == {("g", "invoices"), ("u", "invoice-watcher"), ("m", "invoice-watcher")}


def test_nothing_removes_a_tree_of_files() -> None:
    """Whatever happens to the package, no invoice goes with it: only the runtime folder is removed as a whole."""
    script = (DEBIAN / "invoice-watcher.postrm").read_text(encoding="utf-8")
    assert re.findall(r"rm -r\S* .*", script) == ["rm -rf /run/invoice-watcher"]
    assert [line.strip() for line in script.splitlines() if "/srv" in line and "rmdir" not in line] == [
        'if [ -d /srv/invoices ] && [ -z "$(find /srv/invoices ! -type d -print -quit)" ]; then',
        "for folder in /srv/invoices/.processing /srv/invoices/done /srv/invoices/failed /srv/invoices; do",
    ]


@pytest.mark.parametrize(
    "path", [*sorted(DEBIAN.glob("*.p[or]*")), ROOT / "packaging" / "make-deb"], ids=lambda p: p.name
)
def test_the_scripts_are_shell(path: Path) -> None:
    """No script breaks an installation by a slip of syntax."""
    told = subprocess.run(["sh", "-n", path], capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (0, "")
