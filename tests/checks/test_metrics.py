"""What would keep the metrics from being seen is told beforehand, each with its cure; it never makes `check` fail."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from invoice_watcher.checks.metrics import look_at_metrics
from invoice_watcher.config import Config, Metrics
from tests.support.findings import lines, only

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _config(tmp_path: Path, listen: str | None = None, textfile: Path | None = None) -> Config:
    return Config(drop_dir=tmp_path, metrics=Metrics(listen=listen, textfile=textfile))


def test_nothing_is_said_where_none_are_wanted(tmp_path: Path) -> None:
    """Where no metrics are configured `check` has no line about them."""
    assert lines(look_at_metrics(_config(tmp_path))) == []


def test_where_they_are_shown(tmp_path: Path) -> None:
    """`check` tells the address and the file at which metrics are shown, as they are configured."""
    found = lines(look_at_metrics(_config(tmp_path, "127.0.0.1:9187", tmp_path / "x.prom")))
    assert [line.grade for line in found] == ["ok", "ok"]
    assert "127.0.0.1:9187" in found[0].text
    assert str(tmp_path / "x.prom") in found[1].text


def test_a_file_that_node_exporter_would_not_see(tmp_path: Path) -> None:
    """A metrics file of another name than *.prom, and a folder that there is not, are told at once."""
    found = lines(look_at_metrics(_config(tmp_path, None, tmp_path / "missing" / "x.txt")))
    assert [line.grade for line in found] == ["note", "note"]
    assert ".prom" in found[0].text
    assert "does not exist" in found[1].text


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the metrics library is missing `check` names its package, for Debian and for pip."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    line = only(look_at_metrics(_config(tmp_path, "127.0.0.1:9187")))
    assert line.grade == "note"
    assert "python3-prometheus-client" in line.text
    assert "invoice-watcher[metrics]" in line.text
