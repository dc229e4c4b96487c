"""How often a large folder is looked at."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.pacing import Looks, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = time.time_ns() - 60 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """Give the descriptor of a folder in which nothing has happened for a minute."""
    os.utime(tmp_path, ns=(LONG_AGO, LONG_AGO))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def is_due(looks: Looks, folder: int) -> bool:
    """Look, if it is due."""
    with looks.at(folder) as due:
        return due


def test_a_folder_is_looked_at_when_it_changed(folder: int) -> None:
    """A folder whose time did not change is not listed again."""
    looks = Looks()
    assert [is_due(looks, folder) for _ in range(3)] == [True, False, False]
    os.utime(folder, ns=(LONG_AGO, LONG_AGO + 1))
    assert [is_due(looks, folder) for _ in range(2)] == [True, False]


def test_a_folder_that_changed_a_moment_ago_is_looked_at_again(folder: int) -> None:
    """Another change within the same tick of the file system's clock would leave no trace."""
    looks = Looks()
    os.utime(folder)
    assert [is_due(looks, folder) for _ in range(3)] == [True, True, True]


def test_a_look_that_failed_was_none(folder: int) -> None:
    """A folder that could not be read is looked at again as soon as somebody asks."""
    looks = Looks()
    with pytest.raises(PermissionError), looks.at(folder):
        raise PermissionError
    assert is_due(looks, folder)


def test_another_folder_in_its_place_is_another(folder: int, tmp_path: Path) -> None:
    """A folder that took another one's place is looked at, though its time may be the same."""
    looks = Looks()
    assert is_due(looks, folder)
    (tmp_path / "other").mkdir()
    os.utime(tmp_path / "other", ns=(LONG_AGO, LONG_AGO))
    other = os.open(tmp_path / "other", os.O_RDONLY)
    assert is_due(looks, other)
    os.close(other)


def test_a_long_look_is_followed_by_a_rest(folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a look at a folder that took long there is a rest; after a short one there is none."""
    looks = Looks()
    assert is_due(looks, folder)
    assert not looks.rests
    monkeypatch.setattr("invoice_watcher.pacing.LONG", -1.0)
    monkeypatch.setattr("invoice_watcher.pacing.REST", 1e9)
    is_due(looks, folder)
    assert looks.rests


def test_a_look_that_nobody_waits_for_rests_in_its_midst(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that nobody waits for rests twenty times as long as it worked, if that was more than a moment."""
    rests: list[float] = []
    pace = Pace(rests.append)
    pace.keep()
    assert rests == []
    monkeypatch.setattr("invoice_watcher.pacing.LONG", 0.009)
    began = time.thread_time()
    while time.thread_time() < began + 0.01:
        pass
    pace.keep()
    pace.keep()
    (rest,) = rests
    assert 0.2 <= rest <= 20 * (time.thread_time() - began + 0.009)
