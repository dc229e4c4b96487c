"""A command at a terminal, and what that showed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.program import PATIENCE, ROOT, own_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import StrPath


class Shown(NamedTuple):
    """What a command came to at a terminal: its status, what the terminal got, and what went elsewhere."""

    status: int
    terminal: str
    out: str


def at_a_terminal(*arguments: StrPath, piped: bool = False, **env: str) -> Shown:
    """Run a command at a terminal; with `piped`, its standard output goes into a pipe."""
    command = [sys.executable, "-m", "invoice_watcher", *map(str, arguments)]
    environment = {**own_environment(), "TERM": "xterm", "COLUMNS": "120", **env}
    with terminal() as (end, shown):
        out = subprocess.PIPE if piped else end
        with subprocess.Popen(command, cwd=ROOT, stdin=end, stdout=out, stderr=end, env=environment) as program:
            piped_out = program.communicate(timeout=PATIENCE)[0] or b""
    return Shown(program.returncode, b"".join(shown).decode(), piped_out.decode())


@contextmanager
def terminal() -> Iterator[tuple[int, list[bytes]]]:
    """Open a terminal: gives its end for a program, and what it shows, which is whole when the block has ended."""
    screen, end = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(screen, shown))
    reader.start()
    try:
        yield end, shown
    finally:
        os.close(end)
        reader.join()
        os.close(screen)


def _read_all(screen: int, shown: list[bytes]) -> None:
    while True:
        try:
            shown.append(os.read(screen, 4096))
        except OSError:  # the last holder of the other end has closed it
            return
