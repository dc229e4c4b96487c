"""Run the daemon as its command does, and note which modules it has loaded when it is ready, and in the end.

The first two arguments are the files to note that in; the others are the daemon's. READY=1 is its first word to the
manager.
"""

from __future__ import annotations

import atexit
import os
import sys

when_ready, in_the_end = sys.argv[1:3]
del sys.argv[1:3]
told: list[str] = []


def note(file: str) -> None:
    """Write the names of the modules that are loaded and are not the daemon's own, in the order of their loading."""
    # What Cython makes for itself has no specification, and cannot be asked for.
    names = [name for name, module in sys.modules.copy().items() if getattr(module, "__spec__", None)]
    foreign = [name for name in names if name.partition(".")[0] not in {"__main__", "invoice_watcher"}]
    with open(file, "w", encoding="utf-8") as lines:
        lines.write("\n".join(foreign))


def notice(event: str, details: tuple[object, ...]) -> None:
    """Hear what the interpreter does (sys.addaudithook); the manager's socket is connected to before each word."""
    if event == "socket.connect" and details[1] == manager and not told:
        told.append(event)
        note(when_ready)


manager = b"\0" + os.environ["NOTIFY_SOCKET"][1:].encode()
sys.addaudithook(notice)
atexit.register(note, in_the_end)

from invoice_watcher.cli import main  # noqa: E402 - only now, for all of it is to be seen

main()
