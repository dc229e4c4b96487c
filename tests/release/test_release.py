"""A release: the same commit gives the same bytes, wherever and by whomever it is built, and all of it can be used.

It is built by `packaging/make-release`, as `make release` does, in clones of the last commit; from the network come the
packages that a user would get with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
NAME = f"invoice_watcher-{__version__}"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True).stdout


def _released(source: Path, environment: Mapping[str, str], umask: int) -> Path:
    """Build a release in a fresh clone, and return its folder."""
    source.parent.mkdir(parents=True)
    _git("clone", "-q", "--", str(ROOT), str(source))
    done = subprocess.run(
        [source / "packaging" / "make-release"],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return source / "dist"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a release."""
    if not (ROOT / ".git").exists():
        pytest.skip("a release is built from a commit, and this is no checkout")
    if os.geteuid() != 0 and not shutil.which("dpkg-buildpackage"):
        pytest.skip("needs root, or a Debian 13, to build a Debian package")
    return _released(tmp_path_factory.mktemp("first") / "here" / "source", {}, 0o022)


@pytest.mark.timeout(900)
def test_the_same_commit_gives_the_same_bytes(release: Path, tmp_path: Path) -> None:
    """Built by somebody else, elsewhere and later, each file of a release is the same."""
    again = _released(tmp_path / "somewhere else" / "copy", {"TZ": "Asia/Tokyo", "LC_ALL": "C"}, 0o077)
    checksums = (release / "SHA256SUMS").read_text(encoding="ascii")
    assert (again / "SHA256SUMS").read_text(encoding="ascii") == checksums


@pytest.mark.timeout(900)
def test_the_checksums_are_those_of_all_files(release: Path) -> None:
    """`sha256sum --check SHA256SUMS` proves the source archive, the wheel, the Debian package and the list of parts."""
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release, check=True, capture_output=True)
    names = {line.split()[1] for line in (release / "SHA256SUMS").read_text(encoding="ascii").splitlines()}
    debian = f"invoice-watcher_{__version__}_all.deb"
    assert names == {f"{NAME}.tar.gz", f"{NAME}-py3-none-any.whl", f"{NAME}.cdx.json", debian}
    assert {one.name for one in release.iterdir()} == {*names, "SHA256SUMS"}


@pytest.mark.timeout(900)
def test_the_source_archive_holds_all_that_the_repository_does(release: Path) -> None:
    """Whoever has the source archive can change, test and package the program."""
    with tarfile.open(release / f"{NAME}.tar.gz") as archive:
        held = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    assert set(_git("ls-tree", "-r", "--name-only", "-z", "HEAD").rstrip("\0").split("\0")) - held == set()


@pytest.mark.timeout(900)
def test_the_wheel_is_the_program(release: Path, tmp_path: Path) -> None:
    """What a user installs runs without the checkout, with all the files that are no modules."""
    wheel = release / f"{NAME}-py3-none-any.whl"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path], check=True)
    command = [sys.executable, "-P", "-m", "invoice_watcher", "check", "--schema"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd="/", env=environment, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == json.loads(
        (ROOT / "invoice_watcher/config.schema.json").read_text(encoding="utf-8")
    )
    asked = subprocess.run(
        [sys.executable, "-P", "-c", "import invoice_watcher; print(invoice_watcher.__file__)"],
        cwd="/",
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert asked.stdout.startswith(str(tmp_path))


@pytest.mark.timeout(900)
def test_the_list_of_parts(release: Path) -> None:
    """The list of parts (CycloneDX) names what comes with the program, each with version and licence, and no tools."""
    parts = json.loads((release / f"{NAME}.cdx.json").read_text(encoding="utf-8"))
    assert parts["metadata"]["component"]["version"] == __version__
    named = {part["name"].lower() for part in parts["components"]}
    assert {"requests", "urllib3", "watchdog", "tenacity", "pyyaml", "msgspec", "prometheus_client", "apprise"} <= named
    assert named.isdisjoint({"pip", "setuptools", "pytest", "invoice-watcher"})
    assert [part["name"] for part in parts["components"] if not (part.get("version") and part.get("licenses"))] == []
