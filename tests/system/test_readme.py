"""The README, followed word for word on a fresh machine; and what it shows is what the commands print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.answers import OK, Answer, refused
from tests.integration.place import names, pdf
from tests.integration.program import API_CODE, ROOT, until
from tests.system.machine import Machine
from tests.system.site import PASSWORD, PATIENCE, UNIT, Site, api_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTALLATION, SHARES = "Install it as a service", "Shares"
SHOWN = ("For accountants", "For administrators")
WIDTH = 100
# What differs from day to day and from machine to machine, and the room that it takes.
VARYING = (
    (r"\x1b\[[0-9;?]*[a-zA-Z]|\r", ""),
    (r"\d{4}-\d\d(-\d\d)?", "DATE"),
    (r"\d\d:\d\d(:\d\d)?", "TIME"),
    (r"\d+ (s|min|h)\b", "AGE"),
    (r"process \d+", "process PID"),
    (r"[\d.]+ [GT]iB free, \d+ more", "ROOM"),
    (r"\d+ instances and \d+ watches", "LIMITS"),
    (r"127\.0\.0\.1( port |:)\d+", "ADDRESS"),
    (r"[━─]+", "─"),
    (r" +", " "),
)
BAR = re.compile(r"^.*━ .*\d+/(\d+|\?).*$\n?", re.MULTILINE)
# An editor that types what the README asks for.
EDITOR = f'#!/bin/sh\necho {API_CODE} > "$1"\n'


def blocks(title: str) -> list[str]:
    """Return the indented blocks of a section: what an administrator types."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [block for block in re.findall(r"(?:^    .*\n|(?<=\n)\n(?=    ))+", section, re.MULTILINE) if block.strip()]


def sessions() -> list[tuple[str, str, str]]:
    """Return what the README shows at a prompt: by whom, the command, and what it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    sections = [text.partition(f"\n## {title}\n")[2].partition("\n## ")[0] for title in SHOWN]
    shown = "".join(re.findall(r"^```console\n(.*?)^```$", "\n".join(sections), re.MULTILINE | re.DOTALL))
    found = re.findall(r"^([#$]) (.+)\n((?:(?![#$] ).*\n)*)", shown, re.MULTILINE)
    return [("root" if prompt == "#" else "anna", command, printed) for prompt, command, printed in found]


def settled(text: str) -> list[str]:
    """Return what is the same on every day, line by line."""
    for pattern, stands_for in VARYING:
        text = re.sub(pattern, stands_for, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def at_a_terminal(machine: Machine, command: str, user: str) -> str:
    """Run a command at a terminal of the README's width, and return what is left to be seen there."""
    script = f"stty cols {WIDTH} rows 60; {command}"
    done = machine.attempt("env", "TERM=xterm", "script", "-qec", script, "/dev/null", user=user)
    return BAR.sub("", re.sub(VARYING[0][0], "", done.out))


@pytest.fixture
def fresh(base: Path, deb: Path) -> Iterator[Machine]:
    """Give a machine that has the package in the folder where the administrator works, an editor, and a user anna."""
    with Machine(base) as machine:
        machine.boot()
        machine.copy_in(deb, f"/root/{deb.name}")
        machine.write("/usr/local/bin/editor", EDITOR)
        machine.run("chmod", "+x", "/usr/local/bin/editor")
        machine.run("useradd", "--create-home", "anna")
        yield machine


def follow(machine: Machine, block: str, given: str = "y\n") -> None:
    """Type a block, and answer what is asked."""
    done = machine.attempt("bash", "-ec", f"cd /root\n{block}", given=given)
    assert done.status == 0, f"{block}\n{done.out}\n{done.err}"


