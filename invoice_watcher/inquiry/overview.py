"""What `status` tells, and its JSON: the running program's own word, and a look at the folders, in one record.

The running program is asked; where it does not answer, or none runs, the kernel is asked who has the drop folder
locked, and what waits is counted in the folders. Guarantees: nothing is changed, locked or disturbed; memory stays
flat, however much lies there; what may not be seen is said in `trouble`, and is null, never nought. Texts are as they
came from outside: whoever shows them escapes them. Raises nothing for any state of folders and program.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from invoice_watcher import __version__
from invoice_watcher.archive import Failed, FailedNow, last_delivered, order_of
from invoice_watcher.control import ask
from invoice_watcher.errors import ControlError, ExitStatus, FolderError
from invoice_watcher.escaping import encodable
from invoice_watcher.inquiry.backlog import backlog
from invoice_watcher.inquiry.openers import holder_of
from invoice_watcher.naming import naming_of
from invoice_watcher.receipt import nanoseconds, timestamp
from invoice_watcher.standing import Paused, Sent, Standing, Waiter

if TYPE_CHECKING:
    from invoice_watcher.archive import Filing
    from invoice_watcher.config import Config
    from invoice_watcher.control import Answer
    from invoice_watcher.inquiry.openers import Opener
    from invoice_watcher.naming import Naming

# flowing: what is dropped is taken; paused: nothing is sent, see `pause`; folders_away: it waits for its folders, see
# `trouble`; hanging: it does not answer, or has not moved for a minute; silent: something works on the folder, and what
# it does cannot be seen; stopped: nothing works on the folder.
State: TypeAlias = Literal["flowing", "paused", "folders_away", "hanging", "silent", "stopped"]

MOST_FAILED = 10
_MOVES_WITHIN = 60.0  # seconds; a program that is well says every ten how things stand
_SERVICES = Path("/etc/invoice-watcher")  # whose configurations are those of units


class Failure(msgspec.Struct, frozen=True):
    """One failed invoice; null where its receipt does not tell."""

    name: str
    order_id: str | None
    at: str
    code: int | None
    reason: str | None
    message: str | None
    hint: str | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand, as `status` tells it. Times are RFC 3339 in UTC; null is what cannot be known.

    Attributes:
        version: of this record.
        program: the version of the running program, or of this one.
        state: see above.
        running: a program works on the drop folder.
        started_at: since when.
        as_of: of when its own word is; of now where it said none.
        trouble: what is amiss beside a pause, in sentences.
        advice: what the administrator should do; null when nothing has to be done.
        waiting: how many files wait.
        oldest: since when the one waits that waits longest.
        files: the oldest of them.
        left_alone: what lies in the drop folder and is no file, by name; only the running program tells.
        failed: how many documents lie in the failed folder.
        failures: the newest of them.
        delivered: how many, since `started_at`; likewise `rejected`.
        last_delivery: by this run, or an earlier one.
    """

    version: int = 1
    program: str = __version__
    state: State
    running: bool
    paused: bool
    pause: Paused | None = None
    pid: int | None = None
    drop_dir: str
    started_at: str | None = None
    as_of: str
    trouble: tuple[str, ...] = ()
    advice: str | None = None
    waiting: int | None = None
    oldest: str | None = None
    files: tuple[Waiter, ...] = ()
    left_alone: tuple[str, ...] | None = None
    failed: int | None = None
    failures: tuple[Failure, ...] = ()
    delivered: int | None = None
    rejected: int | None = None
    last_delivery: Sent | None = None

    @property
    def exit_status(self) -> ExitStatus:
        """0 while what is dropped is taken, 75 while it is not; 78 where there is not even a folder to take it from."""
        if self.state == "stopped" and self.waiting is None:
            return ExitStatus.CONFIG
        return ExitStatus.OK if self.state == "flowing" else ExitStatus.WAITING


def encode(overview: Overview) -> str:
    """Return it as one JSON object on one line, for programs; ASCII, so that nothing in it can move a cursor."""
    return json.dumps(msgspec.to_builtins(overview))


