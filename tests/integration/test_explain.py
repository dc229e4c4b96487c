"""`explain`: why this file has not been uploaded yet, or what became of it, in every state in which it can be."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.users import immutable
from tests.integration.answers import OK, Answer, refused
from tests.integration.place import names, pdf
from tests.integration.program import ROOT, RUNTIME, run, until

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Finished
    from tests.integration.stand_in import StandIn

URL = b"[InternetShortcut]\r\nURL=https://example.com/1.pdf\r\n"
DENIED = Answer(401, b"")


def explain(place: Place, file: object, status: int = 0) -> str:
    """Ask why, and return what is told."""
    finished: Finished = run("explain", "-c", place.config, str(file))
    assert (finished.status, finished.err) == (status, "")
    return finished.out


def until_explained(place: Place, file: object, text: str) -> str:
    """Ask until this is told; returns all of it."""

    def asked() -> str | None:
        out = run("explain", "-c", place.config, str(file)).out
        return out if text in out else None

    out = until(asked, text)
    assert out is not None
    return out


LEFT_ALONE = {
    "a.tmp": "its name fits *.tmp",
    "~$1.doc": "its name fits ~$*",
    ".hidden.pdf": "its name fits .*",
    "old.BAK": "its name fits the pattern *.bak of `ignore`",
    "status.html": "the service's own status page",
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_a_name_that_is_left_alone(place: Place, name: str) -> None:
    """The rule is named by which the file is never taken, and nothing else is said."""
    place.configure(ignore=["*.bak"], status_page="status.html")
    place.put(name, pdf())
    out = explain(place, name)
    assert LEFT_ALONE[name] in out
    assert "does not run" not in out


def test_what_is_no_file(place: Place) -> None:
    """Of a folder, a link or a pipe it is said what it is, and that it is left alone."""
    (place.drop / "folder").mkdir()
    (place.drop / "link.pdf").symlink_to("/etc/hosts")
    os.mkfifo(place.drop / "pipe.pdf")
    place.done.mkdir()
    assert "It is a folder, and left alone" in explain(place, "folder")
    assert "It is a symbolic link to /etc/hosts, and left alone" in explain(place, "link.pdf")
    assert "It is a pipe (FIFO), no regular file" in explain(place, "pipe.pdf")
    assert "It is one of the service's own folders" in explain(place, "done")


def test_it_does_not_run(place: Place) -> None:
    """Nothing is wrong with the file: the service does not run, and the command that starts it is told."""
    place.put("1.pdf", pdf())
    lines = explain(place, "1.pdf").splitlines()
    assert lines[0] == f"{place.drop / '1.pdf'}, in the drop folder"
    assert lines[1] == "  Nothing about the file itself keeps it from being sent."
    assert f"does not run, so nothing is taken; start it: invoice-watcher run -c {place.config}" in lines[2]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("bad name.pdf", pdf(), "It will be rejected: The file's name is not an order ID. Rename the file"),
        ("bad name.pdf", pdf(), "has to match the whole of `order_id_pattern`: [A-Za-z0-9_-]{1,64}"),
        ("1.txt", b"text", "It will be rejected: The file is none of .pdf"),
        ("1.pdf", b"MZ" + bytes(100), "It will be rejected: "),
        ("1.pdf", pdf(size=3000), "The file has 3,000 bytes; at most 2,000 are taken"),
    ],
)
def test_what_will_be_rejected(place: Place, name: str, content: bytes, text: str) -> None:
    """What is wrong with a document can be seen before the service has seen it, with what to do."""
    place.configure(max_size=2000)
    place.put(name, content)
    assert text in explain(place, name)


def test_cut_off(place: Place, start: Start) -> None:
    """A document that is cut off: how that can be seen, and how long it has for the rest to come."""
    place.put("1.pdf", pdf()[:-6])
    text = r"It seems unfinished: the PDF ends without %%EOF\. If it stays so, it is rejected in \d+ s\."
    assert re.search(text, explain(place, "1.pdf"))
    start()
    assert len(re.findall("seems unfinished", until_explained(place, "1.pdf", "seems unfinished"))) == 1


def test_growing(place: Place, start: Start) -> None:
    """A file that a program has open for writing: which program, its process, its user."""
    start()
    code = "import sys; file = open(sys.argv[1], 'wb'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(place.drop / "1.pdf")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        out = explain(place, "1.pdf")
        writer.kill()
    assert re.search(rf"It is still open for writing, in python\S* \(process {writer.pid}, user \w+\)", out)


@pytest.mark.parametrize("name", ["1.pdf", "1\udcff.pdf"])
def test_changed_just_now(place: Place, start: Start, name: str) -> None:
    """A file that has to be left alone for a while: for how long still, said once; also of a name that is no text."""
    place.configure(settle__quiet="1h")
    start().says("ready")
    place.put(name.encode("utf-8", "surrogateescape"), pdf())
    out = until_explained(place, name, "left alone")
    until(lambda: "has not come to look" not in explain(place, name), "looked at")
    assert re.search(r"It changed moments ago, and is left alone for 3600 s: for 3\d\d\d\.\d s more\.", out)
    assert out.count("moments ago") == 1


def test_two_names(place: Place) -> None:
    """A hard link keeps a file from being taken, for its bytes could change under another name."""
    path = place.put("1.pdf", pdf())
    (place.root / "second").hardlink_to(path)
    assert "It has a second name (hard link), 2 in all: remove the others" in explain(place, "1.pdf")


def test_immutable(place: Place) -> None:
    """A file that is marked so cannot be moved away; the command that mends it is told."""
    path = place.put("1.pdf", pdf())
    with immutable(path):
        assert f"chattr -i -a {path}" in explain(place, "1.pdf")


def test_behind_another(api: StandIn, place: Place, start: Start) -> None:
    """While another file of its order is sent: behind which, and of that one, that it is being sent."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    start()
    place.put("1.pdf", pdf())
    api.wait_for(1)
    place.put("1.url", URL)
    until_explained(place, "1.url", "It waits behind 1.pdf, of the same order.")
    out = explain(place, "1")
    assert f"{place.work / '1.pdf'}, claimed, in the work folder\n  It is being sent." in out
    assert "It waits behind 1.pdf" in out
    hold.set()


