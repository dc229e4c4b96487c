"""The project's own tests, on the installed package, with Debian's versions of Python and of all that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.program import ROOT
from tests.system.base import TESTING

if TYPE_CHECKING:
    from tests.system.machine import Machine

# Those of single modules; what starts the program itself, and takes minutes, runs on this side (`make test`).
WANTED = ("config", "content", "sandbox", "spool", "test_[!a]*.py", "test_a[!r]*.py")


def test_with_debians_versions(machine: Machine) -> None:
    """Every test of a module passes on the machine on which it is installed, as root and with what Debian ships."""
    machine.run("apt-get", "install", "--yes", "--no-install-recommends", *TESTING)
    for name in ("tests", "config.example.yaml", "pyproject.toml"):
        machine.copy_in(ROOT / name, f"/root/{name}")
    # That profile has no limits of time: this machine may have others beside it.
    options = "-q -p no:cacheprovider --hypothesis-profile=ci"
    script = f"cd /root && exec python3 -P -m pytest {options} tests/{' tests/'.join(WANTED)}"
    done = machine.attempt("sh", "-c", script, timeout=800)
    assert done.status == 0, done.out[-8000:] + done.err
