"""Sends a message to one address, by apprise; says what came of it in words of its own.

An address may hold a password or a token, anywhere in it: nothing but its scheme and its number is ever shown, and of
what apprise says only what is known to hold no secret, a status or a kind of fault, is understood and told in other
words. apprise's own log goes nowhere. It is imported when the first message is sent, for that takes its time. Raises
nothing.
"""

from __future__ import annotations

import inspect
import logging
import re
import threading
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from invoice_watcher.notify.digest import Message

INSTALL = "install Debian's package apprise, or run: pip install 'invoice-watcher[notify]'"
_MOST = 32_768  # characters, where a service names no bound

# By what apprise says: what that means, and what to do. The first that fits.
_ROUTE = "check the host, the port, and the firewall"
_MEANINGS = (
    (r"NameResolution|Name or service not known|name resolution|No address associated", "its host is unknown",
     "check the name of the host, and this machine's DNS"),
    (r"CERTIFICATE_VERIFY|SSL|TLS", "there is no secure connection to it",
     "check the server's certificate, its port, and this machine's clock"),
    (r"timed out|[Tt]imeout", "it did not answer in time", _ROUTE),
    (r"Connection ?[Rr]efused|unreachable|No route|Errno 1[01]\d", "it cannot be reached", _ROUTE),
    (r"error=40[13]|\(53[0-5],|\(454,|[Uu]nauthori[sz]ed|SMTP AUTH", "it refused the login",
     "check the user, the password or the token in it"),
    (r"unexpectedly closed|Connection aborted|reset by peer|Disconnected", "it broke the connection off",
     "look into its server's own log"),
    (r"error=404", "it knows no such place (404)", "check the path or the token in it"),
    (r"error=429", "it was called too often (429)", "raise notify.every"),
)  # fmt: skip
_REFUSED = ("it did not take the message", "check the address, and what its server's own log says")
_STATUS = re.compile(r"error=(\d{3})\b|\((\d{3}), ")  # as the plugins that speak HTTP tell it, and as smtplib does
_FOR_GOOD = re.compile(r"error=4\d\d\b|\(5\d\d, ")  # RFC 9110 section 15.5, RFC 5321 section 4.2.1


class Trouble(NamedTuple):
    """Why a message was not sent.

    Attributes:
        text: what is so; goes on after the address's name.
        cure: what to do.
        is_answer: the service refused for good, so it may be this message that it does not like.
    """

    text: str
    cure: str
    is_answer: bool = False

    def __str__(self) -> str:
        return f"{self.text}; {self.cure}"


def is_missing() -> bool:
    """Whether apprise is not installed; does not import it."""
    return find_spec("apprise") is None


class Address:
    """One address."""

    def __init__(self, url: str, number: int) -> None:
        """Take it; whether it is any good is seen when it is used.

        Args:
            url: as it is configured.
            number: the how-manieth it is, from 1 on.
        """
        self._url, self._service = url, None
        self.name = f"notify.urls {number} ({re.split(r'[^A-Za-z0-9+.-]', url)[0][:20]}://…)"

    def look(self) -> Trouble | None:
        """Return what is wrong with it, as far as can be seen without calling it."""
        if is_missing():
            return Trouble("the package apprise, which sends, is not installed", INSTALL)
        try:
            with _overhearing():
                service = self._made()
        except Exception as error:  # noqa: BLE001 - whatever a large library that is there in part may raise
            return Trouble(f"the package apprise cannot be loaded ({type(error).__name__})", INSTALL)
        if service is None:
            return Trouble("is no address that apprise can use", "see the list of services on apprise's web page")
        return None

    def send(self, message: Message) -> Trouble | None:
        """Send a message; returns why it was not sent.

        What a service that answers does not take is sent once more without any text from outside, which might be why.
        """
        if trouble := self.look():
            return trouble
        limit = getattr(self._service, "body_maxlen", 0) or _MOST
        # Where the text becomes HTML, it grows.
        trouble = self._try(message.subject, message.text(limit if limit >= _MOST else limit // 2))
        if trouble and trouble.is_answer:
            return self._try(message.subject, message.text(0))
        return trouble

    def _try(self, subject: str, text: str) -> Trouble | None:
        with _overhearing() as heard:
            try:
                is_sent = self._sender().notify(title=subject, body=text, body_format=_apprise().NotifyFormat.TEXT)
            except Exception as error:  # noqa: BLE001 - a hundred services, each with libraries of its own
                heard.append(type(error).__name__)
                is_sent = False
        return None if is_sent else _understood(heard)

    def _sender(self) -> Any:  # noqa: ANN401 - apprise's, which is not there where types are checked
        sender = _apprise().Apprise(asset=_asset())
        sender.add(self._service)
        return sender

    def _made(self) -> Any:  # noqa: ANN401 - likewise
        if self._service is None:
            apprise = _apprise()
            with suppress(Exception):
                self._service = apprise.Apprise.instantiate(self._url, asset=_asset())
            if self._service is not None and getattr(self._service, "protocol", "") == "mailto":
                self._service.notify_format = apprise.NotifyFormat.TEXT
        return self._service


@cache
def _apprise() -> ModuleType:
    log = logging.getLogger("apprise")
    log.propagate = False  # it shows parts of addresses
    log.setLevel(logging.DEBUG)
    log.addHandler(logging.NullHandler())
    import apprise  # noqa: PLC0415 - takes a third of a second and ten megabytes

    from invoice_watcher.notify import replies  # noqa: PLC0415 - likewise, by what it imports

    replies.bound()
    warnings.filterwarnings("ignore", "Unverified HTTPS request")  # of urllib3, where the address says verify=no
    return apprise


def _asset() -> Any:  # noqa: ANN401 - likewise
    """Return how apprise is to work: in the thread that called it, and under our name.

    It would give up after a minute, but only by leaving a thread behind for which the process then waits at its end.
    """
    kind = _apprise().AppriseAsset
    bound = {"service_timeout": 0} if "service_timeout" in inspect.signature(kind).parameters else {}
    return kind(app_id="invoice-watcher", app_desc="invoice-watcher", async_mode=False, **bound)


@contextmanager
def _overhearing() -> Iterator[list[str]]:
    """Gather what apprise says in this thread meanwhile."""
    log, ear = logging.getLogger("apprise"), _Ear()
    log.addHandler(ear)
    try:
        yield ear.heard
    finally:
        log.removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._ours = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._ours:
            return
        with suppress(TypeError, ValueError, KeyError):
            text = record.getMessage()
            # The rest may hold the message itself, with texts from outside in it.
            if record.levelno >= logging.WARNING or text.startswith("Socket Exception"):
                self.heard.append(text)
        if record.exc_info and record.exc_info[1]:
            self.heard.append(f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}")


def _understood(heard: list[str]) -> Trouble:
    everything = "\n".join(heard)
    for pattern, text, cure in _MEANINGS:
        if re.search(pattern, everything):
            return Trouble(text, cure)
    text, cure = _REFUSED
    if status := _STATUS.search(everything):
        text = f"{text} ({status[1] or status[2]})"
    return Trouble(text, cure, is_answer=_FOR_GOOD.search(everything) is not None)
