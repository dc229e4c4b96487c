"""`check`: says what is so and what would mend it, changes nothing, and disturbs nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.clock import JUMPS, clock
from tests.faults.users import CLERK, DAEMON, INVOICES, as_daemon, as_user, installed, needs_users
from tests.integration.place import pdf
from tests.integration.program import API_CODE, ROOT, redirected, run
from tests.integration.terminal import at_a_terminal

__all__ = ["clock"]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.clock import Clock
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
    for word in (
        str(place.config),
        api.base_url,
        str(place.done),
        "file system",
        "room",
        "leases",
        "inotify",
        "API code",
    ):
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
    """A drop folder that does not exist: `check` ends with 78, says to create it, and creates nothing."""
    place.drop.rmdir()
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{place.drop} does not exist; create it" in finished.out + finished.err
    assert not place.drop.exists()


@pytest.mark.parametrize("folder", ["done", "failed", ".processing"])
def test_a_file_in_the_place_of_a_folder(place: Place, folder: str) -> None:
    """A file called like a folder: status 78, and its name."""
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
    """An API code in a configuration that everyone can read: a note with the command that mends it, and status 0."""
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
    """In a pipe there is nothing but text; at a terminal neither, for whoever wants no colours (no-color.org)."""
    assert "\x1b" not in run("check", "-c", place.config, env={"TERM": "xterm-256color"}).out
    assert "\x1b[32m" in at_a_terminal("check", "-c", place.config).terminal
    assert "\x1b" not in at_a_terminal("check", "-c", place.config, NO_COLOR="1").terminal


TELLING = [("--help",), ("--version",), ("check", "--help"), ("check", "--schema"), ("check", "-c")]


@pytest.mark.parametrize("arguments", TELLING)
def test_what_cannot_be_printed_is_said(place: Place, arguments: tuple[str, ...]) -> None:
    """Standard output is full or closed: a sentence on stderr, and a status that a script notices."""
    if arguments[-1] == "-c":
        arguments += (str(place.config),)
    for redirection, reason in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
        finished = redirected(redirection, *arguments)
        assert finished.err == f"invoice-watcher: cannot write to the standard output: {reason}\n"
        assert finished.status == 1
        assert redirected(f"{redirection} 2>&-", *arguments).status == 1


@pytest.mark.parametrize("arguments", TELLING)
def test_a_reader_that_goes_away_is_no_fault(place: Place, arguments: tuple[str, ...]) -> None:
    """A reader that goes away, as in `check | head -1`, is no fault: nothing is said, and the status is 0."""
    if arguments[-1] == "-c":
        arguments += (str(place.config),)
    assert redirected("| true", *arguments) == (0, "", "")


def test_a_wrong_configuration_outweighs_a_full_output(place: Place) -> None:
    """With a wrong configuration and a full standard output the status is still 78, as if all could be printed."""
    place.drop.rmdir()
    assert redirected(">/dev/full 2>/dev/full", "check", "-c", place.config).status == 78
    place.config.write_text("")
    assert redirected(">&- 2>&-", "check", "-c", place.config).status == 78


def test_a_clock_that_was_never_set(place: Place, start: Start, clock: Clock) -> None:
    """A machine that believes it is 1970: status 1, for configuration and folders are in order."""
    clock.set(JUMPS["1970"])
    program = start("check", "-c", place.config, **clock.env)
    assert program.wait() == 1
    assert "fault clock: this machine believes it is 1970-01-" in program.out
    assert "timedatectl" in program.out


def _unprivileged(*arguments: object) -> tuple[int, str]:
    """Run the program without the right to overlook permissions; returns the status, and all that it said."""
    command = [*_POWERLESS, sys.executable, "-m", "invoice_watcher", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


_POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.fixture
def shut(place: Place) -> Iterator[Path]:
    """A folder that its owner may not enter."""
    shut = place.root / "shut"
    shut.mkdir()
    (shut / "drop").mkdir()
    shut.chmod(0)
    yield shut
    shut.chmod(0o700)


@pytest.mark.parametrize("key", ["done_dir", "failed_dir", "work_dir"])
def test_a_folder_beyond_one_that_is_shut(place: Place, shut: Path, key: str) -> None:
    """This user may not search a folder on the way: status 78, which one, and what to do."""
    place.configure(**{key: str(shut / "in")})
    status, text = _unprivileged("check", "-c", place.config)
    assert status == 78
    assert f"{shut / 'in'} cannot be reached (Permission denied); let this user (" in text
    assert f") search {shut}\n" in text


def test_a_drop_folder_beyond_one_that_is_shut(place: Place, shut: Path) -> None:
    """A drop folder that this user cannot reach: status 78, which folder, said once, and what to do."""
    place.configure(drop_dir=str(shut / "drop"))
    status, text = _unprivileged("check", "-c", place.config)
    assert status == 78
    assert text.count(f"{shut / 'drop'} cannot be reached (Permission denied); let this user (") == 1
    assert f") search {shut}\n" in text


def test_a_configuration_beyond_reach(place: Place, shut: Path) -> None:
    """A configuration that this user may not read, or not even get to: status 78, and why."""
    place.config.chmod(0)
    for path in (place.config, shut / "config.yaml"):
        assert _unprivileged("check", "-c", path) == (
            78,
            f"invoice-watcher: {path}: cannot be read: Permission denied\n",
        )


LONG = "/" + "/".join(["x" * 200] * 25)  # the kernel takes 4095 bytes (PATH_MAX)


def test_a_path_that_is_too_long(place: Place) -> None:
    """A path longer than the kernel takes: status 78, and the advice to give a shorter one."""
    place.configure(done_dir=LONG)
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{LONG} cannot be reached (File name too long); give it a shorter path" in finished.out
    place.configure(drop_dir=LONG, done_dir="done")
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{LONG} cannot be reached (File name too long); give it a shorter path" in finished.out


def test_a_link_that_leads_nowhere_in_the_place_of_a_folder(place: Place) -> None:
    """It would not be replaced by a folder, so `check` does not say that one will be created."""
    for name in ("failed", ".processing"):
        (place.drop / name).mkdir()
    (place.drop / "done").symlink_to("nowhere")
    finished = run("check", "-c", place.config)
    assert finished.status == 78
    assert f"{place.drop / 'done'} is a symbolic link" in finished.out


ODD_CONFIGURATIONS = {
    "/": "cannot be read: Is a directory",
    "": "cannot be read: Is a directory",
    "/dev/zero": "is over 64 KiB long",
    "x" * 256: "cannot be read: File name too long",
    LONG: "cannot be read: File name too long",
    "/a\nb\x1b[31m": r"/a\nb\x1b[31m: no configuration here",
}


@pytest.mark.parametrize("path", ODD_CONFIGURATIONS)
def test_what_is_no_configuration(path: str) -> None:
    """A folder, a device, a name that cannot be: status 78, and one line that says so."""
    finished = run("check", "-c", path)
    assert (finished.status, finished.out, finished.err.count("\n")) == (78, "", 1)
    assert ODD_CONFIGURATIONS[path] in finished.err


def test_a_pipe_is_no_configuration(tmp_path: Path) -> None:
    """A FIFO is refused; the command does not wait for its writer."""
    os.mkfifo(tmp_path / "config.yaml")
    finished = run("check", "-c", tmp_path / "config.yaml", timeout=20)
    assert (finished.status, "is a pipe; it must be a file" in finished.err) == (78, True)


@needs_users
def test_the_service_and_others_on_an_installation(api: StandIn, start: Start) -> None:
    """The service finds all well; without its capability a note tells so; root is sent to it; a clerk is no service."""
    with installed(api.base_url) as place:
        place.config.chmod(0o644)
        place.configure(api__api_code=None)
        code = {"INVOICE_WATCHER_API_CODE": API_CODE}
        told = []
        for within in (as_daemon(), as_user(DAEMON, INVOICES), (), as_user(CLERK.uid, INVOICES)):
            program = start("check", "-c", place.config, within=within, **code)
            told.append((program.wait(), program.out))
    (service, plain, root, clerk) = told
    assert [status for status, _ in told] == [0, 0, 0, 78]
    assert "note " not in service[1]
    assert "note  leases: not for the files of other users" in plain[1]
    assert "note  user: this was tried as root" in root[1]
    assert f"{place.work} may not be read, written and searched by this user; run check as {DAEMON}" in clerk[1]
