"""The same stand-in, place and program as in `tests/integration`; and the counts of the sweeps, told at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.conftest import api, daemon, place, start

if TYPE_CHECKING:
    import pytest

__all__ = ["api", "daemon", "place", "start"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests recorded, so that a sweep that swept nothing is seen."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            terminalreporter.write_line(f"{name}: {value}")
