"""A command at a terminal, and what that showed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.program import PATIENCE, ROOT

if TYPE_CHECKING:
    from _typeshed import StrPath


class Shown(NamedTuple):
    """What a command came to at a terminal: its status, what the terminal got, and what went elsewhere."""

    status: int
    terminal: str
    out: str


def at_a_terminal(*arguments: StrPath, piped: bool = False, **env: str) -> Shown:
    """Run a command at a terminal; with `piped`, its standard output goes into a pipe."""
    terminal, end = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(terminal, shown))
    reader.start()
    command = [sys.executable, "-m", "invoice_watcher", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **env}
    out = subprocess.PIPE if piped else end
    with subprocess.Popen(command, cwd=ROOT, stdin=end, stdout=out, stderr=end, env=environment) as program:
        os.close(end)
        piped_out = program.communicate(timeout=PATIENCE)[0] or b""
    reader.join()
    os.close(terminal)
    return Shown(program.returncode, b"".join(shown).decode(), piped_out.decode())


def _read_all(terminal: int, shown: list[bytes]) -> None:
    while True:
        try:
            shown.append(os.read(terminal, 4096))
        except OSError:  # the last holder of the other end has closed it
            return
