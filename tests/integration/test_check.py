"""`check`: says what is so and what would mend it, changes nothing, and disturbs nobody."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import pdf
from tests.integration.program import API_CODE, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.stand_in import StandIn


def _tree(folder: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(folder.rglob("*")):
        yield str(path), path.lstat().st_ctime_ns if path.is_file() else 0


def test_all_is_well(api: StandIn, place: Place) -> None:
    """A good configuration: status 0, one line for each thing that was looked at, nothing sent."""
    finished = run("check", "-c", place.config)
    assert finished.status == 0, finished.err
    assert finished.err == ""
    text = finished.out
    assert all(line.startswith(("ok ", "note ")) for line in text.splitlines())
    for word in (str(place.config), api.base_url, str(place.done), "file system", "leases", "API code"):
        assert word in text
    assert API_CODE not in text
    assert api.requests == []


def test_nothing_is_changed(place: Place) -> None:
    """Neither a folder is made nor a file touched, whether the folders are all there or not."""
    place.put("1.pdf", pdf())
    before = list(_tree(place.root))
    assert run("check", "-c", place.config).status == 0
    assert list(_tree(place.root)) == before
    assert place.once().status == 0
    place.put("2.pdf", pdf())
    before = list(_tree(place.root))
    assert run("check", "-c", place.config).status == 0
    assert list(_tree(place.root)) == before


def test_a_running_daemon_is_not_disturbed(api: StandIn, place: Place, start: Start) -> None:
    """While the daemon works: status 0, said as a note, and the daemon goes on."""
    daemon = start()
    finished = run("check", "-c", place.config)
    assert finished.status == 0, finished.out
    assert "another invoice-watcher works on" in finished.out
    place.put("1.pdf", pdf())
    place.until_done("1.pdf")
    assert daemon.stop() == 0


def test_the_drop_folder_is_missing(place: Place) -> None:
    """Status 78, and what to do about it."""
    place.drop.rmdir()
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{place.drop} does not exist; create it" in finished.out + finished.err
    assert not place.drop.exists()


@pytest.mark.parametrize("folder", ["done", "failed", ".processing"])
def test_a_file_in_the_place_of_a_folder(place: Place, folder: str) -> None:
    """A file called like a folder, or a link: status 78, and its name."""
    for name in {"done", "failed", ".processing"} - {folder}:
        (place.drop / name).mkdir()
    (place.drop / folder).write_text("no folder")
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{place.drop / folder} is not a folder" in finished.out + finished.err


def test_folders_and_api_code_are_both_told(place: Place) -> None:
    """Two things are wrong in two places: both are told in one go."""
    place.configure(api__api_code=None)
    place.drop.rmdir()
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert str(place.drop) in finished.out + finished.err
    assert "no API code found" in finished.out + finished.err


def test_a_configuration_with_the_secret_that_everyone_can_read(place: Place) -> None:
    """It works, but deserves a word, with the command that mends it."""
    place.config.chmod(0o644)
    finished = run("check", "-c", place.config)
    assert finished.status == 0
    assert f"chmod o= {place.config}" in finished.out


def test_the_schema_is_json(tmp_path: Path) -> None:
    """`check --schema` needs no configuration, and prints a JSON Schema that knows every documented key."""
    finished = run("check", "--schema")
    assert finished.status == 0
    schema = json.loads(finished.out)
    assert schema["additionalProperties"] is False
    assert {"drop_dir", "order_id_pattern", "api", "settle", "retry", "log"} <= schema["properties"].keys()
    text = json.dumps(schema)
    for key in ("incomplete_after", "max_attempts", "api_code_file", "read_timeout", "ca_bundle", "textfile"):
        assert f'"{key}"' in text


def test_colours_are_for_terminals_only(place: Place) -> None:
    """In a pipe there is nothing but text."""
    assert "\x1b" not in run("check", "-c", place.config, env={"TERM": "xterm-256color"}).out
    assert os.linesep == "\n"