def test_a_second_file_of_the_same_name(api: StandIn, place: Place, start: Start) -> None:
    """The same file dropped again while the first is being sent: both are told, each for itself."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    start()
    place.put("1.pdf", pdf())
    api.wait_for(1)
    place.put("1.pdf", pdf("other"))
    out = until_explained(place, "1.pdf", "behind")
    assert out.count("1.pdf, in the drop folder") == 1
    assert out.count("1.pdf, claimed, in the work folder") == 1
    hold.set()


def test_paused(api: StandIn, place: Place, start: Start) -> None:
    """While nothing flows: since when, why, what the administrator has to do, and when one file is tried."""
    place.configure(retry__initial="1h", retry__max="1h")
    api.default = DENIED
    start()
    place.put("1.pdf", pdf())
    out = until_explained(place, "1.pdf", "Nothing is sent since")
    assert "Check the API code" in out
    assert re.search(r"One file is tried in \d+ (min|h), at \d\d:\d\d", out)
    assert "It was tried once, and the last attempt came to: " in out
    place.put("2.pdf", pdf())
    assert "It waits until the queue flows again." in until_explained(place, "2.pdf", "waits until")


def test_sent_again(api: StandIn, place: Place, start: Start) -> None:
    """A file that failed alone: how often it was sent, what that came to, and when it is sent again."""
    place.configure(retry__initial="1h", retry__max="1h")
    api.script("1", Answer(500))
    daemon = start()
    place.put("1.pdf", pdf())
    out = until_explained(place, "1.pdf", "It is sent again by itself: in ")
    assert "It was tried once, and the last attempt came to: " in out
    daemon.stop()
    out = explain(place, "1.pdf")
    assert "It is sent again as soon as the service runs." in out
    assert "It was tried once, and the last attempt came to: " in out
    assert "does not run" in out


def test_what_became_of_it(api: StandIn, place: Place, start: Start) -> None:
    """Delivered, or rejected with its reason and what to do: by name, by path, by order, and by its receipt."""
    api.script("2", refused(103, "Order is already shipped\x1b[31m"))
    start()
    place.put("1.pdf", pdf())
    place.put("2.pdf", pdf())
    place.until_done("1.pdf")
    place.until_failed("2.pdf")
    for asked in ("1.pdf", place.done / "1.pdf", place.drop / "1.pdf", "1", "1.pdf.json"):
        assert re.search(r"It was delivered for order 1 at \d\d:\d\d, by attempt 1\.", explain(place, asked))
    out = explain(place, "2.pdf")
    assert out.startswith(f"{place.failed / '2.pdf'}, in the failed folder\n  It was rejected for order 2 at ")
    assert r"Because: Order is already shipped\x1b[31m (code 103). The order has left or was cancelled" in out
    (place.done / "1.pdf").unlink()
    assert "The document itself was taken away" in explain(place, "1.pdf")
    (place.failed / "2.pdf.json").unlink()
    assert "it has no receipt" in explain(place, "2.pdf")


def test_a_numbered_file(place: Place, start: Start) -> None:
    """The second document of an order got a number: by the order's id both are found, also in a month's folder."""
    place.configure(done_layout="month")
    start()
    place.put("1.pdf", pdf())
    until(lambda: list(place.done.glob("*/1.pdf")), "the first")
    place.put("1.pdf", pdf("other"))
    until(lambda: list(place.done.glob("*/1.2.pdf")), "the second")
    out = explain(place, "1")
    assert "/1.pdf, in the done folder" in out
    assert "/1.2.pdf, in the done folder" in out
    assert "/1.2.pdf, in the done folder" in explain(place, "1.2.pdf")


def test_an_order_with_very_many_files(place: Place) -> None:
    """Of an order with very many files ten are told, and how many there are besides."""
    place.done.mkdir()
    for number in range(13):
        (place.done / f"1.{'x' * number}pdf").touch()
    out = explain(place, "1")
    assert out.count(", in the done folder\n") == 10
    assert out.endswith("\nand 3 more\n")


def test_nowhere(place: Place, daemon: object) -> None:
    """A file that is nowhere: status 1, and the folder in which it was looked for."""
    assert f"There is no such file in {place.drop}" in explain(place, "nothing.pdf", status=1)
    assert "There is no such file" in explain(place, "/nowhere/nothing.pdf", status=1)
    assert "There is no such file" in explain(place, "x" * 5000, status=1)


def test_elsewhere(place: Place) -> None:
    """Of a file in none of the folders it is said where it has to be dropped."""
    path = place.root / "1.pdf"
    path.write_bytes(pdf())
    assert f"drop it into {place.drop}" in explain(place, path)


def test_no_name_at_all(place: Place) -> None:
    """An empty name is a mistake in the command, and is told as such."""
    assert run("explain", "-c", place.config, "").status == 2


def test_the_folders_are_away(place: Place, start: Start) -> None:
    """While the service waits for folders that are away, the answer is that it does."""
    place.configure(settle__rescan="100ms")
    daemon = start()
    away = place.root / "away"
    place.drop.rename(away)
    daemon.says("waiting for the folders")
    place.drop.mkdir()
    place.put("1.pdf", pdf())
    assert "Of the service: " in explain(place, "1.pdf")
    (place.drop / "1.pdf").unlink()
    place.drop.rmdir()
    away.rename(place.drop)


@pytest.mark.slow  # an answer may take more than 5 s
def test_hanging(place: Place, start: Start) -> None:
    """A service that does not answer: status 75, and of the file is told what can be seen without it."""
    daemon = start()
    daemon.send(signal.SIGSTOP)
    place.put("bad name.pdf", pdf())
    out = explain(place, "bad name.pdf", status=75)
    daemon.send(signal.SIGCONT)
    assert "It will be rejected: The file's name is not an order ID" in out
    assert "it hangs, or was stopped by a signal" in out


def test_hostile_names(place: Place, start: Start) -> None:
    """Any name can be asked for, as the shell gives it, and none gets through to the terminal."""
    name = "a\x1b[2J\n\u202egnp\udcff.pdf"
    path = place.put(name.encode("utf-8", "surrogateescape"), pdf())
    shown = r"a\x1b[2J\n\u202egnp\xff.pdf"
    for asked in (name, str(path)):
        assert f"{place.drop}/{shown}, in the drop folder" in explain(place, asked)
    place.put("[red]1[.pdf", pdf())
    assert "[red]1[.pdf, in the drop folder" in explain(place, "[red]1[.pdf")
    start()
    until(lambda: not names(place.drop) or names(place.drop) == ["status.html"], "all taken")
    assert f"{place.failed}/{shown}, in the failed folder" in until_explained(place, name, "failed folder")


def test_only_looking(place: Place) -> None:
    """Asking about a file changes nothing in the folders, not even a time."""
    place.put("1.pdf", pdf())
    before = {path: path.lstat().st_ctime_ns for path in place.root.rglob("*")}
    explain(place, "1.pdf")
    assert {path: path.lstat().st_ctime_ns for path in place.root.rglob("*")} == before


def test_the_shell_completes_files(place: Place) -> None:
    """The shell offers what waits and begins so; a name that could be a command is never put on a command line."""
    for name in ("12.pdf", "13.pdf", "1$(touch x).pdf", "1 2.pdf", "1;ls.pdf", "14.tmp", "21.pdf", "-rf.pdf"):
        place.put(name, pdf())
    words = {"COMP_WORDS": "invoice-watcher explain 1", "COMP_CWORD": "2", "_INVOICE_WATCHER_COMPLETE": "bash_complete"}
    environment = {
        "PATH": os.environ["PATH"],
        "RUNTIME_DIRECTORY": RUNTIME,
        "INVOICE_WATCHER_CONFIG": str(place.config),
    }
    code = "from invoice_watcher.cli import cli; cli(prog_name='invoice-watcher')"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, **words},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.stdout.split() == ["plain,12.pdf", "plain,13.pdf"]


def test_delivered_in_the_end(api: StandIn, place: Place, start: Start) -> None:
    """The story of one file, told as it goes on: it waits, and is delivered."""
    place.configure(retry__initial="50ms", retry__max="100ms")
    api.script("1", Answer(503), Answer(503), OK)
    place.put("1.pdf", pdf())
    assert "in the drop folder" in explain(place, "1")
    start()
    place.until_done("1.pdf")
    assert "by attempt 3" in explain(place, "1")
