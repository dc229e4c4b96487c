"""`report`: what an accountant takes away from what was delivered and what failed."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import refused
from tests.integration.place import pdf, sidecar
from tests.integration.program import Finished, assert_fit_to_show, redirected
from tests.integration.terminal import at_a_terminal

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

OPTIONS = [[], ["--csv"], ["--json"]]


def report(place: Place, *options: str) -> Finished:
    """Run the command here, without what looks at its output: it may hold tabs, and the line ends of CSV."""
    return redirected("", "report", "-c", place.config, *options)


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture
def year(api: StandIn, place: Place, start: Start) -> Place:
    """Give a place where two invoices were delivered for one order, one for another, and one was refused."""
    api.script("3", refused(103, "Order is already shipped or cancelled"))
    daemon = start()
    for name in ("1.pdf", "2.pdf", "3.pdf"):
        place.put(name, pdf(name))
        (place.until_failed if name == "3.pdf" else place.until_done)(name)
    place.put("1.pdf", pdf("corrected"))
    place.until_done("1.2.pdf")
    assert daemon.stop() == 0
    return place


def test_a_spreadsheet(year: Place) -> None:
    """`--csv`: a row for each, all that the receipt proves, and the totals elsewhere, so that they are no row."""
    finished = report(year, "--csv")
    assert finished.status == 0, finished.err
    rows = _rows(finished.out)
    assert [row["file"] for row in rows] == ["1.pdf", "2.pdf", "3.pdf", "1.2.pdf"]
    assert [row["state"] for row in rows] == ["delivered", "delivered", "failed", "delivered"]
    assert [row["replaced_by"] for row in rows] == ["1.2.pdf", "", "", ""]
    told = sidecar(year.done / "1.pdf")
    for column in ("order_id", "received_at", "finished_at", "sha256", "owner"):
        assert rows[0][column] == told[column]
    assert (rows[0]["size"], rows[0]["attempts"], rows[0]["in_doubt"]) == (str(told["size"]), "1", "false")
    assert [rows[2][column] for column in ("http_status", "error_code", "error_reason")] == [
        "400",
        "103",
        "order_closed",
    ]
    assert finished.err.splitlines()[0].startswith("3 delivered, ")
    assert "1 failed: order_closed" in finished.err


def test_a_program(year: Place) -> None:
    """`--json`: one document with all invoices and the totals; nothing on standard error."""
    finished = report(year, "--json")
    found = json.loads(finished.out)
    assert [one["file"] for one in found["invoices"]] == ["1.pdf", "2.pdf", "3.pdf", "1.2.pdf"]
    assert found["totals"]["delivered"]["count"] == 3
    assert found["totals"]["reasons"] == {"order_closed": 1}
    assert finished.err == ""


def test_a_pipe(year: Place) -> None:
    """Without an option, in a pipe: a line for each, for `cut` and `grep`, and the totals."""
    lines = report(year).out.splitlines()
    assert [line.split("\t")[1:4] for line in lines[:4]] == [
        ["delivered", "1", "1.pdf"],
        ["delivered", "2", "2.pdf"],
        ["failed", "3", "3.pdf"],
        ["delivered", "1", "1.2.pdf"],
    ]
    assert lines[4].startswith("3 delivered, ")


def test_a_terminal(year: Place) -> None:
    """At a terminal: a table with a header, in colours, the bar gone when it is done."""
    shown = at_a_terminal("report", "-c", year.config)
    assert shown.status == 0
    assert "finished (UTC)" in shown.terminal
    assert "\x1b[31m" in shown.terminal
    assert "103 order_closed" in shown.terminal
    assert "reading the receipts" in shown.terminal.partition("finished (UTC)")[0]
    assert "reading the receipts" not in shown.terminal.partition("finished (UTC)")[2]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_file_gets_no_bar(year: Place, options: list[str]) -> None:
    """Somebody watches while the report goes into a file: the bar is at the terminal, and the file is as ever."""
    shown = at_a_terminal("report", "-c", year.config, *options, piped=True)
    assert shown.out == report(year, *options).out
    assert "reading the receipts" in shown.terminal


def test_one_month(year: Place) -> None:
    """`--month`: what was decided in that month by the receipts; another month has nothing, and nonsense is refused."""
    month = sidecar(year.done / "2.pdf")["finished_at"][:7]
    assert len(_rows(report(year, "--csv", "--month", month).out)) == 4
    other = report(year, "--csv", "--month", "1999-12")
    assert (other.status, _rows(other.out)) == (0, [])
    assert other.err.startswith("0 delivered, 0 bytes")
    for nonsense in ("2026-13", "26-11", "november", "2026-11\x1b[2J"):
        wrong = report(year, "--month", nonsense)
        assert wrong.status == 2
        assert "write it as 2026-11" in wrong.err
    assert report(year, "--csv", "--json").status == 2


def test_months_have_folders(api: StandIn, place: Place, start: Start) -> None:
    """With `done_layout: month` the report is the same, each file with its month's folder."""
    place.configure(done_layout="month")
    assert place.once().status == 0
    place.put("1.pdf", pdf())
    assert place.once().status == 0
    (month,) = [entry.name for entry in os.scandir(place.done)]
    (row,) = _rows(report(place, "--csv", "--month", month).out)
    assert (row["file"], row["state"], row["remark"]) == (f"{month}/1.pdf", "delivered", "")


