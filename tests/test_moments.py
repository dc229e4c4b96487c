"""Moments and lengths of time, as people tell them."""

from __future__ import annotations

import time

import pytest

from invoice_watcher.moments import moment, seconds, span
from invoice_watcher.receipt import timestamp

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
HOUR = 3600.0


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (-500.0, "0 s"),  # the clock was set back
        (0.0, "0 s"),
        (1.99, "1 s"),
        (119.9, "119 s"),
        (120.0, "2 min"),
        (2 * HOUR - 1, "119 min"),
        (2 * HOUR, "2 h"),
        (47.9 * HOUR, "47 h"),
        (100 * HOUR, "4 days"),
    ],
)
def test_an_age_is_told_as_people_tell_it(age: float, words: str) -> None:
    """Seconds, minutes, hours or days, whatever there are two of; never less than nothing."""
    assert span(age) == words


@pytest.mark.parametrize(("ago", "words"), [
    (0.0, "12:00"), (11 * HOUR, "01:00"), (13 * HOUR, "2026-11-21 23:00"), (-13 * HOUR, "2026-11-23 01:00"),
])  # fmt: skip
def test_a_moment_is_told_with_its_day_unless_that_is_today(ago: float, words: str) -> None:
    """By this place's clock, whether it is past or to come."""
    assert moment(NOON - ago, NOON) == words


def test_what_a_record_says() -> None:
    """Read to the millisecond, as it was written; what is no time counts as the epoch."""
    assert seconds(timestamp(NOON + 0.5)) == NOON + 0.5
    assert seconds("yesterday") == 0.0
