"""Each reason for which an invoice is not delivered tells the clerk what to do."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher import policy
from invoice_watcher.hints import DEFAULT, REASONS, hint_for
from invoice_watcher.outcome import API_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(policy.__file__).parent

# Where a reason stands among the arguments of the calls that give one.
_PLACES = {"rejected_locally": 1, "_deferred_locally": 1, "Problem": 2, "hint_for": 0}


def literal_reasons() -> Iterator[str]:
    """Yield each reason that the program's source gives in plain words."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=args) if name in _PLACES and len(args) > _PLACES[name]:
                    reason = args[_PLACES[name]]
                    if isinstance(reason, ast.Constant):
                        yield str(reason.value)


def table_rows() -> list[policy.Row]:
    """Return every row of every table of the policy, single rows among them."""
    values = list(vars(policy).values())
    in_tables = [row for value in values if isinstance(value, dict) for row in value.values()]
    return [value for value in [*values, *in_tables] if isinstance(value, policy.Row)]


@cache
def reasons() -> set[str]:
    """Return every reason that the program may give; looked for when asked for, not by whoever collects tests."""
    from_tables = [row.reason for row in table_rows()] + [code.reason for code in API_CODES.values()]
    return {*literal_reasons(), *from_tables, "keeps_failing"}


def test_the_reasons_are_found() -> None:
    """The reasons that the program gives are found in its source, so that what follows compares something."""
    assert {"bad_name", "empty", "poison", "changed", "not_recordable"} <= set(literal_reasons())
    assert {"http_400", "tls", "redirected", "unclear_answer", "web_page", "stopped"} <= reasons()


def test_every_reason_has_words_of_its_own() -> None:
    """A clerk is never left with a bare `reason`, nor with advice that fits everything."""
    assert reasons() - REASONS == set()
    assert [reason for reason in reasons() if hint_for(reason) == DEFAULT] == []


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_hint_is_sentences_for_people(reason: str) -> None:
    """A hint is whole sentences in one line, and says what to do, or that there is nothing to do."""
    hint = hint_for(reason)
    assert hint[0].isupper()
    assert hint.endswith(".")
    assert hint.isprintable()
    assert any(word in hint for word in ("drop", "Send", "Nothing to do", "administrator"))


def test_an_unknown_reason_still_gets_advice() -> None:
    """A sidecar of a newer version can be shown too."""
    assert hint_for("invented_tomorrow") == DEFAULT
