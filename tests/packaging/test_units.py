"""The units and their drop-ins: understood by systemd, shut tight, each exception with its reason, and no two minds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from invoice_watcher import daemon, signals
from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
MAIN, TEMPLATE = "invoice-watcher.service", "invoice-watcher@.service"
INSTANCE = "invoice-watcher@brand.service"
DROP_INS = sorted(path.name for path in UNITS.glob("*.conf"))
WORST = {  # the score that each combination may have at most; a smaller one is better
    (MAIN, None): 1.3,
    (INSTANCE, None): 1.3,
    (MAIN, "force-user.conf"): 1.1,
    (INSTANCE, "force-user.conf"): 1.1,
    (MAIN, "one-processor.conf"): 1.4,
    (MAIN, "ip-allow.conf"): 1.2,
    (MAIN, "metrics-textfile.conf"): 1.3,
}

# What systemd before 253 and 254 does not know yet; Debian 13 has 257.
_TOO_NEW = re.compile(r"notify-reload|'RestartSteps'|'RestartMaxDelaySec'")
# Whatever opens what would be shut without it, or bounds what needs no bound elsewhere.
_EXCEPTIONS = re.compile(
    r"(AmbientCapabilities|CapabilityBoundingSet|ReadWritePaths|RestrictAddressFamilies|SystemCallFilter|ExecReload"
    r"|SystemCallErrorNumber|LoadCredential|RuntimeDirectoryPreserve|UMask|(Memory|Tasks)Max|Limit\w+|(Timeout\w+|Watchdog|StartLimitInterval)Sec)=."
)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


class Setting(NamedTuple):
    """One assignment of a unit."""

    key: str
    value: str
    reason: bool  # a comment stands above it, or above others of its kind just before it


def settings(name: str) -> Iterator[Setting]:
    """Yield the assignments of a unit or drop-in; a line that goes on in the next is one."""
    reason = False
    text = (UNITS / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("#"):
            reason = True
        elif "=" not in line:
            reason = False
        else:
            key, _, value = line.partition("=")
            yield Setting(key, value, reason)
            reason = reason and _EXCEPTIONS.match(line) is not None


def values(name: str, key: str) -> list[str]:
    """Return what is assigned to a key."""
    return [setting.value for setting in settings(name) if setting.key == key]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Lay out a root directory in which both units are installed, and what they refer to."""
    folder = tmp_path / "usr" / "lib" / "systemd" / "system"
    folder.mkdir(parents=True)
    for target in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        (folder / f"{target}.target").write_text("[Unit]\n")
    for name in (MAIN, TEMPLATE):
        shutil.copy(UNITS / name, folder)
    for program in ("usr/bin/invoice-watcher", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o755)
    return tmp_path


def _drop(machine: Path, unit: str, name: str) -> None:
    folder = machine / "etc" / "systemd" / "system" / f"{unit}.d"
    folder.mkdir(parents=True)
    shutil.copy(UNITS / name, folder)


def _analyze(machine: Path, command: str, *arguments: str) -> tuple[str, list[str]]:
    """Return what systemd-analyze prints, and its complaints about what it should understand."""
    done = subprocess.run(
        ["systemd-analyze", command, f"--root={machine}", "--no-pager", *arguments],
        capture_output=True, text=True, check=False, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if not _TOO_NEW.search(line)]


@needs_systemd
@pytest.mark.parametrize("drop_in", [None, *DROP_INS])
@pytest.mark.parametrize("unit", [MAIN, INSTANCE])
def test_systemd_understands_every_line(machine: Path, unit: str, drop_in: str | None) -> None:
    """A misspelt setting would be left out in silence, and the service be less shut than it looks."""
    if drop_in:
        _drop(machine, unit, drop_in)
    assert _analyze(machine, "verify", "--man=no", unit) == ("", [])


@needs_systemd
@pytest.mark.parametrize(("unit", "drop_in"), WORST)
def test_the_score_stays_good(
    machine: Path, record_property: Callable[[str, object], None], unit: str, drop_in: str | None
) -> None:
    """`systemd-analyze security`: 1.3 or better (0 is best), and 1.1 where the capability is not needed."""
    if drop_in:
        _drop(machine, unit, drop_in)
    out, complaints = _analyze(machine, "security", "--offline=yes", unit)
    assert complaints == []
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", out)
    assert found, out
    record_property(f"exposure of {unit}{f' with {drop_in}' if drop_in else ''}", found[1])
    assert float(found[1]) <= WORST[unit, drop_in]


def test_every_drop_in_has_its_score() -> None:
    """Each shipped drop-in has its bound for the score of systemd-analyze."""
    assert {drop_in for _, drop_in in WORST if drop_in} == set(DROP_INS)


def test_every_exception_has_its_reason() -> None:
    """Whoever wants to shut the service tighter, or to widen a limit, reads above each what it is for."""
    exceptions = [setting for setting in settings(MAIN) if _EXCEPTIONS.match(f"{setting.key}={setting.value}")]
    assert {"AmbientCapabilities", "SystemCallFilter", "MemoryMax"} <= {setting.key for setting in exceptions}
    assert [setting for setting in exceptions if not setting.reason] == []


@pytest.mark.parametrize("name", DROP_INS)
def test_every_drop_in_says_for_whom_it_is_and_how_it_is_installed(name: str) -> None:
    """A drop-in is a file that somebody finds in a folder: all that has to be known stands in it."""
    text = (UNITS / name).read_text(encoding="utf-8")
    assert text.startswith(("# For sites", "# For machines")) or "Only where" in text
    assert f"cp {name} /etc/systemd/system/{MAIN}.d/" in text
    assert "systemctl daemon-reload && systemctl restart invoice-watcher" in text


def test_an_instance_differs_from_the_main_one_in_names_only() -> None:
    """A setting that is mended in one unit is mended in both."""
    names = {
        "/srv/invoices": "/srv/invoices-%i",
        "/etc/invoice-watcher/config.yaml": "/etc/invoice-watcher/%i.yaml",
        "/etc/invoice-watcher/api-code": "/etc/invoice-watcher/%i.api-code",
    }
    expected = []
    for key, value, _ in settings(MAIN):
        changed = f"{value} (%i)" if key == "Description" else f"{value}/%i" if key == "RuntimeDirectory" else value
        for old, new in names.items():
            changed = changed.replace(old, new)
        expected.append((key, changed))
    assert [(setting.key, setting.value) for setting in settings(TEMPLATE)] == expected


def test_only_a_wrong_configuration_ends_the_service_for_good() -> None:
    """Invoices wait in the folder meanwhile, so whatever else happens, the service comes again."""
    assert values(MAIN, "Restart") == ["always"]
    assert values(MAIN, "RestartPreventExitStatus") == [str(int(ExitStatus.CONFIG))]
    assert values(MAIN, "StartLimitIntervalSec") == ["0"]


def test_a_stop_has_the_time_that_uploads_are_promised() -> None:
    """What is being sent may end by itself before systemd loses patience."""
    assert float(values(MAIN, "TimeoutStopSec")[0]) > signals.GRACE + daemon._AFTER_GRACE + 10


def test_the_code_is_handed_over_and_nothing_holds_it() -> None:
    """The API code is neither in the unit, nor in the environment, nor in a core dump."""
    assert values(MAIN, "LoadCredential") == ["api-code:/etc/invoice-watcher/api-code"]
    assert values(MAIN, "LimitCORE") == ["0"]
    assert values(MAIN, "Environment") + values(MAIN, "EnvironmentFile") == []
