"""To a machine over the network: its name becomes addresses, and one of them takes a connection.

Guarantees: each step ends within the time it is given, and a name server that says nothing is not waited for beyond
it. Raises nothing: what fails is a finding.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from invoice_watcher.checks.finding import Finding, fault, note, ok

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# As socket(7) takes it: the family, and the address with its port (and two numbers more for IPv6).
Address: TypeAlias = "tuple[int, tuple[Any, ...]]"

_UNKNOWN = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})
_NETWORK = "connect this machine to the network, or look at its routes (ip route)"
_FIREWALL = "look at {key}; if it is right, a firewall on the way has to let this machine out, or api.proxy leads out"
_CURES = {
    errno.ECONNREFUSED: "look at host and port in {key}; if they are right, nothing listens there now",
    errno.ENETUNREACH: _NETWORK,
    errno.EHOSTUNREACH: _NETWORK,
    errno.EPERM: "let this machine out to it: a firewall here, or IPAddressDeny= of the unit, forbids it",
    errno.EACCES: "let this machine out to it: a firewall here, or IPAddressDeny= of the unit, forbids it",
}


class Place(NamedTuple):
    """A machine and a port, and the key of the configuration that names them."""

    host: str
    port: int
    key: str


def connect(place: Place, patience: float, deadline: float) -> Generator[Finding, None, socket.socket | None]:
    """Yield what is found on the way there, and return a connection; None when there is none.

    Args:
        place: where to.
        patience: seconds that the name, and each address, may take.
        deadline: seconds after which no further address is tried.
    """
    began = time.monotonic()
    addresses = yield from _look_up(place, patience)
    failed: list[tuple[str, OSError]] = []
    for family, address in addresses:
        if failed and time.monotonic() - began > deadline:
            break
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(patience)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed.append((str(address[0]), error))
            continue
        yield ok("connection", f"{address[0]} port {place.port} takes it")
        yield from (_slow(one, why, patience) for one, why in failed)
        return sock
    if failed:
        first, cause = failed[0]
        cure = _CURES.get(cause.errno or 0, _FIREWALL).format(key=place.key)
        yield fault("connection", f"{first} port {place.port}: {_why(cause, patience)}", cure)
    return None


def _slow(address: str, error: OSError, patience: float) -> Finding:
    text = f"{address}, another address of this name, was tried before in vain ({_why(error, patience)})"
    return note("connection", text, "mend the way to it (often IPv6), or take it out of the name service")


def _why(error: OSError, patience: float) -> str:
    return f"no answer within {patience:g} s" if isinstance(error, TimeoutError) else error.strerror or str(error)


def _look_up(place: Place, patience: float) -> Generator[Finding, None, list[Address]]:
    """Return the addresses of a host; a host that is one itself is nothing to tell of."""
    try:
        addresses = _within(patience, place)
    except (OSError, ValueError) as error:
        yield _unknown(place, error, patience)
        return []
    if not _is_address(place.host):
        yield ok("name", f"{place.host} is {', '.join(str(address[0]) for _, address in addresses)}")
    return addresses


def _unknown(place: Place, error: OSError | ValueError, patience: float) -> Finding:
    if isinstance(error, socket.gaierror) and error.errno in _UNKNOWN:
        cure = f"correct {place.key}, or have the name service know it"
        return fault("name", f"{place.host} is not known ({error.strerror})", cure)
    why = _why(error, patience) if isinstance(error, OSError) else "it can be no name"
    cure = "look at this machine's name servers (/etc/resolv.conf, resolvectl status) and the way to them"
    return fault("name", f"{place.host} cannot be looked up ({why})", cure)


def _within(seconds: float, place: Place) -> list[Address]:
    """Look a name up in a thread of its own, for nothing wakes one that does; it is left behind when time is over."""
    looking: Future[list[Address]] = Future()

    def look() -> None:
        try:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            looking.set_result([(family, address) for family, _, _, _, address in found])
        except (OSError, ValueError) as error:
            looking.set_exception(error)

    threading.Thread(target=look, name="look-up", daemon=True).start()
    return looking.result(seconds)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Cut:
    """Whether a connection was ended because its time was over."""

    def __init__(self) -> None:
        """Start with a connection that lives."""
        self.made = False


@contextmanager
def cut_after(sock: socket.socket, seconds: float) -> Iterator[Cut]:
    """Shut a connection down when the block takes longer, whatever the other side does to keep it alive."""
    cut = Cut()
    # TLS takes the first descriptor away from its socket, and would have a say in shutting down.
    with socket.fromfd(sock.fileno(), sock.family, sock.type) as beneath:

        def shut() -> None:
            cut.made = True
            with suppress(OSError):
                beneath.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, shut)
        timer.daemon = True
        timer.start()
        try:
            yield cut
        finally:
            timer.cancel()
            timer.join()
