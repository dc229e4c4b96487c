"""Configuration text to `Config`, or every fault in it.

`parse` is pure: it asks neither the file system nor the environment nor the clock; who wants more asked hands in
`look`. It raises ConfigError, the administrator's fault, with all faults in the order of their lines; none of them
shows a value that may be a secret.
"""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from invoice_watcher.config.conflicts import conflicts
from invoice_watcher.config.document import Mapping, Node, Refused, Scalar, Sequence, read
from invoice_watcher.config.forms import Setting
from invoice_watcher.config.keys import keys
from invoice_watcher.config.model import Config
from invoice_watcher.config.names import PathName
from invoice_watcher.config.secret import without_codes
from invoice_watcher.errors import ConfigError, ConfigFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from invoice_watcher.config.conflicts import Conflict
    from invoice_watcher.config.forms import Form
    from invoice_watcher.config.keys import Key, Section

# What is shown of an unknown key: what looks like one. Anything else, a GUID above all, may be a value that
# slipped.
_KEY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,29}")

_TOP = frozenset(key.name for key in keys(Config))
_HOMES = {
    key.name: group.name for group in keys(Config) if not isinstance(group.what, Setting) for key in keys(group.what)
}


def parse(
    text: str, *, where: str, base: Path, look: Callable[[Config], Iterable[Conflict]] = lambda _config: ()
) -> Config:
    """Return the configuration that `text` holds.

    Args:
        text: YAML.
        where: the file's name, as the faults are to show it.
        base: the absolute folder in which the file lies; relative paths are taken from it.
        look: finds what is wrong with the values beyond this text, in the file system.

    Raises:
        ConfigError: with every fault that was found.
    """
    reading = _Reading(base, look)
    config = reading.config(read(text, where))
    if reading.flaws:
        flaws = sorted(reading.flaws, key=lambda flaw: flaw.line)
        raise ConfigError([flaw.located(where) for flaw in flaws])
    return config


class _Flaw(NamedTuple):
    line: int
    key: str
    text: str

    def located(self, where: str) -> ConfigFault:
        return ConfigFault(f"{where}:{self.line}" if self.line else where, self.key, self.text)


class _Reading:
    """One pass over the tree. Goes on after every fault: its default stands in for a bad value."""

    def __init__(self, base: Path, look: Callable[[Config], Iterable[Conflict]]) -> None:
        self.flaws: list[_Flaw] = []
        self._base = base
        self._look = look
        self._lines: dict[str, int] = {}  # of every known key that the file gives

    def config(self, root: Mapping) -> Config:
        values = self._values(Config, root, "")
        if "drop_dir" not in values:
            if "drop_dir" not in self._lines:
                self.flaws.append(_Flaw(0, "drop_dir", "is missing; name the folder where invoices are dropped"))
            values["drop_dir"] = self._base / "drop_dir"
        config = Config(**values)
        self._judge_together(config)
        return config

    def _judge_together(self, config: Config) -> None:
        faulty = {flaw.key for flaw in self.flaws}
        for conflict in (*conflicts(config), *self._look(config)):
            # A default in place of a bad value must not be blamed for anything.
            given = [key for key in conflict.keys if key in self._lines]
            counts = len(given) == len(conflict.keys) or not conflict.if_all_given
            if counts and faulty.isdisjoint(conflict.keys):
                key = given[0]
                self.flaws.append(_Flaw(self._lines[key], key, conflict.text))

    def _values(self, section: type[Section], mapping: Mapping, prefix: str) -> dict[str, Any]:
        """Return what `mapping` says about the keys of `section`: the good values only."""
        known = {key.name: key for key in keys(section)}
        values: dict[str, Any] = {}
        for name, node in mapping.entries:
            if not isinstance(name, Scalar) or name.text not in known:
                self.flaws.append(_unknown(name, section, prefix))
                continue
            dotted = prefix + name.text
            with self._noting(name.line, dotted):
                values[name.text] = self._value(known[name.text], node, dotted)
            with self._noting(name.line, dotted):
                self._once(name.line, dotted)
        return values

    @contextmanager
    def _noting(self, line: int, key: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self.flaws.append(_Flaw(line, key, str(error)))

    def _once(self, line: int, key: str) -> None:
        if key in self._lines:
            raise ValueError(f"is given twice, first in line {self._lines[key]}; only one can be meant")
        self._lines[key] = line

    def _value(self, key: Key, node: Node, dotted: str) -> object:
        if not isinstance(key.what, Setting):
            return self._group(key.what, node, dotted)
        if key.what.many:
            return self._list(key.what, node, dotted)
        return self._single(key.what, node)

    def _group(self, section: type[Section], node: Node, dotted: str) -> Section:
        match node:
            case Mapping():
                return section(**self._values(section, node, f"{dotted}."))
            case Scalar(is_null=True):
                # A heading all of whose keys are commented out.
                return section()
            case Refused(why=why):
                raise ValueError(why)
        names = ", ".join(key.name for key in keys(section))
        raise ValueError(f"must be followed by its keys, indented: {names}")

    def _list(self, setting: Setting, node: Node, dotted: str) -> tuple[object, ...]:
        match node:
            case Sequence(items=items):
                return tuple(self._items(setting, items, dotted))
            case Scalar(is_null=True):
                return ()
            case Refused(why=why):
                raise ValueError(why)
        raise ValueError("must be a list, each item on a line of its own after a dash")

    def _items(self, setting: Setting, items: Iterable[Node], dotted: str) -> Iterator[object]:
        for item in items:
            with self._noting(item.line, dotted):
                yield self._single(setting, item)

    def _single(self, setting: Setting, node: Node) -> object:
        match node:
            case Scalar(is_null=True):
                if setting.null:
                    return None
                raise ValueError("must not be null (empty); give a value, or leave it out")
            case Scalar():
                return self._anchored(setting.form, setting.form.read(node))
            case Refused(why=why):
                raise ValueError(why)
        raise ValueError("must be a single value")

    def _anchored(self, form: Form, value: object) -> object:
        if isinstance(form, PathName) and form.beside_config:
            return self._base / str(value)
        return value


def _unknown(name: Node, section: type[Section], prefix: str) -> _Flaw:
    group = prefix.rstrip(".")
    if not isinstance(name, Scalar):
        return _Flaw(name.line, group, "has a key that is no single word")
    if name.plain and name.text == "<<":
        return _Flaw(name.line, group, "has a merge key (<<); write the keys out")
    if not _KEY_NAME.fullmatch(name.text):
        return _Flaw(name.line, group, "has an unknown key (not shown, for it looks like a value)")
    return _Flaw(name.line, prefix + without_codes(name.text), f"unknown key{_meant(name.text, section)}")


def _meant(name: str, section: type[Section]) -> str:
    plain = name.lower().replace("-", "_")
    here = [key.name for key in keys(section)]
    last = plain.rpartition(".")[2]
    if last in _HOMES and last not in here:
        return f"; did you mean {last}, indented under {_HOMES[last]}?"
    if last in _TOP and last not in here:
        return "; did you mean to put it at the top, without indentation?"
    near = difflib.get_close_matches(plain, here)
    return f"; did you mean {near[0]}?" if near else ""
