"""The names of users and groups."""

from __future__ import annotations

from invoice_watcher.accounts import group_name, user_name


def test_an_account_without_a_name_is_a_number() -> None:
    """As in a container that runs with a bare number."""
    assert (user_name(0), user_name(61999)) == ("root", "61999")
    assert (group_name(0), group_name(61999)) == ("root", "61999")
