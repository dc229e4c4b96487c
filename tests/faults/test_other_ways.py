"""Documents that arrive by rsync, by sftp, from a script, each called as the README says."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.users import CLERK, INVOICES, as_user, daemon, needs_users, place
from tests.integration.events import events_in
from tests.integration.place import invoices, names, pdf
from tests.integration.program import ROOT

if TYPE_CHECKING:
    from tests.integration.place import Place
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

__all__ = ["daemon", "place"]

SFTP_SERVER = "/usr/lib/openssh/sftp-server"

pytestmark = needs_users


def as_clerk(place: Place, *command: str, given: str = "") -> None:
    """Run a command as somebody who may drop, whose account only the command sees; it must succeed."""
    accounts = place.root / "passwd"
    own = f"clerk:x:{CLERK.uid}:{CLERK.uid}::/:/bin/sh\n"
    accounts.write_text(Path("/etc/passwd").read_text(encoding="utf-8") + own, encoding="utf-8")
    accounts.chmod(0o644)
    within = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', str(accounts)]
    within += [*as_user(CLERK.uid, CLERK.uid, [INVOICES]), *command]
    done = subprocess.run(within, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def assert_sent(api: StandIn, documents: dict[str, bytes]) -> None:
    """Each of these was sent once, whole, and nothing else was."""
    assert sorted((f"{one.order_id}.pdf", one.part.content) for one in api.requests) == sorted(documents.items())


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_rsync(api: StandIn, place: Place, daemon: Program) -> None:
    """Hidden names first, then renamed: each document is sent once, whatever rights it had at its source."""
    source, documents = place.root / "source", invoices(range(100, 120))
    source.mkdir()
    for name, content in documents.items():
        (source / name).write_bytes(content)
        (source / name).chmod(0o600)
    subprocess.run(["chown", "-R", str(CLERK.uid), source], check=True)
    with events_in(place.drop) as events:
        as_clerk(place, "rsync", "-rt", "--chmod=F640", "--remove-source-files", f"{source}/", f"{place.drop}/")
        place.until_done(*documents)
        assert any(name.startswith(".100.pdf.") for name, _ in events())
    assert_sent(api, documents)
    assert names(source) == []


@pytest.mark.skipif(not os.access(SFTP_SERVER, os.X_OK), reason="openssh-sftp-server is not installed")
@pytest.mark.parametrize("rename", ["rename", "rename -l"])
def test_sftp(api: StandIn, place: Place, daemon: Program, rename: str) -> None:
    """Put in its place by sftp, or under a temporary name and renamed, also by link and unlink as old clients do."""
    source = place.root / "source"
    source.write_bytes(pdf("1", size=1 << 20))
    source.chmod(0o644)
    batch = f"put {source} {place.drop}/1.pdf\nput {source} {place.drop}/2.pdf.filepart\n"
    batch += f"{rename} {place.drop}/2.pdf.filepart {place.drop}/2.pdf\n"
    as_clerk(place, "sftp", "-b", "-", "-D", f"{SFTP_SERVER} -u 0027", given=batch)
    place.until_done("1.pdf", "2.pdf")
    assert_sent(api, dict.fromkeys(("1.pdf", "2.pdf"), source.read_bytes()))
    found = (place.done / "2.pdf").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (CLERK.uid, INVOICES, 0o640)


def test_a_script(api: StandIn, place: Place, daemon: Program) -> None:
    """A cron job writes under a hidden name in the drop folder itself, and renames: its group and rights are right."""
    made = place.root / "made"
    made.write_bytes(pdf("12345"))
    made.chmod(0o644)
    script = 'umask 027; cat "$1" > "$2/.12345.tmp" && mv "$2/.12345.tmp" "$2/12345.pdf"'
    as_clerk(place, "sh", "-ec", script, "sh", str(made), str(place.drop))
    place.until_done("12345.pdf")
    assert_sent(api, {"12345.pdf": pdf("12345")})
    found = (place.done / "12345.pdf").stat()
    assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (INVOICES, 0o640)
