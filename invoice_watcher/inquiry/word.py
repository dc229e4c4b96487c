"""What is known of the program that works on the drop folder: its own word, or what the kernel tells of it.

It is asked by its control socket; where it does not answer, or none runs, the kernel is asked who has the drop folder
locked. Guarantees: nothing is changed, locked or disturbed. Sentences hold text from outside: whoever shows them
escapes them. Raises nothing for any state of folders and program.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from invoice_watcher.control import ask
from invoice_watcher.errors import ControlError
from invoice_watcher.inquiry.openers import holder_of
from invoice_watcher.moments import seconds
from invoice_watcher.record import Record

if TYPE_CHECKING:
    from invoice_watcher.control import Answer
    from invoice_watcher.inquiry.openers import Opener

# flowing: what is dropped is taken; paused: nothing is sent, see `pause`; folders_away: it waits for its folders, see
# `trouble`; hanging: it does not answer, or has not moved for a minute; silent: something works on the folder, and what
# it does cannot be seen; stopped: nothing works on the folder.
State: TypeAlias = Literal["flowing", "paused", "folders_away", "hanging", "silent", "stopped"]

_MOVES_WITHIN = 60.0  # seconds; a program that is well says every ten how things stand
_SERVICES = Path("/etc/invoice-watcher")  # whose configurations are those of units


class Word(Record, frozen=True):
    """What is known of the program that works on the folder.

    Attributes:
        answer: its own word; None when it gave none.
        state: how it goes on.
        holder: who has the drop folder locked, where the program did not say so itself.
        trouble: what is amiss, in a sentence.
    """

    answer: Answer | None
    state: State
    holder: Opener | None = None
    trouble: str | None = None


def word_of(drop: Path, name: str | None = None) -> Word:
    """Ask the program that works on the drop folder how things stand, and how a file does, as `control.ask` does."""
    try:
        answer = ask(drop, name)
    except ControlError as error:
        holder = holder_of(drop)
        if isinstance(error.__cause__, PermissionError):
            return Word(None, "silent", holder, str(error)) if holder else Word(None, "stopped")
        return Word(None, "hanging", holder, f"{error}: it hangs, or was stopped by a signal")
    if answer is None:
        holder = holder_of(drop)
        text = "what works on the drop folder cannot be asked; perhaps it is `run --once`"
        return Word(None, "silent", holder, text) if holder else Word(None, "stopped")
    return _judged(answer)


def _judged(answer: Answer) -> Word:
    """Say how a program goes on, by its own word."""
    standing = answer.standing
    if standing.is_over:
        return Word(None, "stopped")
    if time.time() - seconds(standing.as_of) > _MOVES_WITHIN:
        return Word(answer, "hanging", trouble=f"it has not moved since {standing.as_of}: it hangs")
    if standing.trouble:
        return Word(answer, "folders_away", trouble=standing.trouble)
    return Word(answer, "paused" if standing.pause else "flowing")


def advice_for(state: State, config_path: Path) -> str | None:
    """Return what the administrator should do; None when nothing has to be done, or the pause tells it."""
    unit = _unit_of(config_path)
    command = f"systemctl start {unit}" if unit else f"invoice-watcher run -c {shlex.quote(str(config_path))}"
    start = f"start it: {command}"
    mend = f"look at its log (journalctl -u {unit}), then: systemctl restart {unit}" if unit else "end it, and " + start
    return {
        "stopped": start,
        "hanging": mend,
        "silent": "ask as root, or as a member of its group",
        "folders_away": "mount or make the folders again; it goes on by itself",
    }.get(state)


def _unit_of(config_path: Path) -> str | None:
    """Return the unit that runs with a configuration: the package's have theirs by name."""
    path = config_path.absolute()
    if path.parent != _SERVICES or path.suffix != ".yaml" or shlex.quote(path.stem) != path.stem:
        return None
    return "invoice-watcher" if path.stem == "config" else f"invoice-watcher@{path.stem}"
