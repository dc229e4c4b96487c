"""Where the API code comes from, and what never happens to it."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoice_watcher.config import Config, Secret, find_api_code, load, parse, warnings
from invoice_watcher.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDS = [f"0f8fad5b-d9cb-469f-a165-70867728950{digit}" for digit in range(4)]
SECRET = "hunter2hunter2"  # noqa: S105 - stands for a secret, to be looked for


class Sources:
    """The four places where an API code can be."""

    def __init__(self, folder: Path) -> None:
        self.credential = folder / "api-code"
        self.file = folder / "code.txt"
        self.folder = folder

    def fill(self, first: int) -> None:
        """Put codes into the sources from number `first` on, the others being absent."""
        if first == 0:
            self.credential.write_text(GUIDS[0])
        if first <= 1:
            self.file.write_text(GUIDS[1])
            self.file.chmod(0o640)

    def config(self, first: int) -> Config:
        """Return a configuration that names the sources from number `first` on."""
        file = f"api_code_file: {self.file}, " if first <= 1 else ""
        inline = f"api_code: {GUIDS[3]}" if first <= 3 else ""
        return parse(f"drop_dir: /srv\napi: {{{file}{inline}}}", where="c.yaml", base=self.folder)

    def environ(self, first: int) -> Mapping[str, str]:
        """Return the environment of a service with a credentials folder."""
        variable = {"INVOICE_WATCHER_API_CODE": GUIDS[2]} if first <= 2 else {}
        return {"CREDENTIALS_DIRECTORY": str(self.folder), **variable}

    def find(self, first: int) -> Secret:
        """Look for the code."""
        return find_api_code(self.config(first), self.environ(first))


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Return the sources, all empty."""
    return Sources(tmp_path)


def refusal(sources: Sources, first: int) -> str:
    """Return why no code is given out; no part of it may show what was found."""
    with pytest.raises(ConfigError) as caught:
        sources.find(first)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    (fault,) = caught.value.faults
    return str(fault)


@pytest.mark.parametrize("first", range(4))
def test_the_first_source_that_is_there_is_used(sources: Sources, first: int) -> None:
    """Of several API codes the credential goes before the file, that before the variable and the configuration."""
    sources.fill(first)
    assert sources.find(first).reveal() == GUIDS[first]


def test_without_any_source_all_four_ways_are_named(sources: Sources) -> None:
    """A new administrator learns where the code can be put."""
    why = refusal(sources, 4)
    for way in (
        "api.api_code_file",
        "systemd credential api-code",
        "$INVOICE_WATCHER_API_CODE",
        "api.api_code",
    ):
        assert way in why


@pytest.mark.parametrize("content", [SECRET, "", f"{GUIDS[0]} {SECRET}", f"{GUIDS[0]}\n{SECRET}", f"{{{GUIDS[0]}}}"])
def test_a_bad_source_is_told_and_never_passed_over(sources: Sources, content: str) -> None:
    """A mistyped credential does not make the program send invoices with another account's code."""
    sources.fill(0)
    sources.credential.write_text(content)
    assert "GUID of 36 characters" in refusal(sources, 0)
    sources.credential.unlink()
    sources.file.write_text(content)
    assert f"{sources.file}: api.api_code_file: holds no API code" in refusal(sources, 1)


def test_a_bad_variable_is_told_and_an_empty_one_counts_as_not_set(sources: Sources) -> None:
    """An emptied variable is how one unsets it in a unit file."""
    config = sources.config(3)
    with pytest.raises(ConfigError, match=r"\$INVOICE_WATCHER_API_CODE: holds no API code") as caught:
        find_api_code(config, {"INVOICE_WATCHER_API_CODE": SECRET})
    assert SECRET not in str(caught.value)
    assert find_api_code(config, {"INVOICE_WATCHER_API_CODE": ""}).reveal() == GUIDS[3]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GUIDS[1].encode() + b"\r\n", f"  {GUIDS[1]}\n\n".encode()])
