"""A service manager, as far as the program hears and tells: the socket of sd_notify(3).

Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

_PATIENCE = 30.0
_MOST = 1000


class Manager:
    """Listens as systemd does.

    Attributes:
        env: what systemd gives a service that it listens to.
    """

    def __init__(self, folder: Path, watchdog: float | None = None) -> None:
        """Listen on a socket in `folder`; `watchdog` is WatchdogSec=, in seconds."""
        path = str(folder / "notify")
        self.env = {"NOTIFY_SOCKET": path}
        if watchdog is not None:
            self.env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(_PATIENCE)

    def hears(self, beginning: str) -> str:
        """Return the next message that begins so; those before it are forgotten."""
        return self.hears_before(beginning)[-1]

    def hears_before(self, beginning: str) -> list[str]:
        """Return all messages up to the next one that begins so, that one too."""
        heard: list[str] = []
        while not heard or not heard[-1].startswith(beginning):
            assert len(heard) < _MOST, heard
            try:
                heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                raise AssertionError(f"never {beginning!r}, but {heard}") from None
        return heard

    def goes_on_hearing(self, beginning: str, times: int, within: float) -> None:
        """Hear so many messages that begin so, none more than so many seconds after the one before."""
        for _ in range(times):
            before = time.monotonic()
            self.hears(beginning)
            assert (late := time.monotonic() - before) <= within, f"{beginning!r} came after {late:.1f} s"

    def has_heard(self) -> list[str]:
        """Return all that has been told by now and was not heard yet."""
        heard: list[str] = []
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while len(heard) < _MOST:
                heard.append(self._socket.recv(4096).decode())
        self._socket.settimeout(_PATIENCE)
        return heard

    def hears_no_more_of(self, beginning: str, seconds: float) -> None:
        """Wait until for so long nothing came that begins so."""
        end = time.monotonic() + _PATIENCE
        last = time.monotonic()
        while (now := time.monotonic()) < last + seconds:
            assert now < end, f"{beginning!r} went on and on"
            self._socket.settimeout(last + seconds - now)
            with suppress(TimeoutError):
                if self._socket.recv(4096).decode().startswith(beginning):
                    last = time.monotonic()
        self._socket.settimeout(_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
