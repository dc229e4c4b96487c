"""What the value of a key may look like: each form reads one YAML scalar, and has its JSON Schema.

A form judges the scalar's own text, not what YAML 1.1 would make of it: `0123`, `12_34`, `0x1F` and `1e3` are
no numbers here, and `no` is never a file name. Pure. `read` raises ValueError with what is wrong and what
would be right; a `private` form, whose values may hold a secret, never repeats the value. The fault is always
the administrator's.
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from invoice_watcher.config import units
from invoice_watcher.config.secret import Secret, is_guid, without_codes
from invoice_watcher.escaping import escape
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from invoice_watcher.config.document import Scalar

JsonSchema: TypeAlias = dict[str, object]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST_SHOWN = 40
# A week. Above all, well below what the kernel and `threading` take for a timeout.
_LONGEST_DURATION = 168 * 3600.0


def shown(text: str) -> str:
    """Return `text` in quotes, escaped, and cut to 40 characters: fit for a message; an API code is not shown."""
    safe = escape(without_codes(text))
    return f'"{safe}"' if len(safe) <= _LONGEST_SHOWN else f'"{safe[: _LONGEST_SHOWN - 1]}…"'


def word(scalar: Scalar) -> str:
    """Return the scalar's text: a number is taken as it is written, a truth value or nothing is refused."""
    if scalar.truth is not None:
        raise ValueError("is a truth value in YAML; put it into quotes if the word itself is meant")
    if not scalar.text:
        raise ValueError("is empty")
    if _CONTROL.search(scalar.text):
        raise ValueError("holds a control character or a line break")
    return scalar.text


class Form(ABC):
    """One kind of value.

    Attributes:
        private: its values may hold a secret, and are shown nowhere.
    """

    private: ClassVar[bool] = False

    @abstractmethod
    def read(self, scalar: Scalar) -> object:
        """Return the value that `scalar` stands for; raises ValueError with what would be right."""

    @abstractmethod
    def json_schema(self) -> JsonSchema:
        """Return the JSON Schema of the value as it is written in the file."""


class Setting(Record, frozen=True):
    """What the model says about one key.

    Attributes:
        form: how its value is read; that of each item when `many`.
        about: what it means, in one or two sentences for the administrator.
        null: null is allowed, and means "none" (or, for a key with a default by circumstance, "not set").
        many: the value is a list.
    """

    form: Form
    about: str
    null: bool = False
    many: bool = False


class Truth(Form):
    """A truth value: true or false, yes or no, on or off."""

    def read(self, scalar: Scalar) -> bool:
        """Return it; text in quotes is no truth value."""
        if scalar.truth is None:
            raise ValueError(f"{shown(scalar.text)} is no truth value; write true or false, without quotes")
        return scalar.truth

    def json_schema(self) -> JsonSchema:
        """Return a boolean's."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole(Form):
    """A whole number between `least` and `most`."""

    least: int
    most: int

    def read(self, scalar: Scalar) -> int:
        """Return it; only plain decimal digits count, without quotes."""
        if not scalar.plain or not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", scalar.text):
            raise ValueError(f"{shown(scalar.text)} is no whole number; write plain digits, without quotes")
        number = int(scalar.text)
        if not self.least <= number <= self.most:
            raise ValueError(f"{number} is out of range; it must be {self.least} to {self.most}")
        return number

    def json_schema(self) -> JsonSchema:
        """Return an integer's, with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Duration(Form):
    """A span of time, in seconds when read; more than nothing unless `zero`, and a week at most."""

    zero: bool = False

    def read(self, scalar: Scalar) -> float:
        """Return seconds."""
        text = word(scalar)
        if text.startswith("-"):
            raise ValueError(f"{shown(text)} is negative; a duration cannot be")
        try:
            seconds = units.duration(text)
        except ValueError as error:
            raise ValueError(f"{shown(text)} is no duration; {error}") from None
        if seconds > _LONGEST_DURATION:
            raise ValueError(f"{shown(text)} is longer than a week (168h)")
        if not seconds and not self.zero:
            raise ValueError("must be more than 0")
        return seconds

    def json_schema(self) -> JsonSchema:
        """Return that of seconds as a number, or of a number with its unit."""
        least = "minimum" if self.zero else "exclusiveMinimum"
        pattern = f"^{units.DURATION}$"
        return {"type": ["number", "string"], least: 0, "maximum": _LONGEST_DURATION, "pattern": pattern}


@dataclass(frozen=True)
class Size(Form):
    """A number of bytes between `least` and `most`."""

    least: int
    most: int

    def read(self, scalar: Scalar) -> int:
        """Return bytes."""
        text = word(scalar)
        try:
            count = units.size(text)
        except ValueError as error:
            raise ValueError(f"{shown(text)} is no size; {error}") from None
        if not self.least <= count <= self.most:
            bounds = f"{units.show_size(self.least)} to {units.show_size(self.most)}"
            raise ValueError(f"{shown(text)} is out of range; it must be {bounds}")
        return count

    def json_schema(self) -> JsonSchema:
        """Return that of bytes as an integer, or of a number with its unit."""
        pattern = f"^{units.SIZE}$"
        return {
            "type": ["integer", "string"],
            "minimum": self.least,
            "maximum": self.most,
            "pattern": pattern,
        }


@dataclass(frozen=True)
class Choice(Form):
    """One of a few words, in lower case."""

    words: tuple[str, ...]

    def read(self, scalar: Scalar) -> str:
        """Return the word; a near miss is told which one was probably meant."""
        text = word(scalar)
        if text in self.words:
            return text
        near = difflib.get_close_matches(text.lower()[:_LONGEST_SHOWN], self.words, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{shown(text)} is none of {', '.join(self.words)}{meant}")

    def json_schema(self) -> JsonSchema:
        """Return an enumeration."""
        return {"type": "string", "enum": list(self.words)}


class ApiCode(Form):
    """The API code itself."""

    private: ClassVar[bool] = True

    def read(self, scalar: Scalar) -> Secret:
        """Return it, hidden."""
        text = word(scalar).strip()
        if not is_guid(text):
            raise ValueError("is no API code; it must be a GUID of 36 characters (its value is not shown here)")
        return Secret(text)

    def json_schema(self) -> JsonSchema:
        """Return a GUID's."""
        return {"type": "string", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"}
