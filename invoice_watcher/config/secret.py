"""A value that must never be shown: it prints as `***`, and only `reveal` gives it out.

Guarantees: no repr, str, format, log line or traceback message of a `Secret` holds its value. Pure. Pickling
one (and `copy`, which takes the same way) raises TypeError: a bug of whoever tries.
"""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

# Whole or cut off, with or without its dashes. What else looks like it is hidden with it.
_LIKE_A_CODE = re.compile(r"[0-9a-fA-F-]{16,}")
_GUID = re.compile("-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12)))


def is_guid(text: str) -> bool:
    """Tell whether `text` is a GUID of 36 characters, which every API code is."""
    return _GUID.fullmatch(text) is not None


def without_codes(text: str) -> str:
    """Return `text` with `***` in place of all that looks like an API code, which may have slipped to where it is."""
    return _LIKE_A_CODE.sub("***", text)


class Secret:
    """A text to be carried about and handed to the one who needs it, and to be shown to nobody."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself. Whoever calls this answers for where it goes."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        # Not `format(str(self), spec)`: even the width of a column is nobody's business here.
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


def _bytes(secret: Secret) -> bytes:
    # A value out of the environment may hold bytes that are not UTF-8, as surrogates (PEP 383).
    return secret.reveal().encode("utf-8", "surrogatepass")
