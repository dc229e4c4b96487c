"""systemd and the service: what it shows, and what it does when it is reloaded, stopped, killed, or hangs."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from tests.integration.answers import OK, Answer
from tests.integration.place import pdf
from tests.integration.program import API_CODE, until
from tests.system.site import PATIENCE, UNIT

if TYPE_CHECKING:
    from tests.system.site import Site

SOON = "[Service]\nRestartSec=100ms\nRestartSteps=0\n"


def assert_delivers(site: Site, order: str) -> None:
    """What is dropped now is delivered."""
    site.put("anna", f"{order}.pdf", pdf(order))
    site.until_filed("done", f"{order}.pdf")


def until_another_process(site: Site, before: str) -> None:
    """Wait until the service works again, as another process than before."""

    def works() -> bool:
        return site.shows("ActiveState") == "active" and site.shows("MainPID") not in {before, "0"}

    until(works, "another process of the service", timeout=PATIENCE)


def test_it_starts_with_the_machine_as_its_user(site: Site) -> None:
    """The service is active, enabled, run by its own user, and cannot write but to the folders."""
    assert site.shows("ActiveState") == "active"
    assert site.systemctl("is-enabled", UNIT).strip() == "enabled"
    status = site.machine.path(f"/proc/{site.shows('MainPID')}/status").read_text(encoding="utf-8")
    user = site.machine.run("id", "-u", "invoice-watcher").strip()
    assert f"Uid:\t{user}\t{user}\t{user}\t{user}" in status
    assert "NoNewPrivs:\t1" in status


def test_the_status_says_what_waits_and_why(site: Site) -> None:
    """`systemctl status` says in a sentence how many files wait, and why, when the API refuses the API code."""
    site.api.default = Answer(401)
    for order in ("300001", "300002", "300003"):
        site.put("anna", f"{order}.pdf", pdf(order))
    until(lambda: "paused" in site.shows("StatusText"), "a pause in the status", timeout=PATIENCE)
    until(lambda: "3 waiting" in site.shows("StatusText"), "what waits in the status", timeout=PATIENCE)
    shown = site.systemctl("status", "--no-pager", "--full", UNIT)
    assert site.shows("StatusText") in shown
    assert "API code" in shown
    site.api.default = OK
    site.until_filed("done", "300001.pdf", "300002.pdf", "300003.pdf")
    until(lambda: "paused" not in site.shows("StatusText"), "the end of the pause", timeout=PATIENCE)


def test_a_reload(site: Site) -> None:
    """`systemctl reload` returns when the new configuration is in force; the process stays."""
    before = site.shows("MainPID")
    site.configure(max_size=100)
    site.systemctl("reload", UNIT)
    site.put("anna", "300004.pdf", pdf(size=1000))
    (receipt,) = site.until_filed("failed", "300004.pdf")
    assert receipt["error"]["reason"] == "too_large"
    site.configure()
    site.systemctl("reload", UNIT)
    assert_delivers(site, "300005")
    assert site.shows("MainPID") == before


def test_a_broken_configuration_is_refused(site: Site) -> None:
    """A reload with a broken configuration is told in the journal, with its key, and the old one stays in force."""
    before = site.shows("MainPID")
    site.configure(max_sise=100)
    site.machine.attempt("systemctl", "reload", UNIT)
    site.tells("max_sise")
    assert_delivers(site, "300006")
    assert (site.shows("MainPID"), site.shows("ActiveState")) == (before, "active")


def test_a_start_with_a_broken_configuration(site: Site) -> None:
    """A service that cannot start for its configuration fails with 78, and is not started over and over."""
    site.configure(max_sise=100)
    site.machine.attempt("systemctl", "restart", UNIT)
    until(lambda: site.shows("ActiveState") == "failed", "the failure", timeout=PATIENCE)
    assert site.shows("ExecMainStatus") == "78"


def test_another_api_code(site: Site) -> None:
    """A new API code is in force after a restart."""
    another = API_CODE.replace("5ec2e7c0", "00000000")
    site.machine.write("/etc/invoice-watcher/api-code", f"{another}\n")
    try:
        site.systemctl("restart", UNIT)
        assert_delivers(site, "300007")
        assert site.api.of("300007")[0].api_code == another
    finally:
        site.machine.write("/etc/invoice-watcher/api-code", f"{API_CODE}\n")
        site.systemctl("restart", UNIT)


def test_killed_during_an_upload(site: Site) -> None:
    """A service that is killed is started again by systemd, and sends what it was sending once more, in doubt."""
    site.drop_in(SOON)
    gate = threading.Event()
    site.api.script("300008", Answer(hold=gate), OK)
    before = site.shows("MainPID")
    site.put("anna", "300008.pdf", pdf())
    site.api.wait_for(1, "300008")
    site.systemctl("kill", "--signal=KILL", UNIT)
    until_another_process(site, before)
    gate.set()
    (receipt,) = site.until_filed("done", "300008.pdf")
    assert receipt["in_doubt"]
    assert len(site.api.of("300008")) == 2


def test_hung(site: Site) -> None:
    """A service that hangs is found by systemd's watchdog, killed, and started again; what waited is delivered."""
    site.drop_in(f"{SOON}WatchdogSec=2\n")
    site.systemctl("restart", UNIT)
    before = site.shows("MainPID")
    site.systemctl("kill", f"--signal={signal.SIGSTOP.name}", UNIT)
    site.put("anna", "300009.pdf", pdf())
    until_another_process(site, before)
    site.until_filed("done", "300009.pdf")
    assert_delivers(site, "300010")


def test_stopped_during_an_upload(site: Site) -> None:
    """`systemctl stop` lets the upload that is under way end well; what came later waits for the next start."""
    gate = threading.Event()
    site.api.script("300011", Answer(hold=gate))
    site.put("anna", "300011.pdf", pdf())
    site.api.wait_for(1, "300011")
    site.systemctl("stop", "--no-block", UNIT)
    until(lambda: site.shows("ActiveState") == "deactivating", "the stop", timeout=PATIENCE)
    site.put("anna", "300012.pdf", pdf())
    gate.set()
    (receipt,) = site.until_filed("done", "300011.pdf")
    until(lambda: site.shows("ActiveState") == "inactive", "the end", timeout=PATIENCE)
    assert (receipt["in_doubt"], site.shows("Result"), site.shows("ExecMainStatus")) == (False, "success", "0")
    assert site.waiting() == ["300012.pdf"]
    site.systemctl("start", UNIT)
    site.until_filed("done", "300012.pdf")
