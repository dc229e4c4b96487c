"""How long the program waits: never less than asked, never for ever, and not all at once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.backoff import LONGEST_RETRY_AFTER, RetryRules, retry_after

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)
DURATION = st.floats(0.001, 86400)
CHANCE = st.floats(0, 1)
RULES = RetryRules(2.0, 300.0, 10)


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(0, 2), (1, 4), (2, 8), (3, 16), (7, 256), (8, 300), (9, 300), (10**9, 300), (-5, 2)]
)
def test_the_wait_doubles_up_to_its_limit(failures: int, ceiling: float) -> None:
    """From `retry.initial` (2 s) to `retry.max` (5 m), however often it fails; jitter picks a point between."""
    assert RULES.wait(failures, 0.0) == 2.0
    assert RULES.wait(failures, 1.0) == ceiling
    assert RULES.wait(failures, 0.5) == (2.0 + ceiling) / 2


@given(st.integers(-(10**30), 10**30), DURATION, DURATION, CHANCE)
def test_a_wait_keeps_its_bounds(failures: int, initial: float, longest: float, chance: float) -> None:
    """A wait is no shorter than `retry.initial`, no longer than `retry.max`, which wins where both cannot be had."""
    wait = RetryRules(initial, longest, 10).wait(failures, chance)
    assert math.isfinite(wait)
    assert min(initial, longest) <= wait <= max(longest * (1 + 1e-9), 0)


@given(st.integers(0, 100), DURATION, DURATION, CHANCE)
def test_more_failures_never_mean_a_shorter_wait(failures: int, initial: float, longest: float, chance: float) -> None:
    """After one failure more the wait is at least as long, by the same jitter."""
    rules = RetryRules(initial, longest, 10)
    assert rules.wait(failures, chance) <= rules.wait(failures + 1, chance)


def test_what_failed_together_comes_back_apart() -> None:
    """A hundred files that failed in one moment are spread over the whole range, not sent in one burst."""
    waits = [RULES.wait(5, chance / 99) for chance in range(100)]
    assert len(set(waits)) == 100
    assert (min(waits), max(waits)) == (2.0, 64.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 30\t", 30.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("99999999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("000000000017", 17.0),
    ],
)
def test_seconds_are_obeyed_up_to_an_hour(header: str, seconds: float) -> None:
    """`Retry-After` in seconds is obeyed, up to an hour, so no server can park the queue for ever."""
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # IMF-fixdate
        "Sunday, 06-Nov-94 08:49:37 GMT",  # RFC 850
        "Sun Nov  6 08:49:37 1994",  # asctime, which names no zone and means UTC
        "Sun, 06 Nov 1994 08:49:37 -0000",  # no zone either
        "Sun, 06 Nov 1994 09:49:37 +0100",
    ],
)
def test_all_three_forms_of_a_date_are_obeyed(header: str) -> None:
    """`Retry-After` as a date is obeyed in all three forms that RFC 9110 section 5.6.7 has a recipient read."""
    assert retry_after(header, NOW) == 30.0


def test_a_date_is_bounded_too() -> None:
    """A `Retry-After` date that has passed means now; one far away, or of a clock that is wrong, means an hour."""
    assert retry_after(format_datetime(NOW - timedelta(days=400)), NOW) == 0.0
    assert retry_after(format_datetime(NOW + timedelta(days=400)), NOW) == LONGEST_RETRY_AFTER
    assert retry_after("Fri, 31 Dec 9999 23:59:59 -2359", NOW) == LONGEST_RETRY_AFTER
    assert retry_after("Mon, 01 Jan 0001 00:00:00 +2359", NOW) in {0.0, LONGEST_RETRY_AFTER}


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", " ", "-5", "+5", "1.5", "1e9", "nan", "inf", "0x10", "1_000", "5 seconds", "soon", "120, 120"),
        *("٣٠", "³", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT"),
        *("Sun, 06 Nov 1994 08:49:37 +99999999999999", "Sun, 06 Nov 1994 99:99:99 GMT", "\0", "\ud800"),
    ],
)
def test_anything_else_is_passed_over(header: str | None) -> None:
    """A `Retry-After` that is neither seconds nor a date is passed over: the usual wait applies."""
    assert retry_after(header, NOW) is None


DATE_LIKE = st.from_regex(
    r"(Sun|Foo)?,? ?[0-9-]{1,4}[ -](Nov|Xxx)[ -][0-9]{1,6} [0-9]{1,3}(:[0-9]{1,3}){1,3} ?([A-Z]{1,4}|[+-][0-9]{1,12})?"
)


@given(st.text() | DATE_LIKE, st.datetimes(timezones=st.just(UTC)))
def test_no_header_can_do_harm(header: str, now: datetime) -> None:
    """Any text as `Retry-After`, at any time of this machine's clock, gives nothing or a wait within the hour."""
    seconds = retry_after(header, now)
    assert seconds is None or 0.0 <= seconds <= LONGEST_RETRY_AFTER
