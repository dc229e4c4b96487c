"""The way to the API, step by step as every upload goes it: name, connection, proxy, secure connection.

A step is taken only when the one before it went well. Guarantees: no request goes to the API, each step ends in time,
and nothing stays open. Raises nothing: what fails is a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from invoice_watcher.checks.finding import Finding, fault
from invoice_watcher.checks.proxy import tunnel
from invoice_watcher.checks.reach import Place, connect
from invoice_watcher.checks.tls import Side, secure
from invoice_watcher.uploader import tls_context

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Generator

    from invoice_watcher.config import Api

_PORTS = {"http": 80, "https": 443}


def look_at_route(api: Api) -> Generator[Finding, None, bool]:
    """Yield what is found on the way, and return whether it is open."""
    try:
        context = tls_context(api)
    except OSError as error:
        text = f"the trusted certificates cannot be read ({error.strerror or error})"
        yield fault("TLS", text, "correct api.ca_bundle, or install ca-certificates")
        return False
    first = _place(api.proxy, "api.proxy") if api.proxy else _place(api.base_url, "api.base_url")
    sock = yield from connect(first, min(api.connect_timeout, api.deadline), api.deadline)
    if sock is None:
        return False
    with sock:
        return (yield from _talk(sock, api, context))


def _talk(sock: socket.socket, api: Api, context: ssl.SSLContext) -> Generator[Finding, None, bool]:
    """Go on from a connection with the first machine on the way."""
    patience = min(api.connect_timeout, api.deadline)
    if not api.proxy:
        return (yield from _secured(sock, urlsplit(api.base_url), context, patience))
    proxy, target = urlsplit(api.proxy), urlsplit(api.base_url)
    if proxy.scheme == "https":
        return (yield from _over_secure_proxy(sock, proxy, target, context, patience))
    if target.scheme == "http":  # such a request goes to the proxy as it is
        return True
    is_open = yield from tunnel(sock, proxy, _authority(target), patience)
    return is_open and (yield from _secured(sock, target, context, patience))


def _over_secure_proxy(
    sock: socket.socket, proxy: SplitResult, target: SplitResult, context: ssl.SSLContext, patience: float
) -> Generator[Finding, None, bool]:
    """Within a secure connection no second one is made here: what is wrong with that one, the request will tell."""
    secured = yield from secure(sock, Side(proxy.hostname or "", "api.proxy"), context, patience)
    if secured is None:
        return False
    with secured:
        return target.scheme == "http" or (yield from tunnel(secured, proxy, _authority(target), patience))


def _secured(
    sock: socket.socket, target: SplitResult, context: ssl.SSLContext, patience: float
) -> Generator[Finding, None, bool]:
    """Look at the API's own certificate; at an address of this machine there is none (http://)."""
    if target.scheme == "http":
        return True
    secured = yield from secure(sock, Side(target.hostname or "", "api.base_url"), context, patience)
    if secured is None:
        return False
    secured.close()
    return True


def _place(url: str, key: str) -> Place:
    parts = urlsplit(url)
    return Place(parts.hostname or "", parts.port or _PORTS[parts.scheme], key)


def _authority(target: SplitResult) -> str:
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    return f"{host}:{target.port or _PORTS[target.scheme]}"
