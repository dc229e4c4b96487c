"""Reading the file itself, and the two files that the project ships beside it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

import invoice_watcher
from invoice_watcher.config import Config, load, parse, schema, schema_text
from invoice_watcher.config.forms import Setting
from invoice_watcher.config.keys import Section, keys
from invoice_watcher.errors import ConfigError, ExitStatus
from tests.support.certificates import certificate

Tree: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"


def refusal(path: Path) -> str:
    """Return the one fault of a file that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_status is ExitStatus.CONFIG
    (fault,) = caught.value.faults
    return str(fault)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Whoever starts the program for the first time learns where the example goes."""
    path = tmp_path / "none.yaml"
    assert refusal(path) == (f"{path}: no configuration here; copy config.example.yaml to this place and set drop_dir")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A folder in its place, or a path through a file, is told with the system's reason."""
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(tmp_path / "file" / "c.yaml")


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    """A configuration with a byte order mark, as editors of Windows leave one, is read as usual."""
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfdrop_dir: in\r\n")
    assert load(path).drop_dir == tmp_path / "in"


def test_what_is_no_text_is_told_with_its_line_and_not_shown(tmp_path: Path) -> None:
    """A file in another encoding is refused, at its first line that is not UTF-8."""
    path = tmp_path / "c.yaml"
    path.write_bytes(b"drop_dir: in\ndone_dir: \xe9\n")
    assert refusal(path) == f"{path}:2: is not UTF-8; save the file in that encoding"


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    """A device or a huge file given by mistake is refused after 64 KiB."""
    assert "over 64 KiB" in refusal(Path("/dev/zero"))


def test_faults_name_the_file_as_it_was_given_and_escaped(tmp_path: Path) -> None:
    """Faults name the configuration as it was given; a strange file name cannot garble the terminal."""
    path = tmp_path / "a\nb.yaml"
    path.write_text("drop_dir: in\nx: 1\n")
    assert refusal(path).startswith(f"{tmp_path}/a\\nb.yaml:2: x: ")


