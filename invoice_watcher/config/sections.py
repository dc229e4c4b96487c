"""The groups of keys in a configuration: the API, when a file is whole, when to try again, and who is told how.

Frozen values, filled by `parse`; each field says by its `Setting` how its key is read and what it means.
Pure; nothing here raises.
"""

# No `from __future__ import annotations`: `keys` reads the annotations at run time.

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias, get_args

from invoice_watcher.config.addresses import BaseUrl, Listen, NotifyUrl, ProxyUrl
from invoice_watcher.config.forms import ApiCode, Choice, Duration, Setting, Whole
from invoice_watcher.config.keys import Section
from invoice_watcher.config.names import PathName
from invoice_watcher.config.secret import Secret
from invoice_watcher.record import force_setattr

Environment: TypeAlias = Literal["production", "sandbox"]
Mode: TypeAlias = Literal["auto", "native", "polling"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "json", "text", "journal"]

# The API document's two hosts.
BASE_URLS = MappingProxyType(
    {
        "production": "https://i.materialise.com/web-api",
        "sandbox": "https://imatsandbox.materialise.net/web-api",
    }
)
RESCAN = 30.0
RESCAN_POLLING = 5.0


class Api(Section, frozen=True, kw_only=True):
    """The Invoice API, and how to reach it.

    `base_url` is filled in from `environment` when it is not given; a copy made by `record.replace`
    keeps it.
    """

    environment: Annotated[
        Environment,
        Setting(
            Choice(get_args(Environment)),
            "Which of the service's two systems: production, or sandbox, where nothing is billed. "
            "Each has its own API code.",
        ),
    ] = "production"
    base_url: Annotated[
        str,
        Setting(
            BaseUrl(),
            "The API's address, https only except on this machine itself. Null takes the environment's own.",
            null=True,
        ),
    ] = ""
    api_code_file: Annotated[
        Path | None,
        Setting(
            PathName(),
            "A file that holds the API code and nothing else. It must not be readable by everyone.",
            null=True,
        ),
    ] = None
    api_code: Annotated[
        Secret | None,
        Setting(
            ApiCode(),
            "The API code itself, a GUID. The last one asked: a systemd credential, api_code_file and "
            "$INVOICE_WATCHER_API_CODE come before it, and keep it out of this file.",
            null=True,
        ),
    ] = None
    workers: Annotated[int, Setting(Whole(1, 64), "How many invoices are uploaded at the same time, 1 to 64.")] = 4
    connect_timeout: Annotated[
        float, Setting(Duration(), "How long to wait until the API's machine takes the connection.")
    ] = 10.0
    read_timeout: Annotated[float, Setting(Duration(), "How long to wait for the next piece of the answer.")] = 30.0
    deadline: Annotated[
        float,
        Setting(Duration(), "How long one attempt may take as a whole, whatever the server does."),
    ] = 120.0
    proxy: Annotated[
        str | None,
        Setting(
            ProxyUrl(),
            "The HTTP proxy to go through, http://HOST:PORT. The proxies of the environment are not used.",
            null=True,
        ),
    ] = None
    ca_bundle: Annotated[
        Path | None,
        Setting(
            PathName(),
            "A PEM file with the certificate authorities to trust in place of the usual ones; for a proxy "
            "that opens the traffic, or a test server.",
            null=True,
        ),
    ] = None

    def __post_init__(self) -> None:
        if not self.base_url:
            force_setattr(self, "base_url", BASE_URLS[self.environment])


class Settle(Section, frozen=True, kw_only=True):
    """When a file in the drop folder counts as finished, and how often the folder is looked at."""

    quiet: Annotated[
        float,
        Setting(Duration(zero=True), "How long a file must have been left unchanged before it is taken; may be 0."),
    ] = 1.0
    incomplete_after: Annotated[
        float,
        Setting(Duration(), "How long after its last change a document that is still cut off is rejected."),
    ] = 60.0
    rescan: Annotated[
        float | None,
        Setting(
            Duration(),
            "How often the whole drop folder is looked through, besides the kernel's hints. Null is 30s, and "
            "5s where there are no hints (mode polling).",
            null=True,
        ),
    ] = None
    mode: Annotated[
        Mode,
        Setting(
            Choice(get_args(Mode)),
            "native: the kernel's hints (inotify) and the rescan. polling: the rescan alone. auto: polling "
            "on a network file system, else native.",
        ),
    ] = "auto"

    def rescan_for(self, *, polling: bool) -> float:
        """Return the seconds between two full scans: `rescan` if set, else 5 when `polling`, else 30."""
        if self.rescan is not None:
            return self.rescan
        return RESCAN_POLLING if polling else RESCAN


class Retry(Section, frozen=True, kw_only=True):
    """What happens when an upload has to be tried again: exponential back-off with jitter between two bounds."""

    initial: Annotated[
        float,
        Setting(
            Duration(),
            "The shortest wait before another attempt; the bound of a random wait starts at twice this, and doubles.",
        ),
    ] = 2.0
    max: Annotated[float, Setting(Duration(), "The longest wait before another attempt.")] = 300.0
    max_attempts: Annotated[
        int,
        Setting(
            Whole(1, 1000),
            "After how many failures a file is put aside that keeps failing while others are answered. One counts "
            "when others were answered since the last that counted, the first when any were since the start; none in a "
            "pause, nor the first alone: 1 acts as 2.",
        ),
    ] = 10


class Log(Section, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Annotated[
        Level, Setting(Choice(get_args(Level)), "The least that is logged: debug, info, warning or error.")
    ] = "info"
    format: Annotated[
        LogFormat,
        Setting(
            Choice(get_args(LogFormat)),
            "text, json (one object a line) or journal (systemd's, with fields). auto: the journal under "
            "systemd, else text.",
        ),
    ] = "auto"


class Metrics(Section, frozen=True, kw_only=True):
    """Figures for Prometheus."""

    listen: Annotated[
        str | None,
        Setting(Listen(), "Serve the metrics over HTTP at HOST:PORT or :PORT, as /metrics. Null: do not.", null=True),
    ] = None
    textfile: Annotated[
        Path | None,
        Setting(PathName(), "Write the metrics to this file, NAME.prom, for node_exporter. Null: do not.", null=True),
    ] = None


class Notify(Section, frozen=True, kw_only=True):
    """Who is told when something needs a person."""

    urls: Annotated[
        tuple[str, ...],
        Setting(NotifyUrl(), "Where to send word: mail, chat or web hooks, one address each.", many=True),
    ] = ()
    every: Annotated[float, Setting(Duration(), "How often at most; what happens between is gathered.")] = 900.0
