"""A site: a machine with the package installed and a share on it, its clerks, and a stand-in for the API.

The stand-in is the one of `tests/integration`; its socket belongs to the machine's loopback, so the service reaches it
there, whether the machine is rebooted meanwhile or not. Clerks work through smbclient(1), inside the machine.
Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.integration.place import documents, names, sidecar
from tests.integration.program import API_CODE, ROOT, until
from tests.integration.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.program import Finished
    from tests.system.machine import Machine

UNIT = "invoice-watcher.service"
PATIENCE = 60.0
PASSWORD = "rather-secret"  # noqa: S105 - of a share that exists for a minute
CLERKS = ("anna", "bert")
SHARE = "//127.0.0.1/invoices"


class Site:
    """What an administrator set up."""

    def __init__(self, machine: Machine, api: StandIn) -> None:
        """Configure the service for this API, and start it."""
        self.machine, self.api = machine, api
        machine.write("/etc/invoice-watcher/api-code", f"{API_CODE}\n")
        self.configure()

    def configure(self, name: str = "config", **changes: object) -> None:
        """Write a configuration: the least there must be, little patience, and these keys."""
        settings = {
            "drop_dir": "/srv/invoices",
            "api": {"base_url": self.api.base_url},
            "settle": {"quiet": 0},
            "retry": {"initial": "50ms", "max": "100ms"},
        }
        self.machine.write(f"/etc/invoice-watcher/{name}.yaml", json.dumps({**settings, **changes}, indent=1))

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl, which must succeed, and return what it prints."""
        return self.machine.run("systemctl", *arguments)

    def shows(self, name: str, unit: str = UNIT) -> str:
        """Return a property of the service."""
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def drop_in(self, text: str) -> None:
        """Change the unit for this machine, as `systemctl edit` does."""
        self.machine.write(f"/run/systemd/system/{UNIT}.d/test.conf", text)
        self.systemctl("daemon-reload")

    @property
    def drop(self) -> Path:
        """The drop folder, as it is mounted in the machine at this moment."""
        return self.machine.path("/srv/invoices")

    def waiting(self) -> list[str]:
        """The documents in the drop folder and in the work folder, and not the page that lies beside them."""
        found = documents(self.drop) + documents(self.drop / ".processing")
        return sorted(name for name in found if name != "status.html")

    def until_filed(self, folder: str, *wanted: str) -> list[dict[str, Any]]:
        """Wait until all of these lie in `done` or `failed` and are noted nowhere any more; returns their sidecars."""
        notes = {f"{name}.json" for name in wanted}

        def filed() -> bool:
            lie_there = set(wanted) <= set(names(self.drop / folder))
            return lie_there and not notes & set(names(self.drop / ".processing"))

        until(filed, f"{wanted} in {folder}/", timeout=PATIENCE)
        return [sidecar(self.drop / folder / name) for name in wanted]

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Return the entries of the journal that match, `ORDER_ID=12345`, oldest first."""
        self.machine.run("journalctl", "--sync")
        lines = self.machine.run("journalctl", "--quiet", "--output=json", *matches).splitlines()
        return [json.loads(line) for line in lines]

    def tells(self, text: str, *matches: str) -> None:
        """Wait until the service has said this in the journal."""
        matches = matches or (f"_SYSTEMD_UNIT={UNIT}",)
        told = lambda: any(text in str(entry.get("MESSAGE")) for entry in self.journal(*matches))  # noqa: E731
        until(told, f"{text!r} in the journal", timeout=PATIENCE)

    def smb(self, clerk: str, *commands: str, given: bytes | None = None) -> Finished:
        """Let a clerk do something on the share; what is given lies at hand, for `put invoice 12345.pdf`."""
        if given is not None:
            self.machine.path(f"/home/{clerk}/invoice").write_bytes(given)
        return self.machine.attempt(*self._smbclient(clerk, *commands), user=clerk)

    def smb_meanwhile(self, clerk: str, *commands: str) -> subprocess.Popen[bytes]:
        """Let a clerk do it while the test goes on; what is written to stdin is what `put -` copies."""
        command = self.machine.within(*self._smbclient(clerk, *commands), user=clerk)
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def put(self, clerk: str, name: str, content: bytes) -> None:
        """Let a clerk copy an invoice to the share."""
        done = self.smb(clerk, f"put invoice {name}", given=content)
        assert done.status == 0, done

    @staticmethod
    def _smbclient(clerk: str, *commands: str) -> tuple[str, ...]:
        at_home = ("env", f"--chdir=/home/{clerk}", "smbclient", SHARE, f"--user={clerk}%{PASSWORD}")
        return (*at_home, "--command", "; ".join(commands))

    def assert_sound(self) -> None:
        """Nothing that was logged is a traceback or holds the secret, and the API has nothing to complain about."""
        self.machine.run("journalctl", "--sync")
        text = self.machine.run("journalctl", "--output=export", "--all")
        assert API_CODE not in text.lower()
        assert "Traceback" not in text
        assert not self.api.faults


def set_up_share(machine: Machine) -> None:
    """Share the folder, as the package's own share definition says, with two clerks."""
    samba = ROOT / "packaging" / "samba"
    machine.copy_in(samba / "invoice-watcher.conf", "/etc/samba/invoice-watcher.conf")
    machine.copy_in(samba / "smbd.service.d", "/etc/systemd/system/smbd.service.d")
    with machine.path("/etc/samba/smb.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("include = /etc/samba/invoice-watcher.conf\n")
    for clerk in CLERKS:
        machine.run("useradd", "--create-home", "--groups", "invoices", clerk)
        machine.run("smbpasswd", "-s", "-a", clerk, given=f"{PASSWORD}\n{PASSWORD}\n")


@contextmanager
def api_of(machine: Machine) -> Iterator[StandIn]:
    """Give a stand-in for the API that listens on the machine's loopback."""
    with machine.network.entered():
        api = StandIn()
    with api:
        yield api
