"""YAML as the program reads it: what cannot be a configuration is told in one sentence, with its line."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.config.document import Mapping, Refused, Scalar, Sequence, read
from invoice_watcher.errors import ConfigError


def fault(text: str) -> str:
    """Return the one fault of a text that cannot be read."""
    with pytest.raises(ConfigError) as caught:
        read(text, "c.yaml")
    (only,) = caught.value.faults
    assert only.key == "", "it is the file's as a whole"
    return str(only)


def test_values_stay_as_they_are_written_and_know_their_lines() -> None:
    """Octal, sexagesimal and truth-like words reach the forms as the administrator wrote them."""
    tree = read("a: 0123\nb:\n  - 12:30\n  - 'yes'\n", "c.yaml")
    assert tree.entries[0] == (Scalar(1, "a", plain=True), Scalar(1, "0123", plain=True))
    assert read("a:\n  b: 1\n", "c.yaml").entries[0][1].line == 2
    assert tree.entries[1][1] == Sequence(3, (Scalar(3, "12:30", plain=True), Scalar(4, "yes", plain=False)))


def test_every_repetition_of_a_key_is_kept() -> None:
    """A key given twice must not vanish silently, as it does in YAML libraries."""
    assert len(read("a: 1\na: 2\n", "c.yaml").entries) == 2


@pytest.mark.parametrize("text", ["yes", "Yes", "YES", "true", "on", "True"])
def test_yaml_1_1_truth_values_are_known(text: str) -> None:
    """Yes, on and true mean the same, in the letter cases that YAML allows; in quotes they are words."""
    assert Scalar(1, text, plain=True).truth is True
    assert Scalar(1, text, plain=False).truth is None


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_is_known_unless_it_is_quoted(text: str) -> None:
    """An empty value, ~ and null say that there is none; in quotes they are text."""
    assert Scalar(1, text, plain=True).is_null
    assert not Scalar(1, text, plain=False).is_null


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c.yaml: is empty"),
        ("# only a comment\n", "c.yaml: is empty"),
        ("---\n", "c.yaml: is empty"),
        ("- a\n", "c.yaml:1: must hold keys"),
        ("\n\njust a word\n", "c.yaml:3: must hold keys"),
        ("&x {a: 1}", "c.yaml:1: has an anchor"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: a second YAML document"),
        ("a: 1\nb: 'open\n", "c.yaml:2: is no YAML from column 4 on: a quotation mark"),
        ("a:\n\tb: 1\n", "c.yaml:2: is no YAML from column 1 on: a tab"),
        ("a: 1\n  b: 2\n", "c.yaml:2: is no YAML from column 4 on: a key may not stand here"),
        ("a: &\n", "c.yaml:1: is no YAML from column 5 on: a syntax error"),
        ("a: {b: 1\n", "c.yaml:2: is no YAML from column 1 on: a bracket"),
        ("a: 1\nb: x\x07\n", "c.yaml:2: is no YAML: a control character"),
        ("\n\nb: x\x07", "c.yaml:3: is no YAML: a control character"),
        ("a: 1\nb: \ud800\n", "c.yaml:2: is no YAML: a control character"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', "c.yaml:2: is no YAML: a number or an escape"),
        ("%YAML 1." + "1" * 5000 + "\n---\na: 1\n", "c.yaml:1: is no YAML: a number or an escape"),
        ("a: " + "[" * 2000, "c.yaml:1: is nested too deeply"),
        ("a: " + "{a: " * 2000, "c.yaml:1: is nested too deeply"),
        ("a: " + "x" * 65536, "c.yaml: is over 64 KiB"),
        ("a: " + "\u20ac" * 30000, "c.yaml: is over 64 KiB"),
    ],
)
def test_what_is_no_configuration_is_told_once_and_with_its_line(text: str, expected: str) -> None:
    """One clear sentence, where the fault is, for every text that cannot be read at all."""
    assert fault(text).startswith(expected)


def test_as_much_is_read_as_is_said() -> None:
    """A document of 64 KiB, ten levels deep, is read; one byte more, or one level more, is no configuration."""
    assert len(read("a: " + "x" * (64 * 1024 - 3), "c.yaml").entries) == 1
    assert "64 KiB" in fault("a: " + "x" * (64 * 1024 - 2))
    assert len(read("a: " + "[" * 9 + "x" + "]" * 9, "c.yaml").entries) == 1
    assert "too deeply" in fault("a: " + "[" * 10 + "x" + "]" * 10)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("*x", "alias"),
        ("&y 1", "anchor"),
        ("!!python/object:os.system {}", "tag"),
        ("!!str 1", "tag"),
        ("! 1", "tag"),
    ],
)
def test_aliases_anchors_and_tags_are_refused_without_stopping_the_reading(value: str, why: str) -> None:
    """A YAML feature that is not taken is one fault among others, not the end of the check."""
    node = read(f"a: {value}\nb: 2\n", "c.yaml").entries[0][1]
    assert isinstance(node, Refused)
    assert why in node.why
    assert node.line == 1


SECRET = "hunter2-hunter2"  # noqa: S105 - stands for a secret, to be looked for


@pytest.mark.parametrize(
    "line",
    [
        f"api_code: '{SECRET}",
        f'api_code: "{SECRET}\\q"',
        f"api_code: {SECRET}: {SECRET}",
        f"api_code: *{SECRET}\n  {SECRET}",
        f"api_code: !{SECRET}! x",
        f"api_code: !<{SECRET}",
        f"api_code: !{SECRET}%ff x",
        f"api_code: @{SECRET}",
        f"api_code: |{SECRET}",
        f"api_code: [{SECRET}",
        f"api_code: {{{SECRET}",
        f"%TAG !{SECRET}! {SECRET}",
        f"api_code: {SECRET}\x00",
    ],
)
def test_a_syntax_error_never_shows_the_line_it_is_in(line: str) -> None:
    """A broken line may hold the API code: neither the message nor the traceback repeats any of it."""
    with pytest.raises(ConfigError) as caught:
        read(f"api:\n  {line}\n", "c.yaml")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "hunter2" not in shown.replace("tests/", "")
    assert caught.value.__context__ is None


@given(st.text(alphabet=st.sampled_from("ab:-#'\"[]{}&*!|>%@` \n\t,?~0\\Ux\x00\ufeff\ud800"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text, however broken, brings up anything but the fault in it."""
    try:
        answer: object = read(text, "c.yaml")
    except ConfigError as error:
        answer = error.faults
    assert isinstance(answer, Mapping) or (isinstance(answer, tuple) and len(answer) == 1)
