"""Durations and sizes, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.config import duration, show_duration, show_size, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("0.3s", 0.3),
        ("100ms", 0.1),
    ],
)
def test_a_duration_is_seconds_or_a_number_with_its_unit(text: str, seconds: float) -> None:
    """A duration is written as 30, 1.5, 500ms, 30s, 5m or 2h, and means exactly that."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-5",
        "+5",
        "5 s",
        "5d",
        "5M",
        "1e3",
        ".5",
        "5.",
        "0123",
        "12_34",
        "12:30",
        "0x1F",
        "nan",
        "inf",
        "٣s",
    ],
)
def test_what_looks_like_a_duration_to_yaml_only_is_refused(text: str) -> None:
    """Nothing is guessed at: octal, base 60, exponents, signs and unknown units are no durations."""
    with pytest.raises(ValueError, match="write seconds"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("10485760", 10 * 2**20),
        ("10MiB", 10 * 2**20),
        ("64KiB", 65536),
        ("1GiB", 2**30),
        ("10kB", 10_000),
        ("10MB", 10_000_000),
        ("1GB", 10**9),
    ],
)
def test_a_size_is_bytes_or_a_number_with_its_unit(text: str, count: int) -> None:
    """KiB, MiB and GiB are powers of 1024, kB, MB and GB powers of 1000."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5MiB", "10 MiB", "10mib", "10M", "1e6", "010", "1_000", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """A fraction of a unit, a blank or an unknown unit is no size."""
    with pytest.raises(ValueError, match="write bytes"):
        size(text)


@given(st.integers(0, 10**12))
def test_a_duration_shown_reads_back_as_itself(milliseconds: int) -> None:
    """What the program shows as a duration can be pasted into the configuration and means the same."""
    seconds = milliseconds / 1000
    assert duration(show_duration(seconds)) == seconds


@given(st.integers(0, 10**14))
def test_a_size_shown_reads_back_as_itself(count: int) -> None:
    """What the program shows as a size can be pasted into the configuration and means the same."""
    assert size(show_size(count)) == count


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1.0, "1s"), (90.0, "90s"), (300.0, "5m"), (0.0001, "0.0001s")],
)
def test_a_duration_is_shown_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    """Five minutes are shown as 5m, not as 300s; ninety seconds stay seconds."""
    assert show_duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (10 * 2**20, "10MiB"), (10**7, "10MB"), (1023, "1023")])
def test_a_size_is_shown_in_the_largest_unit_that_fits(count: int, text: str) -> None:
    """The API's limit is shown as 10MiB, and an odd number of bytes as it is."""
    assert show_size(count) == text


@given(st.text())
def test_any_other_text_is_refused_without_being_repeated(text: str) -> None:
    """Whatever stands there, the answer is a sentence that does not repeat it."""
    for read in (duration, size):
        with pytest.raises(ValueError, match=r"^write ") as caught:
            read(f"\u2603{text}")
        assert "\u2603" not in str(caught.value)
