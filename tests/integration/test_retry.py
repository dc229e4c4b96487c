"""`retry`: failed invoices go back into the drop folder, and are sent again."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, refused
from tests.integration.place import documents, names, pdf
from tests.integration.program import Finished, redirected, run
from tests.integration.terminal import at_a_terminal

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn


def retry(place: Place, *arguments: str) -> Finished:
    """Run the command here."""
    return run("retry", "-c", place.config, *arguments)


@pytest.fixture
def failures(api: StandIn, place: Place) -> Place:
    """Give a place where several invoices failed, two of them for one order, and the API has come to its senses."""
    api.script("1", refused(103, "Order is already shipped or cancelled"))
    api.script("2", refused(100, "Order ID is wrong"))
    place.put("1.pdf", pdf("older"))
    assert place.once().status == 1
    place.put("1.pdf", pdf("newer"))
    place.put("2.pdf", pdf())
    place.put("no order.pdf", pdf())
    assert place.once().status == 1
    assert documents(place.failed) == ["1.2.pdf", "1.pdf", "2.pdf", "no order.pdf"]
    for order in ("1", "2"):
        api.script(order, OK)
    return place


def test_one_order(api: StandIn, failures: Place, start: Start) -> None:
    """All that failed of it is sent again, the older before the newer, and leaves nothing in failed/."""
    finished = retry(failures, "1")
    assert (finished.status, finished.out.splitlines()) == (0, ["1.pdf: put back", "1.2.pdf: put back"])
    assert names(failures.failed) == [
        "1.2.pdf.json",
        "1.pdf.json",
        "2.pdf",
        "2.pdf.json",
        "no order.pdf",
        "no order.pdf.json",
    ]
    sent = len(api.requests)
    start()
    failures.until_done("1.pdf", "1.2.pdf")
    assert [request.part.content for request in api.requests[sent:]] == [pdf("older"), pdf("newer")]
    assert {request.order_id for request in api.requests[sent:]} == {"1"}
    assert documents(failures.failed) == ["2.pdf", "no order.pdf"]
    assert "1.pdf.json" not in names(failures.failed)


def test_a_running_daemon_takes_them_at_once(failures: Place, daemon: Program) -> None:
    """`retry` beside the running daemon: what is put back is delivered like any drop, without a restart."""
    finished = retry(failures, "2")
    assert (finished.status, finished.err) == (0, "")
    failures.until_done("2.pdf")


def test_while_no_service_runs(failures: Place) -> None:
    """Nobody is there to send them: they are put back all the same, and it is said that they wait."""
    finished = retry(failures, "2")
    assert (finished.status, names(failures.drop)) == (0, ["2.pdf"])
    assert finished.err == "the service does not run; they wait in the drop folder until it does\n"


def test_all_that_failed_with_one_code(failures: Place) -> None:
    """`--code`: after the API's error was mended, all that met it, and nothing else."""
    finished = retry(failures, "--code", "100")
    assert sorted(finished.out.splitlines()) == ["2.pdf: put back", "no order.pdf: put back"]
    assert documents(failures.failed) == ["1.2.pdf", "1.pdf"]
    none = retry(failures, "--code", "106")
    assert (none.status, none.err) == (0, "nothing has failed with this code\n")


def test_all(failures: Place) -> None:
    """`--all`: everything, documents without a receipt too; receipts stay behind."""
    (failures.failed / "1.pdf.json").unlink()
    assert retry(failures, "--all").status == 0
    assert names(failures.drop) == ["1.2.pdf", "1.pdf", "2.pdf", "no order.pdf"]
    assert names(failures.failed) == ["1.2.pdf.json", "2.pdf.json", "no order.pdf.json"]
    again = retry(failures, "--all")
    assert (again.status, again.err) == (0, "nothing has failed\n")


def test_an_unknown_order(failures: Place) -> None:
    """One of the orders has nothing that failed: it is named, with status 1, and the others go."""
    finished = retry(failures, "77", "2", "\x1b[2J")
    assert (finished.status, finished.out) == (1, "2.pdf: put back\n")
    assert "77: no failed invoice of this order" in finished.err
    assert r"\x1b[2J: no failed invoice" in finished.err


