"""The configuration as JSON Schema (draft 2020-12), for editors that check YAML while it is typed.

Made from the model: the same forms that read the values describe them. It says less than `parse` does
(nothing about values that contradict each other), and refuses nothing that `parse` takes but yes, no, on and
off, which editors that follow YAML 1.2 see as text. Pure; raises nothing.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from re import Pattern
from typing import TYPE_CHECKING

from invoice_watcher.config.forms import Duration, Setting, Size
from invoice_watcher.config.keys import keys
from invoice_watcher.config.model import Config
from invoice_watcher.config.units import show_duration, show_size
from invoice_watcher.record import NO_DEFAULT

if TYPE_CHECKING:
    from invoice_watcher.config.forms import JsonSchema
    from invoice_watcher.config.keys import Key, Section


def schema() -> JsonSchema:
    """Return the schema of a whole configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of invoice-watcher",
        **_section(Config),
    }


def schema_text() -> str:
    """Return the schema as the text of `config.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _section(section: type[Section]) -> JsonSchema:
    found: JsonSchema = {
        "description": (section.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": {key.name: _key(key) for key in keys(section)},
        "additionalProperties": False,
    }
    required = [key.name for key in keys(section) if isinstance(key.what, Setting) and key.default is NO_DEFAULT]
    return {**found, "required": required} if required else found


def _key(key: Key) -> JsonSchema:
    if not isinstance(key.what, Setting):
        return {**_section(key.what), "type": ["object", "null"]}
    found = {"description": key.what.about, **_value(key.what)}
    if key.default is not NO_DEFAULT:
        found["default"] = _written(key.what, key.default)
    return found


def _value(setting: Setting) -> JsonSchema:
    value = setting.form.json_schema()
    if setting.many:
        return {"type": ["array", "null"], "items": value}
    return _or_null(value) if setting.null else value


def _or_null(value: JsonSchema) -> JsonSchema:
    kinds = value["type"]
    return {**value, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}


def _written(setting: Setting, default: object) -> object:
    """Return a default as a person would write it."""
    if isinstance(setting.form, Duration) and isinstance(default, float):
        return show_duration(default)
    if isinstance(setting.form, Size) and isinstance(default, int):
        return show_size(default)
    if isinstance(default, Pattern):
        return default.pattern
    if isinstance(default, PurePath):
        return str(default)
    if isinstance(default, tuple):
        return list(default)
    # The one empty default is base_url's, which is filled in by circumstance.
    return None if default == "" else default
