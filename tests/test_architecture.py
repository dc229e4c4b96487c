"""The house keeps its plan: what may import what, who touches the outside, and how large a thing may grow."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import invoice_watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(invoice_watcher.__file__).parent
NAME = PACKAGE.name

# From the ground up. A unit is a module, or a package with all that is in it; it imports only from rows above its own.
LAYERS = [
    # how a class of values is written
    {"record"},
    # the words: values, and what is said about them
    {"__init__", "errors", "escaping", "hints", "invoice", "languages", "outcome"},
    # one thing each, of which the others beside it know nothing
    {"answer", "backoff", "complaints", "config", "receipt", "settling", "shortcut", "tally"}
    | {"accounts", "affinity", "deadlines", "mailbox", "mounts", "pacing", "privacy", "scratch", "service", "signals"}
    | {"streams", "watcher", "workers"},
    # rules, and the parts that stand beside the daemon
    {"breaker", "content", "demo", "logs", "moments", "naming", "policy", "sandbox", "schedule", "standing"},
    # what lies in the folders, and whether it is fit; who is told how things stand
    {"ending", "spool", "validation"} | {"audience", "control", "status_line"},
    # what an attempt means for all others; the two doors, folder and API; what is filed; who is told by mail
    {"archive", "lookout", "queue", "uploader"} | {"notify"},
    # one invoice; and what is done without a daemon
    {"by_hand", "delivery", "resumption"} | {"checks", "report", "requeuing", "status_page"},
    # what people are told of all invoices
    {"heartbeat", "journey", "once", "progress"} | {"inquiry", "metrics"},
    # the same, for those who are told
    {"census", "listeners"},
    # the loop
    {"daemon"},
    # the process
    {"serve"},
    # the commands
    {"cli"},
    {"__main__"},
]

# What is not the standard library's, and what of it is a kernel's or a format's, each behind its own wall.
WALLS = {
    "apprise": {"notify"},
    "click": {"cli"},
    "ctypes": {"privacy", "spool", "watcher"},
    "defusedxml": {"answer"},
    "jinja2": {"status_page"},
    "fcntl": {"spool"},
    "msgspec": {"control", "inquiry", "receipt", "record", "spool", "standing"},
    "prometheus_client": {"metrics"},
    "requests": {"notify", "uploader"},
    "rich": {"cli", "demo", "progress"},
    "sqlite3": {"scratch"},
    "systemd": {"service"},
    "tenacity": {"uploader"},
    "urllib3": {"notify", "uploader"},
    "watchdog": {"watcher"},
    "werkzeug": {"sandbox"},
    "yaml": {"config"},
    "zipfile": {"content", "demo"},
}

LONGEST_FILE = 300
LONGEST_FUNCTION = 45

# Words that say nothing about what a thing is.
EMPTY_WORDS = {"handler", "handlers", "manager", "managers", "processor", "processors", "process", "data"}
EMPTY_WORDS |= {"helper", "helpers", "util", "utils"}
# Names that a foreign base class prescribes.
FOREIGN_NAMES = {"proxy_manager_for", "process_request"}  # requests.adapters.HTTPAdapter, socketserver.BaseServer


class Import(NamedTuple):
    """One import: the module that has it, and the dotted name that it asks for."""

    path: Path
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE.parent)}:{self.line} imports {self.target}"


def sources() -> list[Path]:
    """Return every module of the program."""
    return sorted(PACKAGE.rglob("*.py"))


def unit_of(path: Path) -> str:
    """Return the unit to which a module belongs."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def exists(dotted: str) -> bool:
    """Tell whether a dotted name is a module of the program."""
    place = PACKAGE.parent.joinpath(*dotted.split("."))
    return place.is_dir() or place.with_suffix(".py").exists()


def imports(path: Path) -> Iterator[Import]:
    """Yield what a module imports, wherever it does so: for type checkers only, or late, within a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}:{node.lineno}: a relative import"
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(path, node.lineno, inner if exists(inner) else node.module)


@cache
def all_imports(*, own: bool) -> list[Import]:
    """Return all imports of our own modules, or of all others; read when asked for, not by whoever collects tests."""
    every = [found for path in sources() for found in imports(path)]
    return [found for found in every if (found.target.partition(".")[0] == NAME) is own]


FLOOR = {unit: floor for floor, units in enumerate(LAYERS) for unit in units}
PACKAGES = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def target_unit(found: Import) -> str:
    """Return the unit that is imported from."""
    return [*found.target.split("."), "__init__"][1]


def test_every_unit_has_one_place() -> None:
    """A new module is given its layer here, by whoever adds it; one that is gone is taken out."""
    assert sum(map(len, LAYERS)) == len(FLOOR), "a unit stands in two layers"
    assert set(FLOOR) == {unit_of(path) for path in sources()}


def test_imports_only_go_down() -> None:
    """A module can be understood, and tested, with nothing but the layers below it: no siblings, no cycles."""
    between = [found for found in all_imports(own=True) if target_unit(found) != unit_of(found.path)]
    assert between
    wrong = [str(found) for found in between if FLOOR[target_unit(found)] >= FLOOR[unit_of(found.path)]]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_within_a_package_imports_do_not_go_round(package: str) -> None:
    """The modules of a package have an order in which they can be read; its `__init__` comes last."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for found in all_imports(own=True):
        if unit_of(found.path) == target_unit(found) == package:
            graph[found.path.stem].add([*found.target.split("."), "__init__"][2])
    assert list(TopologicalSorter(graph).static_order())[-1] == "__init__"


