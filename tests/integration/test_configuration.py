"""The configuration: every fault at once and with its line, and the API code from four sources and in no output."""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import documents, names, pdf, sidecar
from tests.integration.program import API_CODE, EXECUTED, run, until
from tests.support.rawserver import RawServer, answer, answering

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Finished
    from tests.integration.stand_in import StandIn
    from tests.support.rawserver import Peer

CODES = {
    source: f"{number}ec2e7c0-de0f-4a11-bea2-1a7e57001dea"
    for number, source in enumerate(("credential", "file", "variable", "configuration"))
}

FAULTY = """\
drop_dir: {drop}
drop_dir: {drop}
colour: blue
max_size: 10 elephants
receipts: perhaps
api:
  base_url: http://example.com/web-api
  workers: 0
  api_code: {secret}-and-more
settle:
  quiet: 5 minutes
  quite: 1s
  mode: sometimes
retry:
  initial: 10m
  max: 1s
log: [info]
order_id_pattern: "("
"""
# The dotted key of each fault, and its line.
FAULTS = {
    "drop_dir": 2,
    "colour": 3,
    "max_size": 4,
    "receipts": 5,
    "api.base_url": 7,
    "api.workers": 8,
    "api.api_code": 9,
    "settle.quiet": 11,
    "settle.quite": 12,
    "settle.mode": 13,
    "retry.initial": 15,
    "log": 17,
    "order_id_pattern": 18,
}


@pytest.mark.parametrize("command", [("run",), ("run", "--once"), ("check",), ("upload", __file__)])
def test_all_faults_are_told_at_once(place: Place, command: tuple[str, ...]) -> None:
    """An administrator sees every mistake in one go, each with file, line and key; no command starts with one."""
    place.write_config(FAULTY.format(drop=place.drop, secret=API_CODE))
    name, *rest = command
    finished = run(name, "-c", place.config, *rest)
    assert finished.status == 78
    for key, line in FAULTS.items():
        assert f"{place.config}:{line}: {key}: " in finished.err, key
    assert API_CODE not in finished.err + finished.out
    assert not place.done.exists()


