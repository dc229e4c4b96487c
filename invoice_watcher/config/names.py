"""The forms of names: of folders and files, of patterns for them, and of what finds an order's id in them.

Pure. `read` raises ValueError with what is wrong. Whether a folder exists is not asked here.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoice_watcher.config.forms import Form, shown, word
from invoice_watcher.config.secret import is_guid, without_codes
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from invoice_watcher.config.document import Scalar
    from invoice_watcher.config.forms import JsonSchema

# NAME_MAX of Linux, in bytes.
_LONGEST_FILE_NAME = 255


@dataclass(frozen=True)
class PathName(Form):
    """The path of a folder or a file.

    Attributes:
        beside_config: a relative path is taken from the configuration's folder; else from `drop_dir`.
    """

    beside_config: bool = True

    def read(self, scalar: Scalar) -> Path:
        """Return the path as it is written."""
        text = word(scalar)
        if is_guid(text):
            raise ValueError("must be a path, and looks like an API code (it is not shown here)")
        if text.startswith("~"):
            raise ValueError(f"{shown(text)}: a leading ~ is not a home folder here; write the whole path")
        if any(len(part.encode()) > _LONGEST_FILE_NAME for part in text.split("/")):
            raise ValueError(f"{shown(text)} has a name over {_LONGEST_FILE_NAME} bytes in it")
        return Path(text)

    def json_schema(self) -> JsonSchema:
        """Return that of text; a number is taken for a name, too."""
        return {"type": ["string", "number"], "minLength": 1}


class FileName(Form):
    """The name of one file, without a folder."""

    def read(self, scalar: Scalar) -> str:
        """Return the name."""
        text = word(scalar)
        if "/" in text or text in {".", ".."}:
            raise ValueError(f"{shown(text)} must be a file name alone, without a folder")
        if len(text.encode()) > _LONGEST_FILE_NAME:
            raise ValueError(f"{shown(text)} is over {_LONGEST_FILE_NAME} bytes long")
        return text

    def json_schema(self) -> JsonSchema:
        """Return that of text without a slash."""
        return {"type": ["string", "number"], "minLength": 1, "pattern": "^[^/]+$"}


class NamePattern(Form):
    """A pattern for whole file names, as the shell's: `*`, `?`, `[abc]`."""

    def read(self, scalar: Scalar) -> str:
        """Return the pattern; one that can match nothing, or everything, is refused."""
        text = word(scalar)
        if "/" in text:
            raise ValueError(f"{shown(text)} can match no file, for a name holds no slash")
        if set(text) == {"*"} or text == "*.*":
            raise ValueError(f"{shown(text)} would leave every file alone")
        return text

    def json_schema(self) -> JsonSchema:
        """Return that of text without a slash."""
        return {"type": ["string", "number"], "minLength": 1, "pattern": "^[^/]+$"}


class Regex(Form):
    """A regular expression of Python's `re`."""

    def read(self, scalar: Scalar) -> re.Pattern[str]:
        """Return it compiled; one whose meaning is about to change in Python is refused as well."""
        text = word(scalar)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Possible ", category=FutureWarning)
            try:
                return re.compile(text)
            except (re.error, FutureWarning, OverflowError) as error:
                raise ValueError(f"is no regular expression: {escape(without_codes(str(error)))[:80]}") from None
            except RecursionError:
                raise ValueError("is nested too deeply for a regular expression") from None

    def json_schema(self) -> JsonSchema:
        """Return that of text."""
        return {"type": ["string", "number"], "minLength": 1}
