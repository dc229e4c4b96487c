"""The secure connection: is the other side who it says, and until when can it prove that?

The certificates to trust are those of every upload. Guarantees: ends in time. Raises nothing: what fails is a finding.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.checks.finding import Finding, fault, note, ok
from invoice_watcher.checks.reach import cut_after

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator, Mapping

_SOON = timedelta(days=14)
_TRUST = "if a proxy or firewall on the way opens the traffic, or the authority is your own, name its certificate in "
_TRUST += "api.ca_bundle; else do not go on: somebody may be listening"
_CLOCK = "set this machine's clock if it is wrong (timedatectl)"
# X509_V_ERR_* of openssl/x509_vfy.h, with what mends it.
_CURES = {
    9: f"{_CLOCK}; else the owner of {{host}} has to put up a valid one",  # not yet valid
    10: f"{_CLOCK}; else the owner of {{host}} has to renew it",  # has expired
    18: _TRUST,  # it vouches for itself
    19: _TRUST,  # an authority that is not known vouches for itself
    20: _TRUST,  # the authority is not known
    21: _TRUST,
    62: "correct the host in {key}: the certificate is for another name",
    64: "write the host's name in {key} in place of its address",
}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}


class Side(NamedTuple):
    """The other side: its host, and the key of the configuration that names it."""

    host: str
    key: str


def secure(
    sock: socket.socket, side: Side, context: ssl.SSLContext, patience: float
) -> Generator[Finding, None, ssl.SSLSocket | None]:
    """Make a connection secure, yield what is to be said of it, and return it; None when it cannot be trusted."""
    try:
        secured = _secured(sock, side, context, patience)
    except OSError as error:
        yield _failed(error, side, patience)
        return None
    yield _validity(secured, side)
    return secured


def _secured(sock: socket.socket, side: Side, context: ssl.SSLContext, patience: float) -> ssl.SSLSocket:
    """Make a connection secure; raises TimeoutError when its time is over, whatever TLS makes of that, or OSError."""
    with cut_after(sock, patience) as cut:
        try:
            return context.wrap_socket(sock, server_hostname=side.host.rstrip("."))
        except OSError as error:
            if cut.made:
                raise TimeoutError from error
            raise


def _failed(error: OSError, side: Side, patience: float) -> Finding:
    if isinstance(error, ssl.SSLCertVerificationError):
        cure = _CURES.get(error.verify_code, f"look at the certificate of {side.host}, and at api.ca_bundle")
        text = f"the certificate of {side.host} is not accepted: {error.verify_message}"
        return fault("TLS", text, cure.format(host=side.host, key=side.key))
    if isinstance(error, TimeoutError):
        return fault("TLS", f"{side.host} did not agree on a secure connection within {patience:g} s", _way(side))
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return fault("TLS", f"{side.host} does not speak TLS at this port", f"correct scheme and port in {side.key}")
    why = (error.reason if isinstance(error, ssl.SSLError) else None) or error.strerror or "closed"
    return fault("TLS", f"{side.host} broke off before the connection was secure ({why})", _way(side))


def _way(side: Side) -> str:
    return f"look at host and port in {side.key}, and at what a firewall on the way does to TLS"


def _validity(secured: ssl.SSLSocket, side: Side) -> Finding:
    certificate = secured.getpeercert() or {}
    begin, end = (_moment(str(certificate.get(name, ""))) for name in ("notBefore", "notAfter"))
    text = f"{secured.version()}, certificate of {side.host} by {_issuer(certificate)}"
    if begin is None or end is None:
        return ok("TLS", text)
    if ends_soon(begin, end, datetime.now(UTC)):
        cure = f"the owner of {side.host} has to renew it by then; without, no invoice goes out"
        return note("TLS", f"{text}, valid only until {end:%Y-%m-%d %H:%M} UTC", cure)
    return ok("TLS", f"{text}, valid until {end:%Y-%m-%d}")


def ends_soon(begin: datetime, end: datetime, now: datetime) -> bool:
    """Tell whether a certificate should have been renewed by now: of a short life a quarter is left, else 14 days."""
    return end - now < min(_SOON, (end - begin) / 4)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _issuer(certificate: Mapping[str, object]) -> str:
    """Return who signed it, which shows a proxy that opens the traffic."""
    issuer = certificate.get("issuer", ())
    pairs = dict(pair for group in issuer for pair in group) if isinstance(issuer, tuple) else {}
    return str(pairs.get("organizationName") or pairs.get("commonName") or "nobody named")[:100]