BROKEN = {
    "a tab": "drop_dir: /srv\napi:\n\tapi_code: {secret}\n",
    "an open quotation mark": 'drop_dir: /srv\napi:\n  api_code: "{secret}\n',
    "a second colon": "drop_dir: /srv\napi:\n  api_code: {secret}: x: y\n",
    "an anchor": "drop_dir: /srv\napi:\n  api_code: &code {secret}\n",
    "a key": "drop_dir: /srv\n{secret}: api_code\n",
    "a tag": "drop_dir: !!python/name:os.system {secret}\n",
    "nothing": "",
    "a list": "- {secret}\n",
    "another type": "drop_dir: /srv\napi: {secret}\n",
    "no UTF-8": "drop_dir: /srv\n# \udcff {secret}\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_never_shows_the_secret(place: Place, what: str) -> None:
    """A slip of the keyboard near the API code: status 78, the file's name, and not a letter of the code."""
    text = BROKEN[what].format(secret=API_CODE)
    place.config.write_bytes(text.encode("utf-8", "surrogateescape"))
    finished = place.once()
    assert finished.status == 78
    assert str(place.config) in finished.err
    assert API_CODE[:8] not in finished.err + finished.out


def _sources(place: Place) -> dict[str, str]:
    """Provide all four sources; returns the environment that two of them need."""
    credentials = place.root / "credentials"
    credentials.mkdir()
    for path, source in ((credentials / "api-code", "credential"), (place.root / "api-code", "file")):
        path.touch(mode=0o600)
        path.write_text(CODES[source] + "\n")
    place.configure(api__api_code_file=str(place.root / "api-code"), api__api_code=CODES["configuration"])
    return {"CREDENTIALS_DIRECTORY": str(credentials), "INVOICE_WATCHER_API_CODE": CODES["variable"]}


def _shown_by_the_kernel(pid: int) -> bytes:
    """Return what all users of the machine see of a process: its command line, and the names of its threads."""
    shown = Path(f"/proc/{pid}/cmdline").read_bytes()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # threads come and go
            shown += (task / "comm").read_bytes()
    return shown


def _remove(place: Place, env: dict[str, str], source: str) -> None:
    if source == "credential":
        (place.root / "credentials" / "api-code").unlink()
    elif source == "file":
        place.configure(api__api_code_file=None)
    elif source == "variable":
        env["INVOICE_WATCHER_API_CODE"] = ""


def test_the_api_code_comes_from_the_first_source_that_has_one(api: StandIn, place: Place, start: Start) -> None:
    """Credential, file, variable, configuration, in this order; none of them is seen anywhere but in the header."""
    env = _sources(place)
    for number, source in enumerate(CODES):
        daemon = start("run", "-c", place.config, within=EXECUTED, **env)
        place.put(f"{number}.pdf", pdf())
        place.until_done(f"{number}.pdf")
        assert b"ec2e7c0" not in _shown_by_the_kernel(daemon.pid)
        assert daemon.stop() == 0
        assert api.requests[-1].api_code == CODES[source]
        assert "ec2e7c0" not in daemon.err + daemon.out
        _remove(place, env, source)
    for path in place.drop.rglob("*.json"):
        assert "ec2e7c0" not in path.read_text()


@pytest.mark.parametrize(
    "key", ["api__api_code_file", "api__api_kode", "api__environment", "api__base_url", "max_size"]
)
def test_an_api_code_that_slipped_is_not_shown(place: Place, key: str) -> None:
    """An API code behind a mistyped key: status 78, the key is named, the code is not shown."""
    place.configure(**{key: API_CODE})
    finished = place.once()
    assert finished.status == 78
    assert key.replace("__", ".") in finished.err
    assert API_CODE[:8] not in finished.err + finished.out


@pytest.mark.parametrize("command", ["run", "check", "upload"])
@pytest.mark.parametrize(("key", "value"), [
    ("base_url", "https://*.example.com"), ("proxy", "http://.example.com:3128"), ("ca_bundle", "nowhere.pem"),
])  # fmt: skip
def test_an_address_or_a_bundle_that_can_never_work(place: Place, command: str, key: str, value: str) -> None:
    """An address or a CA bundle that can never work: status 78 with line and key, from every command."""
    place.configure(**{f"api__{key}": value})
    finished = run(command, "-c", place.config, *([__file__] if command == "upload" else []))
    assert finished.status == 78
    assert re.search(rf":[0-9]+: api\.{key}: ", finished.err)
    assert "Traceback" not in finished.err


def test_no_api_code_at_all(place: Place) -> None:
    """No API code in any place where one may be: status 78, and the sentence names these places."""
    place.configure(api__api_code=None)
    finished = place.once()
    assert finished.status == 78
    for place_of_it in ("credential api-code", "INVOICE_WATCHER_API_CODE", "api.api_code_file", "api.api_code"):
        assert place_of_it in finished.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_api_code_that_everyone_can_read_is_refused(place: Place, command: str) -> None:
    """A world-readable api_code_file: status 78, with the command that mends it, and without the code."""
    path = place.root / "api-code"
    path.write_text(API_CODE)
    path.chmod(0o604)
    place.configure(api__api_code_file=str(path))
    finished = run(command, "-c", place.config)
    assert finished.status == 78
    assert f"chmod o= {path}" in finished.err + finished.out


@pytest.mark.parametrize("text", ["", API_CODE[:-1], API_CODE * 200])
def test_an_api_code_that_is_none(place: Place, text: str) -> None:
    """What is no GUID is refused before anything is sent, and not shown."""
    path = place.root / "api-code"
    path.touch(mode=0o600)
    path.write_text(text)
    place.configure(api__api_code_file=str(path))
    finished = place.once()
    assert finished.status == 78
    assert str(path) in finished.err
    assert API_CODE[:-1] not in finished.err


def test_proxies_of_the_environment_are_not_used(api: StandIn, place: Place) -> None:
    """A proxy, a netrc or a CA bundle that the environment names changes nothing."""
    place.put("1.pdf", pdf())
    (place.root / "netrc").write_text("machine 127.0.0.1 login anna password geheim\n")
    env = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    env |= {"NETRC": str(place.root / "netrc"), "REQUESTS_CA_BUNDLE": "/nowhere", "NO_PROXY": ""}
    finished = place.once(**env)
    assert finished.status == 0, finished.err
    assert "authorization" not in api.requests[0].headers


def test_the_configured_proxy_is_used(place: Place) -> None:
    """api.proxy: it is asked for a way to the API, and gets neither the API code nor a document."""
    asked: list[tuple[str, EmailMessage]] = []

    def refuse(peer: Peer) -> None:
        if head := peer.head():
            asked.append(head)
        peer.send(answer(502))

    with RawServer(refuse) as proxy:
        place.configure(api__base_url="https://api.invalid/web-api", api__proxy=proxy.url)
        place.put("1.pdf", pdf())
        place.once()
    line, headers = asked[0]
    assert line.startswith("CONNECT api.invalid:443 ")
    assert "ApiCode" not in headers


def test_a_proxy_that_would_see_the_api_code_is_refused(place: Place) -> None:
    """An http:// address, which is for this machine only, and a proxy: status 78, and nothing goes there."""
    with RawServer(answering()) as proxy:
        place.configure(api__base_url="http://localhost:9/web-api", api__proxy=proxy.url)
        place.put("1.pdf", pdf())
        finished = place.once()
    assert finished.status == 78
    assert re.search(r":[0-9]+: api\.proxy: ", finished.err)
    assert proxy.connections == 0


def test_max_size_is_obeyed(api: StandIn, place: Place) -> None:
    """max_size: 20kB, and a byte more is rejected without a request."""
    place.configure(max_size="20kB")
    place.put("1.pdf", pdf("", 20_000))
    place.put("2.pdf", pdf("", 20_001))
    assert place.once().status == 1
    assert (documents(place.done), documents(place.failed)) == (["1.pdf"], ["2.pdf"])
    error = sidecar(place.failed / "2.pdf")["error"]
    assert "at most 20,000" in error["message"]
    assert "10 MB" not in error["hint"]


def test_the_status_page_has_a_name_of_its_own(api: StandIn, place: Place, start: Start) -> None:
    """status_page: whatever it is called, it is no invoice; with null, status.html is a file like any other."""
    place.configure(status_page="overview.html")
    place.put("overview.html", b"<html></html>")
    assert place.once().status == 0
    place.configure(status_page=None)
    place.put("status.html", b"<html></html>")
    assert place.once().status == 1
    assert "status.html" in names(place.failed)


def test_folders_on_two_file_systems_are_refused(place: Place) -> None:
    """A done folder on another file system: status 78 before anything is sent, and the sentence says which two."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        place.configure(done_dir=elsewhere)
        place.put("1.pdf", pdf())
        finished = place.once()
    assert finished.status == 78
    assert "must lie on one file system" in finished.err
    assert names(place.drop) == ["1.pdf"]


def test_a_relative_drop_folder_is_beside_the_configuration(place: Place) -> None:
    """`drop_dir: drop` is the folder beside the file, wherever the program was started."""
    place.configure(drop_dir="drop")
    place.put("1.pdf", pdf())
    finished: Finished = place.once()
    assert finished.status == 0, finished.err
    assert until(lambda: documents(place.done)) == ["1.pdf"]