def test_white_space_and_a_byte_order_mark_around_the_code_do_not_matter(sources: Sources, content: bytes) -> None:
    """Editors leave a newline, and those of Windows a byte order mark."""
    sources.fill(1)
    sources.file.write_bytes(content)
    assert sources.find(1).reveal() == GUIDS[1]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_a_code_file_that_everyone_can_read_is_refused_with_the_remedy(sources: Sources, mode: int) -> None:
    """An API code file that everyone can read is refused, with the command that mends it."""
    sources.fill(1)
    sources.file.chmod(mode)
    assert f"chmod o= {sources.file}" in refusal(sources, 1)


def test_a_code_file_that_is_missing_is_told(sources: Sources) -> None:
    """A file that is named and not there is a mistake, not a reason to look elsewhere."""
    assert "No such file" in refusal(sources, 1)


def test_what_is_no_small_regular_file_is_refused(sources: Sources, tmp_path: Path) -> None:
    """A folder, a FIFO (which would block) and a large file hold no API code."""
    sources.file.mkdir()
    assert "no regular file" in refusal(sources, 1)
    sources.file.rmdir()
    _make_fifo(sources.file)
    assert "no regular file" in refusal(sources, 1)
    sources.file.unlink()
    sources.file.write_text(GUIDS[1] + " " * 5000)
    assert "over 4 KiB" in refusal(sources, 1)
    sources.credential.symlink_to(tmp_path / "nothing")
    assert "cannot be read" in refusal(sources, 0)


def _make_fifo(path: Path) -> None:
    import os  # noqa: PLC0415 - for this alone

    os.mkfifo(path, 0o600)


def test_a_secret_is_shown_nowhere() -> None:
    """Neither print, nor a log line, nor a debugger's repr, nor a pickle gives the code away."""
    secret = Secret(SECRET)
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} {secret!s} %s" % secret
    assert SECRET not in shown
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.copy(secret)


def test_secrets_can_be_compared() -> None:
    """Two configurations with the same code are equal, as a reload wants to know."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("\udcff")}) == 2


@pytest.mark.parametrize(("mode", "expected"), [(0o644, ["api.api_code"]), (0o640, [])])
def test_a_code_in_a_file_that_everyone_can_read_deserves_a_word(
    tmp_path: Path, mode: int, expected: list[str]
) -> None:
    """It works, but the administrator is told, with the command that mends it."""
    path = tmp_path / "c.yaml"
    path.write_text(f"drop_dir: in\napi: {{api_code: {GUIDS[0]}}}\n")
    path.chmod(mode)
    found = warnings(load(path), path)
    assert [fault.key for fault in found] == expected
    assert all(f"chmod o= {path}" in fault.text for fault in found)


def test_addresses_that_everyone_can_read_deserve_a_word(tmp_path: Path) -> None:
    """An address to be notified holds a password or a token, and so should be hidden as the API code is."""
    path = tmp_path / "c.yaml"
    path.write_text("drop_dir: in\nnotify: {urls: ['mailto://u:hunter2@example.org']}\n")
    path.chmod(0o644)
    (found,) = warnings(load(path), path)
    assert found.key == "notify.urls"
    assert "chmod o=" in found.text
    assert "hunter2" not in str(found)
    path.chmod(0o640)
    assert warnings(load(path), path) == ()


def test_a_configuration_in_its_own_drop_folder_deserves_a_word(tmp_path: Path) -> None:
    """The program would put its own configuration aside as a bad invoice."""
    path = tmp_path / "c.yaml"
    path.write_text("drop_dir: .\n")
    assert [fault.key for fault in warnings(load(path), path)] == ["drop_dir"]


def test_the_example_deserves_no_word() -> None:
    """Nobody who starts from the example is warned of it, readable as it is."""
    path = Path(__file__).parents[2] / "config.example.yaml"
    assert warnings(load(path), path) == ()


def test_a_file_that_is_named_like_an_api_code_is_not_shown(tmp_path: Path) -> None:
    """The code was pasted behind the folder of its file: what cannot be opened is told without it."""
    settings = parse(f"drop_dir: /srv\napi: {{api_code_file: {tmp_path}/{GUIDS[0]}}}", where="c", base=tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_api_code(settings, {})
    assert "cannot be read: No such file" in str(caught.value)
    assert GUIDS[0][:8] not in str(caught.value)
