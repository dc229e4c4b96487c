"""Where the API code comes from, and what else in a configuration deserves a word.

Asks the file system and the given environment, nothing else. `locate_api_code` raises ConfigError, the
administrator's fault, and never shows what it found; `warnings` raises nothing.
"""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.config.secret import Secret, is_guid, without_codes
from invoice_watcher.errors import ConfigError, ConfigFault
from invoice_watcher.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from invoice_watcher.config.model import Config

VARIABLE = "INVOICE_WATCHER_API_CODE"
CREDENTIAL = "api-code"
_LARGEST_FILE = 4096


class Located(NamedTuple):
    """An API code, in words where it was found, and the file that holds it, if any does but the configuration."""

    code: Secret
    where: str
    path: Path | None = None


def find_api_code(config: Config, environ: Mapping[str, str]) -> Secret:
    """Return the API code of the first source that has one; raises ConfigError as `locate_api_code` does."""
    return locate_api_code(config, environ).code


def locate_api_code(config: Config, environ: Mapping[str, str]) -> Located:
    """Return the API code of the first source that has one, and which that is.

    In this order: the systemd credential `api-code` (systemd.exec(5), LoadCredential=), the file
    `api.api_code_file`, the variable `INVOICE_WATCHER_API_CODE`, the key `api.api_code`. The first source
    that is there decides: when it is bad, the next ones are not asked, for that would send invoices with a
    code nobody meant.

    Raises:
        ConfigError: with one fault, when that source is bad or there is none.
    """
    credential = _credential(environ)
    if credential is not None:
        code = _checked(_content(credential), str(credential), "")
        return Located(code, f"systemd credential {CREDENTIAL}", credential)
    if (file := config.api.api_code_file) is not None:
        return Located(_of_file(file), "file api.api_code_file", file)
    if environ.get(VARIABLE):
        return Located(_checked(environ[VARIABLE], f"${VARIABLE}", ""), f"variable ${VARIABLE}")
    if config.api.api_code is not None:
        return Located(_checked(config.api.api_code.reveal(), "configuration", "api.api_code"), "key api.api_code")
    raise _fault(
        "configuration",
        "api.api_code_file",
        "no API code found; name the file that holds it in api.api_code_file, or hand it over as the systemd "
        f"credential {CREDENTIAL}, in ${VARIABLE}, or in api.api_code",
    )


def warnings(config: Config, path: Path) -> tuple[ConfigFault, ...]:
    """Return what works in the configuration at `path` but deserves a word, most important first."""
    where = escape(str(path))
    return tuple(ConfigFault(where, key, text) for key, text in _doubts(config, path))


def _doubts(config: Config, path: Path) -> Iterator[tuple[str, str]]:
    if config.api.api_code is not None and _open_to_all(path):
        yield (
            "api.api_code",
            f"everyone can read the API code in this file; run: chmod o= {_quoted(path)}",
        )
    if config.notify.urls and _open_to_all(path):
        yield "notify.urls", f"everyone can read the passwords and tokens in these; run: chmod o= {_quoted(path)}"
    if path.absolute().parent == config.drop_dir:
        yield "drop_dir", "holds this configuration, which would be taken for an invoice; move one of them"


def _open_to_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _credential(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = Path(folder) / CREDENTIAL
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _fault(str(path), "", f"cannot be read: {error.strerror}") from None
    return path


def _of_file(path: Path) -> Secret:
    key = "api.api_code_file"
    text = _content(path, key)
    if _open_to_all(path):
        raise _fault(str(path), key, f"can be read by everyone; run: chmod o= {_quoted(path)}")
    return _checked(text, str(path), key)


def _content(path: Path, key: str = "") -> str:
    """Return the text of a small regular file; asked first what it is, for opening a FIFO would block."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _fault(str(path), key, "is no regular file; it must hold the API code and nothing else")
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _fault(str(path), key, f"cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise _fault(str(path), key, "is over 4 KiB long; it must hold the API code and nothing else")
    return content.decode("utf-8-sig", "replace")


def _checked(text: str, where: str, key: str) -> Secret:
    code = text.strip()
    if not is_guid(code):
        raise _fault(where, key, "holds no API code: it must be a GUID of 36 characters (what it holds is not shown)")
    return Secret(code)


def _quoted(path: Path) -> str:
    return escape(shlex.quote(str(path)))


def _fault(where: str, key: str, text: str) -> ConfigError:
    return ConfigError([ConfigFault(escape(without_codes(where)), key, without_codes(text))])
