"""Durations and sizes as people write them: `500ms`, `30s`, `5m`, `2h`, `10MiB`.

Strict on purpose: no sign, no exponent, no leading zero, no blank before the unit, only ASCII digits. What
YAML 1.1 would read as an octal number (`0123`), as base 60 (`12:30`) or as 1234 (`12_34`) is refused, not
guessed at. Pure. `duration` and `size` raise ValueError with what would be right, and never repeat the text
they were given.
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = r"(?:0|[1-9][0-9]{0,14})"
DURATION = rf"({_NUMBER}(?:\.[0-9]{{1,15}})?)(ms|s|m|h)?"
SIZE = rf"({_NUMBER})(KiB|MiB|GiB|kB|MB|GB)?"

_SECONDS = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_BYTES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "GB": 10**9, "MB": 10**6, "kB": 10**3}


def duration(text: str) -> float:
    """Return the seconds that `text` says: a number of seconds, or one with ms, s, m or h behind it."""
    match = re.fullmatch(DURATION, text)
    if match is None:
        raise ValueError("write seconds, or a number with ms, s, m or h right behind it: 30s")
    return float(Decimal(match[1]) * _SECONDS[match[2] or "s"])


def size(text: str) -> int:
    """Return the bytes that `text` says: a number, or one with KiB, MiB, GiB, kB, MB or GB behind it."""
    match = re.fullmatch(SIZE, text)
    if match is None:
        raise ValueError("write bytes, or a whole number with KiB, MiB, GiB, kB, MB or GB right behind it: 10MiB")
    return int(match[1]) * _BYTES.get(match[2], 1)


def show_duration(seconds: float) -> str:
    """Return `seconds` (not negative) as text that `duration` reads back: 300 is `5m`, 0.5 is `500ms`."""
    exact = Decimal(repr(seconds))
    if exact:
        for unit, worth in _SECONDS.items():
            if exact % worth == 0:
                return f"{exact / worth:.0f}{unit}"
    return f"{exact.normalize():f}s"


def show_size(count: int) -> str:
    """Return `count` bytes as the text that `size` reads back, in the largest unit that loses nothing."""
    for unit, worth in _BYTES.items():
        if count and count % worth == 0:
            return f"{count // worth}{unit}"
    return str(count)