def test_while_the_daemon_works_and_without_the_api_code(year: Place, start: Start) -> None:
    """A report is had beside the running daemon and without the API code, and disturbs neither."""
    daemon = start()
    year.configure(api__api_code="")
    year.write_config(f"drop_dir: {year.drop}\n")
    assert report(year).status == 0
    year.put("9.pdf", pdf())
    year.until_done("9.pdf")
    assert daemon.stop() == 0


def test_what_people_did_to_the_folders(year: Place) -> None:
    """A receipt or a document was deleted: told with what is known. What cannot be read is named, with status 1."""
    (year.done / "2.pdf.json").unlink()
    (year.failed / "3.pdf").unlink()
    finished = report(year, "--csv")
    rows = {row["file"]: row for row in _rows(finished.out)}
    assert finished.status == 0
    assert (rows["2.pdf"]["order_id"], rows["2.pdf"]["remark"]) == ("2", "it has no receipt")
    assert rows["3.pdf"]["state"] == "taken_away"
    (year.done / "1.pdf.json").write_text("{")
    (year.done / "1.2.pdf").write_bytes(b"changed")
    finished = report(year, "--csv")
    assert finished.status == 1
    assert len(_rows(finished.out)) == 4
    assert "done/1.pdf: its receipt is damaged" in finished.err
    assert "done/1.2.pdf: it has 7 bytes" in finished.err


@pytest.mark.parametrize("folder", ["done", "failed"])
def test_a_folder_that_is_missing(year: Place, folder: str) -> None:
    """Half a report would be a wrong one: a sentence, status 78, and nothing on standard output."""
    (year.drop / folder).rename(year.root / "elsewhere")
    finished = report(year, "--csv")
    assert finished.status == 78
    assert "does not exist" in finished.err
    assert finished.out == ""


def test_nothing_was_filed_yet(place: Place, daemon: Program) -> None:
    """Where nothing was filed yet, a report in each form says nought."""
    assert [report(place, *options).status for options in OPTIONS] == [0, 0, 0]
    assert json.loads(report(place, "--json").out)["invoices"] == []


def test_hostile_names_and_messages(api: StandIn, place: Place, daemon: Program) -> None:
    """Names with formulas, escapes and line ends are text in every form."""
    hostile = [b"=cmd|'C'!A0.pdf", b"@SUM(1).pdf", b'\x1b[2J\n,"x".pdf', "\u202efdp.exe".encode(), b"\xff;=1.pdf"]
    for raw in hostile:
        place.put(raw, pdf())
        place.until_failed(os.fsdecode(raw))
    api.default = refused(100, "\x1b]0;owned\x07\r\n=1+1")
    place.put("-1.pdf", pdf())
    place.until_failed("-1.pdf")
    rows = _rows(report(place, "--csv").out)
    assert len(rows) == 6
    assert not any((cell or "").startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert rows[-1]["order_id"] == "'-1"
    assert len(json.loads(report(place, "--json").out)["invoices"]) == 6
    for options in OPTIONS:
        for line in report(place, *options).out.splitlines():
            assert_fit_to_show(line.replace("\t", "").encode())
    shown = at_a_terminal("report", "-c", place.config)
    assert "\x1b[2J" not in shown.terminal
    assert "\u202e" not in shown.terminal


def test_where_it_cannot_be_written(year: Place) -> None:
    """The disk for the report is full: it is said, and the status tells; a reader that has seen enough is no fault."""
    full = redirected(">/dev/full", "report", "--csv", "-c", year.config)
    assert full.status == 1
    assert "cannot write to the standard output" in full.err
    assert redirected("| true", "report", "--csv", "-c", year.config).status == 0
