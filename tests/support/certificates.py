"""Certificates for a server on 127.0.0.1, sound and unsound, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


# What `openssl ca` wants; the other commands of openssl make no certificate that has expired.
_AUTHORITY = """
[ca]
default_ca = here
[here]
database = {database}
new_certs_dir = {folder}
default_md = sha256
rand_serial = yes
policy = any
unique_subject = no
[any]
commonName = supplied
"""


class Certificate(NamedTuple):
    """A certificate that vouches for itself, and a server's TLS with it."""

    path: Path
    server: ssl.SSLContext


def certificate(folder: Path, *, name: str = "IP:127.0.0.1", days: int = 2, age: int = 1) -> Certificate:
    """Make one for a subject alternative name, so many days old; with negative days it has expired."""
    key, request, names, path = (folder / part for part in ("key.pem", "request.pem", "names", "certificate.pem"))
    authority, database = folder / "authority", folder / "database"
    names.write_text(f"subjectAltName={name}\n")
    database.touch()
    authority.write_text(_AUTHORITY.format(folder=folder, database=database))
    now = datetime.now(UTC)
    first, last = now + timedelta(days=min(0, days) - age), now + timedelta(days=days)
    dates = f"-startdate {first:%Y%m%d%H%M%SZ} -enddate {last:%Y%m%d%H%M%SZ}"
    new = f"req -new -newkey rsa:2048 -nodes -keyout {key} -out {request} -subj /CN={folder.name}"
    sign = f"ca -batch -selfsign -notext -config {authority} -in {request} -keyfile {key} -extfile {names} -out {path}"
    for arguments in (new, f"{sign} {dates}"):
        subprocess.run(["openssl", *arguments.split(" ")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return Certificate(path, context)
