"""A finding as people read it, and what all of them together come to."""

from __future__ import annotations

import pytest

from invoice_watcher.checks import exit_status
from invoice_watcher.checks.finding import Finding, fault, note, ok


def test_the_cure_stands_behind_the_sentence() -> None:
    """Whoever reads one line knows what is wrong and what to do."""
    assert str(fault("clock", "it is 1970", "set it")) == "clock: it is 1970; set it"
    assert str(ok("clock", "agrees")) == "clock: agrees"


@pytest.mark.parametrize(("findings", "status"), [
    ([], 0),
    ([ok("folders", ""), note("leases", "")], 0),
    ([note("folders", ""), fault("clock", "")], 1),
    ([fault("API answer", ""), ok("API code", "")], 1),
    ([fault("name", ""), fault("folders", "")], 78),
    ([fault("API code", "")], 78),
    ([fault("configuration", "")], 78),
])  # fmt: skip
def test_the_status_says_who_has_to_act(findings: list[Finding], status: int) -> None:
    """78 for what the administrator laid down, 1 for anything else, and nothing for a note."""
    assert exit_status(findings) == status