def architecture(title: str) -> str:
    """Return a section of ARCHITECTURE.md."""
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def quoted(text: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def test_the_document_tells_the_same_layers() -> None:
    """Whoever reads ARCHITECTURE.md finds each unit in the row in which it is."""
    rows: list[set[str]] = []
    for number, units in re.findall(r"^\| ([0-9]*) *\| (`[^|]*`) \|", architecture("Layers"), re.MULTILINE):
        if number:
            rows.append(set())
        rows[-1] |= set(quoted(units))
    assert rows == [layer - {"__init__"} for layer in LAYERS[:-1]]


def test_the_map_shows_the_real_imports() -> None:
    """The arrows drawn in ARCHITECTURE.md are those between its units, but for such as a longer way stands for."""
    drawn = set(re.findall(r"^    ([a-z_]+) --> ([a-z_]+)$", architecture("Layers"), re.MULTILINE))
    shown = {unit for arrow in drawn for unit in arrow}
    real = {(unit_of(found.path), target_unit(found)) for found in all_imports(own=True)}
    real = {(user, used) for user, used in real if user != used and {user, used} <= shown}
    below: defaultdict[str, set[str]] = defaultdict(set)
    for user, used in sorted(real, key=lambda arrow: FLOOR[arrow[0]]):
        below[user] |= {used} | below[used]
    assert drawn == {
        (user, used) for user, used in real if not any(used in below[other] for one, other in real if one == user)
    }


def is_there(place: str) -> bool:
    """Tell whether a place is there: a file or folder of the repository, a unit or module, or a name in one."""
    roots = [PACKAGE, PACKAGE.parent]
    if any((root / place).exists() or (root / f"{place}.py").exists() for root in roots):
        return True
    module, _, name = place.rpartition(".")
    files = [file for root in roots for file in ((root / f"{module}.py"), *(root / module).glob("**/*.py"))]
    return any(
        re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for file in files if module and file.exists()
    )


def test_the_places_of_changes_exist() -> None:
    """What ARCHITECTURE.md names as the place of a change is there, so nobody looks for a room that was moved."""
    named = [place for place in quoted(architecture("Where a change goes")) if re.fullmatch(r"[\w/.]+", place)]
    places = [place for place in named if re.split("[/.]", place)[0] in {*FLOOR, "tests", "packaging"}]
    assert len(places) > 50
    assert not is_there("outcome.NOTHING")
    assert [place for place in places if not is_there(place)] == []


def test_each_foreign_package_is_behind_its_wall() -> None:
    """To replace a library, or to follow its new release, one reads one module.

    msgspec has several: it is the project's one library for typed records. It is a notation, as basic as `dataclasses`,
    and no system with effects of its own.
    """
    wrong = []
    for found in all_imports(own=False):
        package = found.target.partition(".")[0]
        if package in WALLS:
            wrong += [str(found)] * (unit_of(found.path) not in WALLS[package])
        elif package not in sys.stdlib_module_names and package != "_typeshed":  # the type checker's own, never loaded
            wrong.append(str(found))
    assert wrong == []


def named_things(path: Path) -> Iterator[str]:
    """Yield the names of a module, and of its classes and functions."""
    yield path.stem if path.stem != "__init__" else path.parent.name
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def words(name: str) -> list[str]:
    """Take a name apart: `someName`, `SomeName` and `some_name` are two words each."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]


def test_names_are_taken_apart() -> None:
    """The next test sees through every way of writing a name."""
    assert words("_HTTPHandler_of2Data") == ["http", "handler", "of", "2", "data"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_say_what_a_thing_is(path: Path) -> None:
    """No handlers, managers, processors, helpers, utils or data: such a name fits everything."""
    assert [name for name in named_things(path) if EMPTY_WORDS & set(words(name)) and name not in FOREIGN_NAMES] == []


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_grows_too_large_to_be_read(path: Path) -> None:
    """A file fits into one sitting, a function onto one screen."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
