"""The configuration: a YAML file becomes one frozen `Config`, or the list of all that is wrong with it.

`model` and `sections` say what there is, `keys` lists it, `forms`, `names`, `addresses` and `units` how each value is
read, `document` turns YAML into nodes with lines, `parsing` joins them, `conflicts` judges values together,
`authorities` looks at the file of trusted certificates, `credentials` finds the API code, which is a `secret`, and
`json_schema` tells editors. All is pure but `load`, `find_api_code`, `locate_api_code` and `warnings`, which ask the
file system.

Every fault is a ConfigError and the administrator's; no fault shows a value that may be a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoice_watcher.config.authorities import unfit_bundle
from invoice_watcher.config.credentials import Located, find_api_code, locate_api_code, warnings
from invoice_watcher.config.document import LARGEST_DOCUMENT
from invoice_watcher.config.json_schema import schema, schema_text
from invoice_watcher.config.model import ORDER_ID_PATTERN, Config
from invoice_watcher.config.parsing import parse
from invoice_watcher.config.secret import Secret
from invoice_watcher.config.sections import BASE_URLS, Api, Log, Metrics, Notify, Retry, Settle
from invoice_watcher.config.units import duration, show_duration, show_size, size
from invoice_watcher.errors import ConfigError, ConfigFault
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BASE_URLS",
    "ORDER_ID_PATTERN",
    "Api",
    "Config",
    "Located",
    "Log",
    "Metrics",
    "Notify",
    "Retry",
    "Secret",
    "Settle",
    "duration",
    "find_api_code",
    "load",
    "locate_api_code",
    "parse",
    "schema",
    "schema_text",
    "show_duration",
    "show_size",
    "size",
    "warnings",
]


def load(path: Path) -> Config:
    """Return the configuration in the file `path`: UTF-8, with or without a byte order mark, 64 KiB at most.

    Raises:
        ConfigError: with every fault found in it, or with one when it cannot be read.
    """
    where = escape(str(path))
    try:
        if path.is_fifo():  # opening it would wait for whoever writes into it
            raise ConfigError([ConfigFault(where, "", "is a pipe; it must be a file")])
        with path.open("rb") as file:
            content = file.read(LARGEST_DOCUMENT + 1)
    except FileNotFoundError:
        text = "no configuration here; copy config.example.yaml to this place and set drop_dir"
        raise ConfigError([ConfigFault(where, "", text)]) from None
    except OSError as error:
        raise ConfigError([ConfigFault(where, "", f"cannot be read: {error.strerror}")]) from None
    return parse(_decoded(content, where), where=where, base=path.absolute().parent, look=unfit_bundle)


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    # Raised out here: the UnicodeDecodeError holds the whole file, secrets and all.
    raise ConfigError([ConfigFault(f"{where}:{line}", "", "is not UTF-8; save the file in that encoding")])
