"""The metrics of the running program, as Prometheus sees them: fetched, parsed, and waited for.

Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import http.client
import random
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.program import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable

Figures = dict[str, float]


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    text: str


def free_port() -> int:
    """Return a port of the loopback that nobody listens at, and that the kernel gives nobody who asks for any port.

    Those that it gives, to every connection of every test, begin at 32768 (ip(7), ip_local_port_range).
    """
    for port in random.SystemRandom().sample(range(20_000, 32_768), 100):
        with socket.socket() as one, suppress(OSError):  # in use: another one
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def ask(port: int, path: str = "/metrics", method: str = "GET", host: str = "127.0.0.1") -> Reply:
    """Send one request, and return its answer."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()


def figures_of(text: str) -> Figures:
    """Return every sample of an exposition, as `name` or `name{label="value"}`."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            key = sample.name + (f"{{{labels}}}" if labels else "")
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def short(figures: Figures, name: str) -> float | None:
    """Return a sample of the program's own by the rest of its name; None when there is none."""
    return figures.get(f"invoice_watcher_{name}")


def scrape(port: int) -> Figures:
    """Return all figures as they are now."""
    return figures_of(ask(port).text)


def until_scraped(port: int, condition: Callable[[Figures], bool]) -> Figures:
    """Scrape until the figures are as they should be; returns them."""
    last: Figures = {}

    def is_so() -> bool:
        last.clear()
        last.update(scrape(port))
        return condition(last)

    try:
        until(is_so, "the figures")
    except AssertionError as error:
        own = {name: value for name, value in last.items() if "bucket" not in name}
        raise AssertionError(f"{error}: {own}") from None
    return last


def until_listening(port: int, host: str = "127.0.0.1") -> None:
    """Wait until somebody listens at a port."""

    def is_open() -> bool:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
            return one.connect_ex((host, port)) == 0

    until(is_open, f"somebody at port {port}")
