"""What the configuration alone shows: where the API code is, who may read it, and where the status page goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.checks.configuration import look_at_api_code, look_at_configuration, look_at_status_page
from invoice_watcher.config import Api, Config, Secret
from tests.support.findings import Line, lines, only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"


def _told(config: Config, path: Path, environ: Mapping[str, str] | None = None) -> list[Line]:
    told = lines(look_at_api_code(config, path, environ or {}))
    assert CODE not in repr(told)
    return told


def _file(tmp_path: Path, mode: int) -> Path:
    path = tmp_path / "code.txt"
    path.write_text(CODE)
    path.chmod(mode)
    return path


def test_the_source_of_the_api_code_is_told(tmp_path: Path) -> None:
    """`check` tells from which of four places the API code comes, and never what it is."""
    (tmp_path / "api-code").write_text(CODE)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "INVOICE_WATCHER_API_CODE": CODE}
    config = Config(drop_dir=tmp_path, api=Api(api_code=Secret(CODE)))
    for wanted in (f"credential api-code, {tmp_path / 'api-code'}", "$INVOICE_WATCHER_API_CODE", "key api.api_code"):
        (line,) = _told(config, tmp_path, environ)
        assert (line.grade, wanted in line.text) == ("ok", True)
        environ.pop(next(iter(environ), ""), None)
    file = _file(tmp_path, 0o600)
    (line,) = _told(Config(drop_dir=tmp_path, api=Api(api_code_file=file)), tmp_path)
    assert (line.grade, f"found (file api.api_code_file, {file})" in line.text) == ("ok", True)


@pytest.mark.parametrize("mode", [0o604, 0o644])
def test_a_file_that_everyone_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """An API code file that everyone can read is a fault, with the command that mends it."""
    file = _file(tmp_path, mode)
    (line,) = _told(Config(drop_dir=tmp_path, api=Api(api_code_file=file)), tmp_path)
    assert (line.grade, f"chmod o= {file}" in line.text) == ("fault", True)


def test_no_api_code(tmp_path: Path) -> None:
    """Without an API code `check` names the places where it could be."""
    (line,) = _told(Config(drop_dir=tmp_path), tmp_path)
    assert (line.grade, "api.api_code_file" in line.text) == ("fault", True)


def test_clerks_who_can_read_the_api_code(tmp_path: Path) -> None:
    """An API code file open to the group that may write into the drop folder gets a note, with the command."""
    drop, file = tmp_path / "drop", _file(tmp_path, 0o640)
    drop.mkdir()
    drop.chmod(0o3770)
    found, note = _told(Config(drop_dir=drop, api=Api(api_code_file=file)), tmp_path)
    assert (found.grade, note.grade) == ("ok", "note")
    assert f"chmod g= {file}" in note.text
    configured = Config(drop_dir=drop, api=Api(api_code=Secret(CODE)))
    assert [line.grade for line in _told(configured, file)] == ["ok", "note"]
    file.chmod(0o600)
    assert [line.grade for line in _told(configured, file)] == ["ok"]


def test_the_configuration_and_its_doubts(tmp_path: Path) -> None:
    """Where it was read from, what works and deserves a word, and to which address the invoices go."""
    config = Config(drop_dir=tmp_path, api=Api(base_url="https://api.example.com"))
    told = lines(look_at_configuration(config, tmp_path / "config.yaml"))
    assert [line.grade for line in told] == ["ok", "note", "ok"]
    assert "would be taken for an invoice" in told[1].text
    assert told[2].text == "API: https://api.example.com"


def test_a_status_page_that_has_no_place(tmp_path: Path) -> None:
    """A folder or a link in the place of the status page is told; it stops no invoice."""
    config = Config(drop_dir=tmp_path)
    page = tmp_path / "status.html"
    assert list(look_at_status_page(config)) == []
    page.write_text("<!DOCTYPE html>")
    assert list(look_at_status_page(config)) == []
    page.unlink()
    os.mkfifo(page)
    assert only(look_at_status_page(config)).grade == "note"
    page.unlink()
    page.mkdir()
    line = only(look_at_status_page(config))
    assert (line.grade, f"{page} is a folder" in line.text) == ("note", True)
    assert list(look_at_status_page(Config(drop_dir=tmp_path, status_page=None))) == []
