"""The project's own tests, on the installed package, with Debian's versions of Python and of all that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.program import ROOT
from tests.system.base import TESTING

if TYPE_CHECKING:
    from tests.system.machine import Machine

# Not of single modules: what has tools of its own, or starts the program, for minutes; and what is about a checkout.
OTHERS = {
    *("benchmarks", "browser", "container", "costs", "faults", "integration", "packaging", "release", "samba"),
    *("samples", "support", "system"),
}
CHECKOUT = {"test_architecture.py", "test_documents.py"}


def _wanted() -> list[str]:
    """Return the folders and files of the tests of single modules, one folder that is added tomorrow too."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    files = {path.name for path in (ROOT / "tests").glob("test_*.py")}
    return [f"tests/{name}" for name in sorted((folders | files) - OTHERS - CHECKOUT)]


def test_with_debians_versions(machine: Machine) -> None:
    """Every test of a module passes on the machine on which it is installed, as root and with what Debian ships."""
    machine.run("apt-get", "install", "--yes", "--no-install-recommends", *TESTING)
    for name in ("tests", "config.example.yaml", "pyproject.toml"):
        machine.copy_in(ROOT / name, f"/root/{name}")
    # That profile has no limits of time: this machine may have others beside it.
    options = "-q -p no:cacheprovider --hypothesis-profile=ci"
    script = f"cd /root && exec python3 -P -m pytest {options} {' '.join(_wanted())}"
    done = machine.attempt("sh", "-c", script, timeout=800)
    assert done.status == 0, done.out[-8000:] + done.err
