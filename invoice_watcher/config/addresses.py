"""The forms of addresses: of the API, of a proxy, of those to be told, and of the metrics' port.

Pure. `read` raises ValueError with what is wrong; an address may hold a password or a token, so only the
metrics' one, which cannot, is ever shown.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from invoice_watcher.config.forms import Form, shown, word

if TYPE_CHECKING:
    from invoice_watcher.config.document import Scalar
    from invoice_watcher.config.forms import JsonSchema

# What RFC 3986 allows in no URI, and what urlsplit would drop or take for part of the host.
_NO_URI = re.compile(r'[\s"<>\\^`{|}]')
# RFC 1035 section 2.3.4, RFC 1123 section 2.1, and the underscore, which is in use; RFC 3986 section 3.2.2 for IPv6.
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_AUTHORITY = re.compile(rf"(?:.*@)?(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_HIGHEST_PORT = 65535


def _split(scalar: Scalar, schemes: tuple[str, ...]) -> SplitResult:
    text = word(scalar)
    if _NO_URI.search(text):
        raise ValueError("is no address: it holds a blank or another character that no address may hold")
    try:
        parts = urlsplit(text)
        port = parts.port
        if "[" in parts.netloc:
            ipaddress.IPv6Address(parts.hostname or "")
    except ValueError:
        raise ValueError("is no address: its host or its port is malformed") from None
    if parts.scheme not in schemes:
        raise ValueError(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not parts.hostname or port == 0:
        raise ValueError("is no address: it names no host, or port 0")
    if not _AUTHORITY.fullmatch(parts.netloc):
        # International names are not translated here: the versions of IDNA disagree on which host is meant.
        raise ValueError("is no address: its host is no name of letters, digits, - and _ (others are written xn--...)")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class BaseUrl(Form):
    """The address of the API: https, and http only to this machine (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3)."""

    def read(self, scalar: Scalar) -> str:
        """Return the address without a slash at its end."""
        parts = _split(scalar, ("https", "http"))
        if "@" in parts.netloc:
            raise ValueError("must not hold a user name or a password")
        if "?" in scalar.text or "#" in scalar.text:
            raise ValueError("must not hold a query or a fragment (? or #)")
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError("must start with https://; http:// is for this machine only (localhost, 127.0.0.1, [::1])")
        return parts.geturl().rstrip("/")

    def json_schema(self) -> JsonSchema:
        """Return that of an address."""
        return {"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s?#@]+$"}


class ProxyUrl(Form):
    """The address of an HTTP proxy."""

    private: ClassVar[bool] = True

    def read(self, scalar: Scalar) -> str:
        """Return the address as it is written."""
        try:
            parts = _split(scalar, ("http", "https"))
        except ValueError as error:
            raise ValueError(f"{error}; write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT") from None
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("must end with the host or the port: a proxy has no path")
        try:
            unquote(parts.netloc.rpartition("@")[0]).encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError("must not have letters beyond Latin-1 in its user name or password") from None
        return scalar.text

    def json_schema(self) -> JsonSchema:
        """Return that of an address."""
        return {"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s?#]+$"}


class NotifyUrl(Form):
    """Where to send word: an address whose scheme names the service, as mailto:// does."""

    private: ClassVar[bool] = True

    def read(self, scalar: Scalar) -> str:
        """Return the address as it is written."""
        text = word(scalar)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", text):
            raise ValueError("is no address; write one such as mailto://USER:PASSWORD@HOST or jsons://HOST/PATH")
        return text

    def json_schema(self) -> JsonSchema:
        """Return that of an address."""
        return {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*://\\S+$"}


class Listen(Form):
    """A TCP port to listen at: HOST:PORT, [IPV6]:PORT, or :PORT for every address of this machine."""

    def read(self, scalar: Scalar) -> str:
        """Return it as it is written."""
        text = word(scalar)
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([1-9][0-9]{0,4})", text)
        if match is None or int(match[2]) > _HIGHEST_PORT:
            raise ValueError(f'{shown(text)} must be HOST:PORT, "[IPV6]:PORT" or :PORT, the port 1 to {_HIGHEST_PORT}')
        return text

    def json_schema(self) -> JsonSchema:
        """Return that of text with a port at its end."""
        return {"type": "string", "pattern": "^[^/\\s]*:[1-9][0-9]{0,4}$"}
