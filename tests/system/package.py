"""The Debian package under test: the newest that `make deb` left, and what can be known of it without installing it.

Raises CalledProcessError when it is no package.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.integration.program import ROOT

NAME = "invoice-watcher"


def newest() -> Path | None:
    """Return the package that was built last; None when there is none."""
    return max((ROOT / "dist").glob(f"{NAME}_*_all.deb"), key=lambda path: path.stat().st_mtime, default=None)


def field(package: Path, name: str) -> str:
    """Return a field of a package, empty when it has none."""
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True, text=True).stdout.strip()


def required(package: Path) -> list[str]:
    """Return the names of the packages that apt installs with it: those it depends on, and those it recommends."""
    clauses = ",".join(filter(None, (field(package, name) for name in ("Pre-Depends", "Depends", "Recommends"))))
    return sorted({found[0] for clause in clauses.split(",") if (found := re.search(r"[a-z0-9][a-z0-9+.-]+", clause))})


def with_version(package: Path, version: str, folder: Path) -> Path:
    """Write the same package with another version number into a folder; returns its path."""
    target = folder / f"{NAME}_{version}_all.deb"
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["dpkg-deb", "-R", package, unpacked], check=True)
        control = Path(unpacked, "DEBIAN", "control")
        text = control.read_text(encoding="utf-8")
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text), encoding="utf-8")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", unpacked, target], check=True, capture_output=True)
    return target