def _bundle(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "ca.pem"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "nothing":
        key = tmp_path / "key.pem"
        certificate(tmp_path).path.rename(path)
        sound = path.read_bytes()
        kinds = {"empty": b"", "text": b"none\n", "key": key.read_bytes(), "cut": sound[:300]}
        damaged = {"one of two cut": sound + sound[:300], "one of two garbled": sound.replace(b"MII", b"AAA") + sound}
        path.write_bytes((kinds | damaged)[kind])
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("nothing", "cannot be read: No such file or directory"),
        ("folder", "is no file"),
        ("pipe", "is no file"),
        ("empty", "holds no certificate"),
        ("text", "holds no certificate"),
        ("key", "holds no certificate"),
        ("cut", "holds a certificate that cannot be read"),
        ("one of two cut", "holds a certificate that cannot be read"),
        ("one of two garbled", "holds a certificate that cannot be read"),
    ],
)
def test_a_bundle_without_sound_certificates_is_refused(tmp_path: Path, kind: str, why: str) -> None:
    """An `api.ca_bundle` without a sound certificate is a fault with line and key, told before anything is sent."""
    _bundle(tmp_path, kind)
    path = tmp_path / "c.yaml"
    path.write_text("drop_dir: in\napi:\n  ca_bundle: ca.pem\n  workers: 0\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    first, second = map(str, caught.value.faults)
    assert first.startswith(f"{path}:3: api.ca_bundle: {why}")
    assert second.startswith(f"{path}:4: api.workers: ")


def test_a_bundle_with_a_certificate_is_taken(tmp_path: Path) -> None:
    """An `api.ca_bundle` needs one certificate, whoever signed it."""
    path = tmp_path / "c.yaml"
    path.write_text(f"drop_dir: in\napi: {{ca_bundle: {certificate(tmp_path).path}}}\n")
    assert load(path).api.ca_bundle == tmp_path / "certificate.pem"


def test_the_example_is_the_defaults() -> None:
    """The example changes nothing but drop_dir, so that whoever copies it whole gets what is documented."""
    assert load(EXAMPLE) == Config(drop_dir=Path("/srv/invoices"))


def test_the_example_shows_every_key_once() -> None:
    """No key is hidden from a reader of the example, and each has a comment above its paragraph."""
    assert sorted(_leaves(yaml.safe_load(EXAMPLE.read_text()), schema())) == sorted(_names(Config))
    for paragraph in re.split(r"\n\n+", EXAMPLE.read_text()):
        assert "#" in paragraph or paragraph.strip().endswith(":"), paragraph


def test_the_patterns_that_the_example_praises_work() -> None:
    """Whoever copies the pattern out of the example's comment gets the order id it promises."""
    (pattern,) = re.findall(r"'(\S*\(\?P<order_id>\S*)'", EXAMPLE.read_text())
    found = parse(f"drop_dir: /x\norder_id_pattern: '{pattern}'", where="c", base=ROOT).order_id_pattern
    match = found.fullmatch("invoice-12345-final")
    assert match is not None
    assert match["order_id"] == "12345"


def test_the_shipped_schema_is_up_to_date() -> None:
    """What editors check is what the program checks; `make schema` writes it anew."""
    shipped = Path(invoice_watcher.__file__).parent / "config.schema.json"
    assert shipped.read_text() == schema_text()
    assert json.loads(schema_text()) == schema()


def test_the_schema_describes_every_key() -> None:
    """An editor can show what each key means, which type it has, and that there are no others."""
    _check_described(schema())


def _check_described(found: Tree) -> None:
    assert found["additionalProperties"] is False
    for name, key in found["properties"].items():
        assert key["description"].endswith("."), name
        assert key["type"], name
        if "properties" in key:
            _check_described(key)


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE.read_text(),
        "{drop_dir: /x, done_dir: 2024, receipts: false, ignore: null, api: null, status_page: null}",
        "{drop_dir: 1.5, max_size: 3kB, api: {base_url: 'http://[::1]:80/', workers: 64, deadline: 1.5}}",
        "{drop_dir: /x, settle: {quiet: 0, rescan: 9ms}, metrics: {listen: ':9'}, notify: {urls: ['a://b']}}",
    ],
)
def test_the_schema_takes_what_the_program_takes(text: str) -> None:
    """An editor never underlines what works."""
    parse(text, where="c", base=ROOT)
    assert _errors(yaml.safe_load(text), schema()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{drop_dir: /x, dropdir: /y}",
        "{drop_dir: null}",
        "{drop_dir: /x, api: {workers: 65}}",
        "{drop_dir: /x, api: {environment: test}}",
        "{drop_dir: /x, settle: {incomplete_after: 0}}",
        "{drop_dir: /x, retry: {max: 5 minutes}}",
        "{drop_dir: /x, ignore: '*.bak'}",
        "{drop_dir: /x, status_page: a/b}",
    ],
)
def test_the_schema_refuses_what_the_program_refuses(text: str) -> None:
    """An editor underlines the usual mistakes while they are typed."""
    with pytest.raises(ConfigError):
        parse(text, where="c", base=ROOT)
    assert _errors(yaml.safe_load(text), schema()) != []


def _names(section: type[Section]) -> list[tuple[str, str]]:
    found = []
    for key in keys(section):
        if isinstance(key.what, Setting):
            found.append(("", key.name))
        else:
            found += [(key.name, inner) for _, inner in _names(key.what)]
    return found


def _leaves(tree: Tree, found: Tree, group: str = "") -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for name, inner in tree.items():
        below = found["properties"][name]
        leaves += _leaves(inner, below, name) if "properties" in below else [(group, name)]
    return leaves


_KINDS = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}


def _errors(value: object, found: Tree) -> list[str]:
    """Return what JSON Schema (as much of it as ours uses) has against `value`."""
    kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
    if not any(_KINDS[kind](value) for kind in kinds):
        return [f"{value!r} is none of {kinds}"]
    if isinstance(value, dict):
        strange = [name for name in value if name not in found["properties"]]
        missing = [name for name in found.get("required", []) if name not in value]
        known = [(inner, found["properties"][name]) for name, inner in value.items() if name not in strange]
        return strange + missing + [error for inner, below in known for error in _errors(inner, below)]
    if isinstance(value, list):
        return [error for item in value for error in _errors(item, found["items"])]
    return _scalar_errors(value, found)


def _scalar_errors(value: object, found: Tree) -> list[str]:
    bad = []
    if isinstance(value, str):
        bad += ["pattern"] * (re.search(found.get("pattern", ""), value) is None)
        bad += ["minLength"] * (len(value) < found.get("minLength", 0))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        bad += ["minimum"] * (value < found.get("minimum", value))
        bad += ["exclusiveMinimum"] * (value <= found.get("exclusiveMinimum", value - 1))
        bad += ["maximum"] * (value > found.get("maximum", value))
    return bad + ["enum"] * (value not in found.get("enum", [value]))