@dataclass(frozen=True, slots=True)
class Word:
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
    """Ask the program that works on the drop folder how things stand, and how the file of this name does."""
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
    if time.time() - nanoseconds(standing.as_of, 0) / 1e9 > _MOVES_WITHIN:
        return Word(answer, "hanging", trouble=f"it has not moved since {standing.as_of}: it hangs")
    if standing.trouble:
        return Word(answer, "folders_away", trouble=standing.trouble)
    return Word(answer, "paused" if standing.pause else "flowing")


def overview(config: Config, config_path: Path) -> Overview:
    """Gather all of it.

    Args:
        config: whose folders are looked at.
        config_path: where it was read, from which the name of the service follows.
    """
    word, naming = word_of(config.drop_dir), naming_of(config)
    now = _by_its_word(word.answer.standing) if word.answer else _by_looking(config, word.holder)
    trouble = [*filter(None, [word.trouble]), *now.trouble]
    last = now.last_delivery
    failed = _failed(config)
    if word.state != "folders_away":  # which says it all
        trouble += filter(None, [failed.trouble])
        last = last or _last_delivery(config, naming, trouble)
    return msgspec.structs.replace(
        now,
        state=word.state,
        running=word.state != "stopped",
        paused=word.state == "paused",
        trouble=tuple(dict.fromkeys(map(encodable, trouble))),
        advice=advice_for(word.state, config_path),
        failed=failed.count,
        failures=tuple(_failure(one, naming) for one in failed.newest),
        last_delivery=last,
    )


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


def _by_its_word(standing: Standing) -> Overview:
    return Overview(
        program=standing.program,
        state="flowing",
        running=True,
        paused=False,
        pause=standing.pause,
        pid=standing.pid,
        drop_dir=standing.drop_dir,
        started_at=standing.started_at,
        as_of=standing.as_of,
        waiting=None if standing.trouble else standing.waiting,
        oldest=standing.oldest,
        files=standing.files,
        left_alone=None if standing.trouble else standing.left_alone,
        delivered=standing.delivered,
        rejected=standing.rejected,
        last_delivery=standing.recent[0] if standing.recent else None,
    )


def _by_looking(config: Config, holder: Opener | None) -> Overview:
    found = backlog(config)
    return Overview(
        state="stopped",
        running=holder is not None,
        paused=False,
        pid=(holder and holder.pid) or None,
        drop_dir=encodable(str(config.drop_dir)),
        started_at=timestamp(holder.since) if holder and holder.since else None,
        as_of=timestamp(time.time()),
        trouble=found.trouble,
        waiting=found.waiting,
        oldest=found.oldest,
        files=found.files,
    )


def _failed(config: Config) -> FailedNow:
    if not os.path.lexists(config.failed_dir) and os.path.isdir(config.drop_dir):  # it is made at the first start
        return FailedNow(0, ())
    return Failed(config.failed_dir, MOST_FAILED).now()


def _last_delivery(config: Config, naming: Naming, trouble: list[str]) -> Sent | None:
    """Return what was delivered last by an earlier run; says in `trouble` why that cannot be known."""
    try:
        newest = last_delivered(config.done_dir, 1) if os.path.lexists(config.done_dir) else []
    except FolderError as error:
        trouble.append(str(error))
        return None
    if not newest:
        return None
    found = newest[0]
    return Sent(_when(found), order_of(found, naming), encodable(found.name or found.file))


def _failure(found: Filing, naming: Naming) -> Failure:
    error = found.receipt.error if found.receipt else None
    return Failure(
        name=encodable(found.name or found.file),
        order_id=order_of(found, naming),
        at=_when(found),
        code=error.code if error else None,
        reason=error.reason if error else None,
        message=error.message if error else found.fault,
        hint=error.hint if error else None,
    )


def _when(found: Filing) -> str:
    """When it was filed, by its receipt, or else by its file."""
    told = found.receipt.finished_at if found.receipt else None
    return told or timestamp(found.changed)
