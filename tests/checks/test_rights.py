"""What the kernel lets the program do."""

from __future__ import annotations

import os

import pytest

from invoice_watcher.checks.rights import CAP_FOWNER, CAP_LEASE, has_bit, holds
from tests.support.children import in_child


@pytest.mark.parametrize(("mask", "leases"), [
    ("0000000010000000", True),
    ("000001ffffffffff", True),
    ("000001ffefffffff", False),
    ("0000000000000000", False),
    ("nonsense", False),
])  # fmt: skip
def test_a_capability_is_read_from_what_is_in_effect(mask: str, leases: bool) -> None:  # noqa: FBT001 - parametrized
    """Not from what could be had, or was inherited."""
    status = f"Name:\tpython\nCapInh:\tffffffffffffffff\nCapPrm:\tffffffffffffffff\nCapEff:\t{mask}\n"
    assert has_bit(status, CAP_LEASE) is leases


def test_a_kernel_that_tells_nothing_grants_nothing() -> None:
    """A container without /proc: better a note too many."""
    assert not has_bit("", CAP_LEASE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
def test_whoever_is_not_root_has_none() -> None:
    """The kernel takes them when the user changes (capabilities(7))."""
    assert holds(CAP_FOWNER)
    assert not in_child(lambda: holds(CAP_FOWNER), uid=61001)
