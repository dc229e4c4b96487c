"""Through the proxy: it is asked for a way to the API, as by each upload (CONNECT, RFC 9110 section 9.3.6).

Guarantees: ends in time; what the proxy says is read up to a bound; its password is shown nowhere. Raises nothing:
what fails is a finding.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote

from invoice_watcher.checks.finding import Finding, fault, ok
from invoice_watcher.checks.reach import cut_after

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

_LONGEST_HEAD = 16 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]{0,100}))?")
_NO_LOGIN = 407  # RFC 9110 section 15.5.8
_ADDRESS = "look at host and port in api.proxy: it has to be an HTTP proxy"
_BEYOND = "the proxy cannot reach the API now: look at its own log, names and routes"


def tunnel(sock: socket.socket, proxy: SplitResult, target: str, patience: float) -> Generator[Finding, None, bool]:
    """Ask for a way to `target` (HOST:PORT), yield what came of it, and return whether there is one.

    Args:
        sock: connected with the proxy.
        proxy: its address, with what is needed to log in.
        target: the API's host and port.
        patience: seconds that the answer may take.
    """
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *_login(proxy), "", ""]
    try:
        with cut_after(sock, patience):
            sock.sendall("\r\n".join(lines).encode("latin-1"))
            head = _head(sock)
    except OSError as error:
        yield fault("proxy", f"it broke off ({error.strerror or error}) when asked for a way to {target}", _ADDRESS)
        return False
    found = _judge(head, target, knows_us="@" in proxy.netloc)
    yield found or ok("proxy", f"it has a way to {target}")
    return found is None


def _login(proxy: SplitResult) -> list[str]:
    """Return the header with user and password, spelled as every upload has it."""
    if proxy.username is None:
        return []
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return [f"Proxy-Authorization: Basic {b64encode(pair.encode('latin-1')).decode('ascii')}"]


def _head(sock: socket.socket) -> bytes:
    """Read the head of the answer, byte by byte at its end: what follows belongs to the API."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD and (piece := sock.recv(1)):
        head += piece
    return head


def _judge(head: bytes, target: str, *, knows_us: bool) -> Finding | None:
    match = _STATUS_LINE.match(head)
    if match is None:
        return fault("proxy", "what it answers is no HTTP" if head else "it does not answer", _ADDRESS)
    if not head.endswith(b"\r\n\r\n"):
        return fault("proxy", "its answer does not come to an end", _ADDRESS)
    status, said = int(match[1]), f"{match[1].decode()} {(match[2] or b'').decode('latin-1')}".strip()
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110 section 9.3.6: every 2xx is a way
        return None
    if status == _NO_LOGIN and knows_us:
        return fault("proxy", f"it does not accept the login ({said})", "correct user and password in api.proxy")
    if status == _NO_LOGIN:
        cure = "write user and password into api.proxy: http://USER:PASSWORD@HOST:PORT"
        return fault("proxy", f"it asks for a login ({said})", cure)
    cure = _BEYOND if status >= 500 else f"have the proxy's administrator allow CONNECT to {target}"  # noqa: PLR2004
    return fault("proxy", f"it refuses a way to {target} ({said})", cure)
