"""Values that are each possible and cannot go together.

Pure; nothing here raises. Only what can never work is a conflict: paths are compared as they are written, so
two names of one folder (a symbolic link, a bind mount) are found when the folders are opened, not here.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.config.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.config.model import Config


class Conflict(NamedTuple):
    """Some keys that contradict each other.

    Attributes:
        keys: the dotted keys; the first that the file gives is the one to blame.
        text: what is wrong with them.
        if_all_given: a conflict only when the file gives each of the keys; a default gives way to what is given.
    """

    keys: tuple[str, ...]
    text: str
    if_all_given: bool = False


def conflicts(config: Config) -> Iterator[Conflict]:
    """Yield every contradiction in `config`."""
    yield from _folders(config)
    yield from _files(config)
    yield from _status_page(config)
    yield from _proxy(config)
    if config.settle.quiet > config.settle.incomplete_after:
        bound = show_duration(config.settle.incomplete_after)
        text = f"settle.quiet must not be longer than settle.incomplete_after ({bound})"
        yield Conflict(("settle.quiet", "settle.incomplete_after"), text, if_all_given=True)
    if config.retry.initial > config.retry.max:
        text = f"retry.initial must not be longer than retry.max ({show_duration(config.retry.max)})"
        yield Conflict(("retry.initial", "retry.max"), text, if_all_given=True)


def _folders(config: Config) -> Iterator[Conflict]:
    drop, *others = _named_folders(config)
    for key, folder in others:
        if folder == drop[1]:
            yield Conflict((key, drop[0]), f"{key} is the same folder as drop_dir")
        elif folder in drop[1].parents:
            yield Conflict((key, drop[0]), f"{key} must not hold drop_dir; it may lie in it, or beside it")
    for (key, folder), (other, beside) in combinations(others, 2):
        if folder == beside:
            yield Conflict((other, key), f"{key} and {other} are the same folder")
        elif folder in beside.parents or beside in folder.parents:
            yield Conflict((other, key), f"{key} and {other} must not lie in one another")


def _named_folders(config: Config) -> list[tuple[str, PurePosixPath]]:
    names = ("drop_dir", "done_dir", "failed_dir", "work_dir")
    return [(name, _plain(getattr(config, name))) for name in names]


def _plain(path: Path) -> PurePosixPath:
    return PurePosixPath(normpath(path))


def _files(config: Config) -> Iterator[Conflict]:
    """A file of ours in the drop folder would be taken for an invoice, and put aside as a bad one."""
    files = {
        "api.api_code_file": config.api.api_code_file,
        "api.ca_bundle": config.api.ca_bundle,
        "metrics.textfile": config.metrics.textfile,
    }
    for key, path in files.items():
        if path and not path.name.startswith(".") and _plain(path).parent == _plain(config.drop_dir):
            yield Conflict((key, "drop_dir"), f"{key} lies in drop_dir, where it would be taken for an invoice")


def _status_page(config: Config) -> Iterator[Conflict]:
    if config.status_page is None:
        return
    page = _plain(config.drop_dir) / config.status_page
    for key, folder in _named_folders(config)[1:]:
        if folder == page or page in folder.parents:
            yield Conflict(("status_page", key), f"status_page and {key} have the same name")


def _proxy(config: Config) -> Iterator[Conflict]:
    """Only within this machine may the API code travel unencrypted; a proxy may be anywhere."""
    if config.api.proxy and config.api.base_url.startswith("http://"):
        text = (
            "api.proxy would be sent the API code unencrypted, because api.base_url is an http:// address; "
            "leave api.proxy out (this machine needs no proxy to reach itself), or give an https:// address"
        )
        yield Conflict(("api.proxy", "api.base_url"), text)
