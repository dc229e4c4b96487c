"""Certificates for a server on 127.0.0.1, sound and unsound, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Certificate(NamedTuple):
    """A certificate that vouches for itself, and a server's TLS with it."""

    path: Path
    server: ssl.SSLContext


def certificate(folder: Path, *, name: str = "IP:127.0.0.1", days: int = 2) -> Certificate:
    """Make one for a subject alternative name; with negative days it has expired."""
    key, request, names, path = (folder / part for part in ("key.pem", "request.pem", "names", "certificate.pem"))
    names.write_text(f"subjectAltName={name}\n")
    new = f"req -new -newkey rsa:2048 -nodes -keyout {key} -out {request} -subj /CN={folder.name}"
    sign = f"x509 -req -in {request} -signkey {key} -days {days} -extfile {names} -out {path}"
    for arguments in (new, sign):
        subprocess.run(["openssl", *arguments.split(" ")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return Certificate(path, context)