def test_what_the_readme_says(fresh: Machine) -> None:
    """Each command of the section works as it stands there; then the service runs, and delivers what anna drops."""
    first, *others = blocks(INSTALLATION)
    assert first.lstrip().startswith("apt install")
    for block in (first, *others):
        follow(fresh, block)
    assert fresh.run("systemctl", "is-active", UNIT).strip() == "active"
    with api_of(fresh) as api:
        site = Site(fresh, api)
        site.systemctl("reload", "invoice-watcher")
        fresh.path("/home/anna/1.pdf").write_bytes(pdf("by hand"))
        fresh.run("cp", "/home/anna/1.pdf", "/srv/invoices/700001.pdf", user="anna")
        until(lambda: "700001.pdf" in names(site.drop / "done"), "the invoice in done/", timeout=PATIENCE)
        assert api.of("700001")[0].api_code == API_CODE
        site.assert_sound()


def test_what_the_readme_says_of_samba(fresh: Machine) -> None:
    """After the commands for a share on this machine, anna drops an invoice through it, and it is delivered."""
    follow(fresh, blocks(INSTALLATION)[0])
    follow(fresh, blocks(SHARES)[0], f"{PASSWORD}\n{PASSWORD}\n")
    with api_of(fresh) as api:
        site = Site(fresh, api)
        site.systemctl("reload", "invoice-watcher")
        site.put("anna", "700002.pdf", pdf("through the share"))
        (receipt,) = site.until_filed("done", "700002.pdf")
        assert receipt["owner"] == "anna"
        site.assert_sound()


def drop(site: Site, clerk: str, name: str, content: bytes) -> None:
    """Let a clerk copy a file into the folder."""
    site.machine.path(f"/home/{clerk}/invoice").write_bytes(content)
    site.machine.run("cp", f"/home/{clerk}/invoice", f"/srv/invoices/{name}", user=clerk)


def a_morning(site: Site) -> None:
    """Let three be delivered, one of them twice, and two fail."""
    site.api.script("48213", refused(103, "Order is already shipped or cancelled"), OK)
    for clerk, name, folder in (
        ("anna", "48210.pdf", "done"),
        ("anna", "48211.pdf", "done"),
        ("bert", "48213.pdf", "failed"),
        ("bert", "Smith final.pdf", "failed"),
    ):
        drop(site, clerk, name, pdf(name, 30_211))
        site.until_filed(folder, name)
    drop(site, "anna", "48210.pdf", pdf("corrected", 28_112))
    site.until_filed("done", "48210.2.pdf")


def a_cut(site: Site) -> None:
    """Let a document arrive whose end is missing."""
    drop(site, "bert", "48215.pdf", pdf("cut", 2_000)[:-7])
    until(lambda: "unfinished" in site.machine.attempt("invoice-watcher", "explain", "48215.pdf").out, "that it is cut")


def a_wrong_code(site: Site) -> None:
    """Let the API refuse the API code."""
    (site.drop / "48215.pdf").unlink()
    site.api.default = Answer(401)
    drop(site, "anna", "48216.pdf", pdf("refused"))
    until(lambda: "paused" in site.shows("StatusText"), "the pause", timeout=PATIENCE)


# What happens before which of the commands.
ACTS = {0: a_morning, 2: a_cut, 4: a_wrong_code}


def test_what_the_readme_shows(fresh: Machine) -> None:
    """What stands under a command in the README is what it prints, but for times and other figures."""
    follow(fresh, blocks(INSTALLATION)[0])
    fresh.run("useradd", "--create-home", "bert")
    for clerk in ("anna", "bert"):
        fresh.run("adduser", clerk, "invoices")
    wrong = []
    with api_of(fresh) as api:
        site = Site(fresh, api)
        site.configure(retry={"initial": "5m", "max": "5m"})
        site.systemctl("restart", UNIT)
        for number, (user, command, shown) in enumerate(sessions()):
            ACTS.get(number, lambda _site: None)(site)
            printed = at_a_terminal(fresh, command, user)
            if settled(printed) != settled(shown):
                wrong.append(f"{command}\n{printed}")
        site.assert_sound()
    assert not wrong, "\n\n".join(wrong)
