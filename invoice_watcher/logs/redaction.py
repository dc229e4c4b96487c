"""What must never be shown, blackened in whatever is about to be logged.

Pure; raises nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable


class Redactor:
    """Replaces each secret, in any letter case and however it was quoted, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = frozenset(filter(None, secrets))
        forms = {form for secret in self.secrets for form in _spellings(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def redact(self, text: str) -> str:
        """Return `text` without the secrets."""
        return self._pattern.sub("***", text) if self._pattern else text


def _spellings(secret: str) -> set[str]:
    return {secret, escape(secret), repr(secret)[1:-1], quote(secret, safe="", errors="surrogateescape")}
