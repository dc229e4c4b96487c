"""What can be seen of one file in the drop folder: why it is left alone, or what keeps it from being sent.

By the same rules as the daemon's, which are asked, and not repeated: the name, the kind of file, its age, its bytes.
Guarantees: nothing is changed; the file is opened for a moment, for reading, and no link is followed. Sentences hold
text from outside, such as names: whoever shows them escapes them. Raises nothing.
"""

from __future__ import annotations

import os
import shlex
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.accounts import user_name
from invoice_watcher.archive import filing
from invoice_watcher.errors import FolderError
from invoice_watcher.inquiry.openers import writers_of
from invoice_watcher.moments import span
from invoice_watcher.naming import ignoring_pattern, is_numbered, naming_of
from invoice_watcher.outcome import Rejected
from invoice_watcher.settling import Unready
from invoice_watcher.spool.syscalls import is_immovable
from invoice_watcher.validation import Limits, validate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from invoice_watcher.config import Config
    from invoice_watcher.inquiry.openers import Writers

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_SORTS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Examined(NamedTuple):
    """What was found.

    Attributes:
        left_alone: why the file is never taken, in sentences; empty when it is.
        obstacles: what keeps it from being sent now.
        facts: what else there is to say.
    """

    left_alone: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


def examine(path: Path, config: Config) -> Examined:
    """Look at what lies in the drop folder under this path."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return Examined(obstacles=(f"It cannot be looked at: {error.strerror}.",))
    if reasons := tuple(_left_alone(path, found, config)):
        return Examined(reasons)
    writers = writers_of(path)
    obstacles = (*_of_writers(writers), *_of_inode(found, config), *_of_content(path, found, config))
    return Examined((), obstacles, tuple(_facts(found, writers)))


def _facts(found: os.stat_result, writers: Writers) -> Iterator[str]:
    changed = span(time.time() - found.st_ctime)
    owner = user_name(found.st_uid)
    yield f"It has {found.st_size:,} bytes, belongs to {owner}, and was dropped or last changed {changed} ago."
    if writers.hidden and not writers.found:
        yield "As root it can be seen whether other users' programs have it open for writing."


def _left_alone(path: Path, found: os.stat_result, config: Config) -> Iterator[str]:
    name = path.name
    if config.status_page and name.casefold() == config.status_page.casefold():
        yield "It is left alone, because this name is kept for the service's own status page (`status_page`)."
    elif path in {config.work_dir, config.done_dir, config.failed_dir}:
        yield "It is one of the service's own folders."
    elif pattern := ignoring_pattern(name):
        yield f"It is left alone, because its name fits {pattern}, as those of temporary and system files do."
        yield "To have it sent, give it a name such as 12345.pdf."
    elif pattern := ignoring_pattern(name, config.ignore):
        yield f"It is left alone, because its name fits the pattern {pattern} of `ignore` in the configuration."
    elif stat.S_ISDIR(found.st_mode):
        yield "It is a folder, and left alone with whatever lies in it: drop the files themselves."
    elif stat.S_ISLNK(found.st_mode):
        with suppress(OSError):
            yield f"It is a symbolic link to {os.readlink(path)}, and left alone: drop the file itself."
    elif not stat.S_ISREG(found.st_mode):
        yield f"It is {_SORTS.get(stat.S_IFMT(found.st_mode), 'something else')}, no regular file, and left alone."


def _of_writers(writers: Writers) -> Iterator[str]:
    for opener in writers.found:
        user = f", user {opener.user}" if opener.user else ""
        yield f"It is still open for writing, in {opener.name} (process {opener.pid}{user}), which has to close it."


def _of_inode(found: os.stat_result, config: Config) -> Iterator[str]:
    if found.st_nlink > 1:
        yield f"It has a second name (hard link), {found.st_nlink} in all: remove the others, and it is taken."
    age = time.time() - found.st_ctime
    if age < 0:
        yield f"It was changed in the future, by the clock: by {span(-age)}. What counts is what the service observes."
    elif age < config.settle.quiet:
        quiet = config.settle.quiet
        yield f"It changed moments ago, and is left alone for {quiet:g} s: for {quiet - age:.1f} s more."


def _of_content(path: Path, found: os.stat_result, config: Config) -> Iterator[str]:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        yield f"Its content cannot be looked at by this user: {error.strerror}."
        return
    opened = os.fstat(descriptor)
    if not (stat.S_ISREG(opened.st_mode) and os.path.samestat(found, opened)):  # a number can be taken over
        os.close(descriptor)
        yield "It was replaced in this very moment. Ask again."
        return
    with open(descriptor, "rb") as file:
        if is_immovable(descriptor):
            cure = f"chattr -i -a {shlex.quote(str(path))}"
            yield f"It is marked as immutable or append-only, and cannot be moved away; as root: {cure}"
        try:
            yield from _judged(path, file, found, config)
        except OSError as error:
            yield f"It cannot be read: {error.strerror}. Drop it anew, and look at the disk."


def _judged(path: Path, file: BinaryIO, found: os.stat_result, config: Config) -> Iterator[str]:
    naming, limits = naming_of(config), Limits.of(config)
    invoice = naming.read(path.name, _filed_for(path.name, config))
    content = file if found.st_size <= config.max_size else None
    verdict = validate(invoice, content, found.st_size, max(time.time() - found.st_ctime, 0.0), limits)
    if isinstance(verdict, Unready):
        yield f"It {verdict.reason}.{_afterwards(verdict)}"
    elif isinstance(verdict, Rejected):
        yield f"It will be rejected: {verdict.problem.message}. {verdict.problem.hint}"
        if invoice.order_id is None:
            yield (
                "The name without its extension has to match the whole of `order_id_pattern`: "
                f"{config.order_id_pattern.pattern}"
            )


def _afterwards(unready: Unready) -> str:
    if unready.wait is None or unready.then is None:
        return ""
    end = "rejected" if unready.then == "rejected" else "sent as it is"
    return f" If it stays so, it is {end} in {span(unready.wait)}."


def _filed_for(name: str, config: Config) -> str | None:
    """Return for which order this program itself numbered a name, as the receipt in the failed folder tells."""
    with suppress(FolderError):
        if is_numbered(name) and (found := filing(config.failed_dir, name)) and found.receipt:
            return found.receipt.order_id if found.name is None else None
    return None
