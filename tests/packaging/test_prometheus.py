"""The alert rules and the dashboard: understood by Prometheus, firing when they should, about figures that there are.

The figures are those that the program really shows, so whoever renames one hears of it here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.place import Place, pdf
from tests.integration.program import Program
from tests.integration.scrape import ask, figures_of, free_port, until_listening, until_scraped

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
RULES = PACKAGING / "prometheus" / "invoice-watcher.rules.yml"
CASES = RULES.with_name("invoice-watcher.rules.test.yml")
DASHBOARD = PACKAGING / "grafana" / "invoice-watcher.json"

# What Prometheus and node_exporter tell about the program.
FOREIGN = {"up", "node_textfile_mtime_seconds"}
# PromQL's own words, as far as they are used here.
WORDS = {"and", "or", "unless", "on", "by", "without", "sum", "max", "count", "rate", "increase", "changes", "time"}
WORDS |= {"histogram_quantile", "label_values"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


def promtool(*arguments: str | Path, text: str = "") -> tuple[int, str]:
    """Run promtool; returns its status, and what it said."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the program with nobody to send to, and return what it shows."""
    port = free_port()
    place = Place(tmp_path_factory.mktemp("place"), f"http://127.0.0.1:{free_port()}/web-api")
    place.configure(metrics__listen=f"127.0.0.1:{port}")
    place.put("4711.pdf", pdf())
    program = Program("run", "-c", place.config)
    try:
        until_listening(port)
        until_scraped(port, lambda found: found.get("invoice_watcher_last_delivery_timestamp_seconds") is not None)
        yield ask(port).text
    finally:
        program.end()


def rules() -> list[dict[str, Any]]:
    """Return every alert rule."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel, also those in a row that is shut."""
    for panel in of["panels"]:
        yield panel
        yield from panels(panel) if panel.get("panels") else ()


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    parsed: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return parsed


def dashboard_queries() -> list[str]:
    """Return every query of the dashboard, but that for the variable."""
    board = dashboard()
    found = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    return found + [one["expr"] for one in board["annotations"]["list"] if "expr" in one]


def names_in(query: str) -> set[str]:
    """Return the names of all metrics in a query: what is neither a word, a label, a text nor a duration."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on)\s*\([^)]*\)', " ", query)
    return set(re.findall(r"(?<![\w$.])[a-z_][a-z0-9_]*", bare)) - WORDS


def test_names_are_found() -> None:
    """The names of metrics are found in every form of a query that the rules and the dashboard use."""
    query = 'max by (le) (rate(a_total{b="c d"}[5m])) > 0.5 * e unless on (f) g_h or time() - i'
    assert names_in(query) == {"a_total", "e", "g_h", "i"}


def test_every_figure_exists(shown: str) -> None:
    """No alert and no panel asks for a figure that the program does not show: it would be silent for ever."""
    existing = {name.partition("{")[0] for name in figures_of(shown)} | FOREIGN
    queries = [rule["expr"] for rule in rules()] + dashboard_queries()
    queries += [one["definition"] for one in dashboard()["templating"]["list"] if "definition" in one]
    queries = [re.sub(r"label_values\((\w+), \w+\)", r"\1", query) for query in queries]
    asked = {name for query in queries for name in names_in(query)}
    assert len(asked) > 12
    assert asked - existing == set()


def test_every_figure_is_used_somewhere(shown: str) -> None:
    """What the program tells can be seen: each of its own figures is on the dashboard or in an alert."""
    asked = {name for query in [*(rule["expr"] for rule in rules()), *dashboard_queries()] for name in names_in(query)}
    own = set(re.findall(r"^# TYPE (invoice_watcher_\w+)", shown, re.MULTILINE))
    assert len(own) == 11
    assert {name for name in own if not any(one.startswith(name) for one in asked)} == set()


def test_every_label_that_is_asked_for_exists(shown: str) -> None:
    """A panel that asks for an outcome which there is not stays empty."""
    for query in [*(rule["expr"] for rule in rules()), *dashboard_queries()]:
        for name, labels in re.findall(r"(invoice_watcher_\w+)\{([^}]*)\}", query):
            for label, value in re.findall(r'(\w+)="([^"$]*)"', labels):
                assert re.search(rf'^{name}\{{.*{label}="{value}"', shown, re.MULTILINE), (name, label, value)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """Whoever is woken reads where, what, and the next step; and no alert could name an order."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert re.search(r"`[a-z-]+ [^`]+`", rule["annotations"]["description"])
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= {"instance", "file"}


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    """`promtool check rules` finds no fault in the shipped alert rules."""
    assert promtool("check", "rules", RULES)[0] == 0


@needs_promtool
def test_the_alerts_fire_when_they_should() -> None:
    """`promtool test rules`: the cases that are shipped beside the rules."""
    status, said = promtool("test", "rules", CASES)
    assert status == 0, said


def test_every_alert_has_its_case() -> None:
    """A new alert is tried before it wakes somebody."""
    cases = CASES.read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in cases] == []


@needs_promtool
def test_prometheus_likes_the_figures(shown: str) -> None:
    """`promtool check metrics` has nothing to say about names, types and units of the program's own."""
    own = "".join(line + "\n" for line in shown.splitlines() if "invoice_watcher_" in line)
    assert promtool("check", "metrics", text=own) == (0, "")


@needs_promtool
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """Grafana puts its own variables in; what comes out has to be PromQL."""
    variables = {"$__rate_interval": "5m", "$__range": "24h", "$instance": ".*"}
    recorded = []
    for number, query in enumerate(dashboard_queries()):
        for variable, value in variables.items():
            query = query.replace(variable, value)  # noqa: PLW2901 - one after another
        assert "$" not in query
        recorded.append({"record": f"panel:{number}", "expr": query})
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    status, said = promtool("check", "rules", file)
    assert status == 0, said


def test_the_dashboard_is_in_good_order() -> None:
    """It can be taken into any Grafana: no data source of somebody's own, no panel upon another, each explained."""
    board = dashboard()
    assert board["id"] is None
    numbers = [panel["id"] for panel in panels(board)]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert taken.isdisjoint(cells), panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"].endswith(".")
