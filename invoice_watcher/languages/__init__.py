"""The languages in which people at the share are spoken to: a module each, found by its name.

A new language is one new file here. What it has no words for is said in English. `load` raises ImportError for a
language that there is none of.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

from invoice_watcher.languages.en import LANGUAGE as ENGLISH
from invoice_watcher.languages.language import Card, Counted, Language

__all__ = ["ENGLISH", "TAGS", "Card", "Counted", "Language", "load"]

_NOT_ONE = {"__init__", "language"}

TAGS = tuple(sorted({name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py")} - _NOT_ONE))


def load(tag: str) -> Language:
    """Return a language, one of `TAGS`."""
    return cast("Language", import_module(f"{__name__}.{tag}").LANGUAGE)
