"""YAML text as a tree of nodes that know their lines. The only module that touches PyYAML.

Reads less than YAML allows: one document, a mapping at its top, ten levels at most, 64 KiB at most. The text
of a value stays as it is written; what it means is judged by the forms. What YAML offers beyond that
(anchors, aliases, tags) does not stop the reading: it becomes a `Refused` node that says why, so that all
faults can be told at once.

Pure. Raises ConfigError, with one fault, for text that is no such document; always the administrator's fault.
No fault repeats the text of a line, which may hold the API code: PyYAML's own messages do, and are never
passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import yaml

from invoice_watcher.errors import ConfigError, ConfigFault
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_DOCUMENT = 64 * 1024
_DEEPEST = 10

# The words of YAML 1.1 (yaml.org/type/bool.html, null.html) in the cases that PyYAML takes.
_TRUE = frozenset({"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})

# PyYAML's problems, by their start, in an administrator's words. Its own may quote the text.
_PROBLEMS = {
    "mapping values are not allowed here": "a key may not stand here; is the indentation right, or are "
    'quotes missing around a value with ": " in it?',
    "could not find expected ':'": 'a key without its ":"',
    "found unexpected end of stream": "a quotation mark that is never closed",
    "found character '\\t'": "a tab; YAML is indented with blanks only",
    "found character": "a value that starts with a character which needs quotes around the value",
    "expected <block end>": "the indentation does not fit the lines above, or quotes are missing",
    "expected ',' or": "a bracket that is not closed, or a comma that is missing",
    "found unknown escape character": "a backslash in double quotes; use single quotes",
}


class Scalar(Record, frozen=True):
    """A single value.

    Attributes:
        line: counted from 1, as are all lines here.
        text: as it is written, without the quotes.
        plain: it stood there without quotes, so that words such as null and true have a meaning.
    """

    line: int
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether it says that there is no value."""
        return self.plain and self.text in _NULL

    @property
    def truth(self) -> bool | None:
        """What it says as a truth value; None when it is none."""
        if self.plain and self.text in _TRUE | _FALSE:
            return self.text in _TRUE
        return None


class Sequence(Record, frozen=True):
    """A list of values."""

    line: int
    items: tuple[Node, ...]


class Mapping(Record, frozen=True):
    """Keys and their values, in the order of the text and with every repetition."""

    line: int
    entries: tuple[tuple[Node, Node], ...]


class Refused(Record, frozen=True):
    """A value that is not looked at, because of how it is written."""

    line: int
    why: str


Node: TypeAlias = Scalar | Sequence | Mapping | Refused


def read(text: str, where: str) -> Mapping:
    """Return the tree of the one mapping that `text` holds.

    Args:
        text: the YAML text.
        where: the file's name, for the faults.

    Raises:
        ConfigError: with one fault, when `text` is too long, empty, no YAML, or no single mapping.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_DOCUMENT:
        _refuse(where, 0, "is over 64 KiB long; this cannot be a configuration")
    events = _events(text, where)
    root = _Builder(events, where).document()
    if isinstance(root, Scalar) and root.is_null:
        _refuse(where, 0, "is empty; copy config.example.yaml and set drop_dir")
    if isinstance(root, Refused):
        _refuse(where, root.line, root.why)
    if not isinstance(root, Mapping):
        _refuse(where, root.line, "must hold keys with their values, one `key: value` a line")
    return root


def _refuse(where: str, line: int, why: str) -> NoReturn:
    raise ConfigError([ConfigFault(f"{where}:{line}" if line else where, "", why)])


def _events(text: str, where: str) -> Iterator[Any]:
    """Yield PyYAML's events; whatever it raises becomes a ConfigError that quotes nothing."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        why = "is no YAML: a control character, or one that is no text"
    except yaml.MarkedYAMLError as error:
        line, why = _syntax_fault(error)
    except (ValueError, OverflowError):
        # An escape such as "\UFFFFFFFF", or a version of thousands of digits, reaches chr() or int().
        line = loader.line + 1 if loader else 0
        why = "is no YAML: a number or an escape that is too large"
    else:
        return
    # Out here, so that no traceback leads to PyYAML's exception, whose marks hold the text.
    _refuse(where, line, why)


def _syntax_fault(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    problem = str(error.problem)
    words = next((words for start, words in _PROBLEMS.items() if problem.startswith(start)), "a syntax error")
    # An open quotation mark is noticed at the end of the file; what helps is where it was opened.
    opened = error.context_mark if problem.startswith("found unexpected end") else None
    mark = opened or error.problem_mark or error.context_mark
    if mark is None:
        return 0, f"is no YAML: {words}"
    return mark.line + 1, f"is no YAML from column {mark.column + 1} on: {words}"


class _Builder:
    """Builds the tree from the parser's events. It recurses no deeper than `_DEEPEST`, whatever the text."""

    def __init__(self, events: Iterator[Any], where: str) -> None:
        self._events = events
        self._where = where

    def document(self) -> Node:
        """Return the one document's root."""
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Scalar(line=1, text="", plain=True)
        root = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            _refuse(self._where, _line(after), "a second YAML document starts here; the file must hold one")
        return root

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401 - PyYAML's events have no common type
        if depth > _DEEPEST:
            _refuse(self._where, _line(event), "is nested too deeply; this cannot be a configuration")
        node = self._content(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return node
        if event.anchor is not None:
            return Refused(_line(event), "has an anchor (&); write the value out where it is needed")
        if event.tag is not None:
            return Refused(_line(event), "has a tag (!); only plain values are taken")
        return node

    def _content(self, event: Any, depth: int) -> Node:  # noqa: ANN401 - likewise
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(_line(event), event.value, plain=event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(_line(event), tuple(self._until(yaml.SequenceEndEvent, depth + 1)))
        if isinstance(event, yaml.MappingStartEvent):
            nodes = self._until(yaml.MappingEndEvent, depth + 1)
            return Mapping(_line(event), tuple(zip(nodes, nodes, strict=True)))
        return Refused(_line(event), "is an alias (*); write the value out")

    def _until(self, end: type, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth)


def _line(event: Any) -> int:  # noqa: ANN401 - likewise
    line: int = event.start_mark.line
    return line + 1
