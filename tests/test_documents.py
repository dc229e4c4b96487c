"""What the README lists is what the program knows: a list that nobody compares is wrong within a year."""

from __future__ import annotations

import json
import re
from pathlib import Path

from invoice_watcher.invoice import Kind
from invoice_watcher.metrics.figures import Figures
from invoice_watcher.naming import TEMPORARY_NAMES
from invoice_watcher.outcome import API_CODES
from invoice_watcher.receipt import Error, Receipt

PACKAGING = Path(__file__).parents[1] / "packaging"
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return README.partition(f"\n{title}\n")[2].partition("\n## ")[0]


def _rows(section: str, *head: str) -> list[list[str]]:
    """Return the cells of a table, by the first words of its head."""
    table = section.partition(f"| {' | '.join(head)} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_error_code_is_explained() -> None:
    """Whoever finds a code in a receipt finds it in the README, with its stable word."""
    told = {
        int(code): re.findall(r"`([a-z_0-9]+)`", reasons)
        for codes, reasons, _ in _rows(README, "code", "reason", "meaning")
        for code in re.findall(r"[0-9]+", codes)
    }
    assert told.keys() == API_CODES.keys()
    assert [code for code, row in API_CODES.items() if row.reason not in told[code]] == []


def test_every_field_of_a_receipt_is_told() -> None:
    """Whoever reads receipts by a program finds all of their fields in the README, and no other."""
    told = json.loads(_section("## The sidecar").partition("```json\n")[2].partition("\n```")[0])
    noted = {"sending", "crashes", "strikes"}  # only in the note of a document that waits
    assert set(told) == set(Receipt.__struct_fields__) - noted
    assert set(told["error"]) == set(Error.__struct_fields__)


def test_the_dashboard_explains_every_code() -> None:
    """Whoever sees a code in the dashboard need not look it up."""
    text = (PACKAGING / "grafana" / "invoice-watcher.json").read_text(encoding="utf-8")
    panel = next(one for one in json.loads(text)["panels"] if one["title"] == "Errors of the API, by its code")
    assert set(map(int, re.findall(r"[0-9]{3}", panel["description"]))) == API_CODES.keys()


def test_every_document_type_is_told() -> None:
    """Whoever wonders whether a document is taken finds its extension in the README."""
    told = re.findall(
        r"`[^`.]*\.([a-z]+)`", _section("## What is dropped").partition("\n\n")[0].partition("Order ids")[0]
    )
    assert set(told) == set(Kind)


def test_every_temporary_name_is_told() -> None:
    """Whoever wonders why a file is left alone finds its pattern in the README, and none that is not heeded."""
    sentence = _section("## What is dropped").partition("Left alone:")[2].partition("\n\n")[0]
    assert "hidden files" in sentence  # `.*`
    told = set(re.findall(r"`([^`]+)`", sentence)) - {"status", "ignore", "status_page"}
    assert {one for one in told if not one.startswith(".")} == set(TEMPORARY_NAMES) - {".*"}


def test_every_metric_is_told() -> None:
    """Whoever writes a query finds each metric in the README, under the name that is served."""
    served = set(re.findall(r"^# TYPE (invoice_watcher_\w+) ", Figures().text(machine=False).decode(), re.MULTILINE))
    told = set(re.findall(r"(?:invoice_watcher|…)_\w+", " ".join(row[0] for row in _rows(README, "metric", "meaning"))))
    assert {name.replace("…", "invoice_watcher") for name in told} == served
