"""Whether the file that `api.ca_bundle` names holds certificates, all of them sound.

Asks the file system. Raises nothing: what is wrong with the file is a conflict, which blames the key.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from invoice_watcher.config.conflicts import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config.model import Config


def unfit_bundle(config: Config) -> Iterator[Conflict]:
    """Yield what is wrong with the file of trusted certificates, if one is named."""
    if config.api.ca_bundle is not None and (why := _unfit(config.api.ca_bundle)):
        yield Conflict(("api.ca_bundle",), why)


def _unfit(path: Path) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if path.exists() and not path.is_file():  # opening a FIFO would wait for its writer
            return "is no file; name one PEM file with the certificates to trust"
        context.load_verify_locations(path)
    except ssl.SSLError as error:  # one that is damaged makes OpenSSL refuse the whole file
        if error.reason != "NO_CERTIFICATE_OR_CRL_FOUND":
            return "holds a certificate that cannot be read; each must be whole, from its BEGIN line to its END line"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if context.cert_store_stats()["x509"]:
        return None
    return "holds no certificate that can be read; it must be a PEM file (-----BEGIN CERTIFICATE-----)"
