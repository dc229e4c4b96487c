"""What `status` tells, and its JSON: the running program's own word, and a look at the folders, in one record.

The running program is asked (`word`); where it does not answer, or none runs, what waits is counted in the folders
(`backlog`). What failed and what was delivered before is read there in any case (`filed`). Guarantees: nothing is
changed, locked or disturbed; memory stays flat, however much lies there; what may not be seen is said in `trouble`, and
is null, never nought. Texts are as they came from outside: whoever shows them escapes them. Raises nothing for any
state of folders and program.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import msgspec

from invoice_watcher import __version__
from invoice_watcher.errors import ExitStatus
from invoice_watcher.escaping import encodable
from invoice_watcher.inquiry.backlog import backlog
from invoice_watcher.inquiry.filed import Failure, failures, last_delivery
from invoice_watcher.inquiry.word import State, advice_for, word_of
from invoice_watcher.naming import naming_of
from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Paused, Sent, Standing, Waiter

if TYPE_CHECKING:
    from pathlib import Path

    from invoice_watcher.config import Config
    from invoice_watcher.inquiry.openers import Opener


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand, as `status` tells it. Times are RFC 3339 in UTC; null is what cannot be known.

    Attributes:
        version: of this record.
        program: the version of the running program, or of this one.
        state: see `word`.
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


def overview(config: Config, config_path: Path) -> Overview:
    """Gather all of it.

    Args:
        config: whose folders are looked at.
        config_path: where it was read, from which the name of the service follows.
    """
    word, naming = word_of(config.drop_dir), naming_of(config)
    now = _by_its_word(word.answer.standing) if word.answer else _by_looking(config, word.holder)
    trouble, last = [word.trouble, *now.trouble], now.last_delivery
    failed = failures(config, naming)
    if word.state != "folders_away":  # which says it all
        trouble.append(failed.trouble)
        if last is None:
            last, unknown = last_delivery(config, naming)
            trouble.append(unknown)
    return msgspec.structs.replace(
        now,
        state=word.state,
        running=word.state != "stopped",
        paused=word.state == "paused",
        trouble=tuple(dict.fromkeys(encodable(one) for one in trouble if one)),
        advice=advice_for(word.state, config_path),
        failed=failed.count,
        failures=failed.newest,
        last_delivery=last,
    )


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