def test_a_name_that_is_taken(failures: Place) -> None:
    """A corrected invoice lies in the drop folder already: it stays, the failed one stays, and that is said."""
    failures.put("2.pdf", pdf("corrected"))
    finished = retry(failures, "2", "1")
    assert finished.status == 1
    assert "2.pdf: left in the failed folder: a file of this name lies in" in finished.out
    assert (failures.drop / "2.pdf").read_bytes() == pdf("corrected")
    assert documents(failures.failed) == ["2.pdf", "no order.pdf"]


@pytest.mark.parametrize(
    "arguments", [[], ["1", "--all"], ["--all", "--code", "103"], ["--code", "x"], ["1", "--code", "1"]]
)
def test_wrong_usage(failures: Place, arguments: list[str]) -> None:
    """Orders, or all, or a code: anything else is asked about, and nothing moves."""
    before = names(failures.failed)
    assert retry(failures, *arguments).status == 2
    assert names(failures.failed) == before


@pytest.mark.parametrize("folder", ["drop", "failed"])
def test_a_folder_that_is_missing(failures: Place, folder: str) -> None:
    """`retry` where a folder is missing, as a share that is not mounted: a sentence, status 78, and none is made."""
    path = failures.drop if folder == "drop" else failures.failed
    path.rename(failures.root / "elsewhere")
    finished = retry(failures, "1")
    assert finished.status == 78
    assert "does not exist" in finished.err
    assert not path.exists()


def test_hostile_names(place: Place) -> None:
    """What a hostile file name would do to the terminal is shown as text by `retry`, not done."""
    for raw in (b"\x1b[2J\n.pdf", b"\xff.pdf", "\u202efdp.exe".encode()):
        place.put(raw, pdf())
    assert place.once().status == 1
    finished = retry(place, "--all")  # which looks at every byte
    assert finished.status == 0
    assert sorted(finished.out.splitlines()) == [
        r"\u202efdp.exe: put back",
        r"\x1b[2J\n.pdf: put back",
        r"\xff.pdf: put back",
    ]


def test_somebody_watches(failures: Place) -> None:
    """`--all` at a terminal shows a bar, and each result stands whole; into a file go the results alone."""
    failures.put("1.pdf", pdf())
    shown = at_a_terminal("retry", "-c", failures.config, "--all", piped=True)
    assert (shown.status, len(shown.out.splitlines())) == (1, 4)
    assert "putting back" in shown.terminal
    for name in ("2.pdf", "1.2.pdf"):
        (failures.drop / name).rename(failures.failed / name)
    shown = at_a_terminal("retry", "-c", failures.config, "--all")
    assert "putting back" in shown.terminal
    lines = [line.rpartition("\x1b[2K")[2] for line in shown.terminal.split("\r\n")]
    assert {"2.pdf: put back", "1.2.pdf: put back"} <= set(lines)


def test_a_lost_line_is_no_lost_invoice(failures: Place) -> None:
    """The results cannot be printed: the invoices are put back all the same, and the status is about them."""
    finished = redirected(">/dev/full", "retry", "-c", failures.config, "2")
    assert finished.status == 0
    assert "cannot write to the standard output" in finished.err
    assert names(failures.drop) == ["2.pdf"]


def _offered(place: Place, words: str) -> list[str]:
    """Return what bash gets to choose from at the end of these words."""
    environment = {
        **os.environ,
        "_INVOICE_WATCHER_COMPLETE": "bash_complete",
        "COMP_WORDS": f"invoice-watcher {words} ",
    }
    environment |= {"COMP_CWORD": str(len(words.split()) + 1), "INVOICE_WATCHER_CONFIG": str(place.config)}
    command = [sys.executable, "-c", "from invoice_watcher.cli import main; main()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_the_shell_offers_what_failed(failures: Place) -> None:
    """The tabulator behind `retry` offers the orders in failed/; where that cannot be known, nothing, in silence."""
    assert _offered(failures, "retry") == ["1", "2"]
    assert _offered(failures, f"retry -c {failures.config}") == ["1", "2"]
    assert _offered(failures, "retry -c /nowhere") == []
    failures.failed.rename(failures.root / "elsewhere")
    assert _offered(failures, "retry") == []
