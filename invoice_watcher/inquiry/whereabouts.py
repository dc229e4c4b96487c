"""Where something lies that a person asks for: by a path, by a name, or by an order's id.

Guarantees: nothing is changed; links are not followed, but for those on the way to a folder. What may not be searched
counts as empty, and is told by `closed`. Raises nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from invoice_watcher.archive import filing, shelves_of
from invoice_watcher.errors import FolderError
from invoice_watcher.inquiry.backlog import note_of
from invoice_watcher.naming import is_numbered, naming_of
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.spool.names import is_document, original_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.config import Config

Room: TypeAlias = Literal["drop", "work", "failed", "done", "elsewhere"]


class Place(NamedTuple):
    """Where something lies.

    Attributes:
        room: of which sort the folder is.
        folder: the folder itself, which may be that of a month in done.
        name: under which it lies there; of a document that was taken away and left its receipt, its own.
    """

    room: Room
    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The same as a path."""
        return self.folder / self.name


def whereabouts(config: Config, asked: str) -> list[Place]:
    """Return where it lies, what still waits first, an order's files from the oldest on; empty when it is nowhere.

    Args:
        config: tells the folders.
        asked: a path; or the name of a file, wherever it lies; or the id of an order.
    """
    if os.path.basename(asked) in {"", ".", ".."}:  # a folder
        asked = os.path.realpath(asked)
    path = Path(os.path.realpath(os.path.dirname(asked))) / os.path.basename(asked)
    if "/" in asked and path.name and os.path.lexists(path):
        return [Place(_room_of(path.parent, config), path.parent, path.name)]
    found = list(_by_name(config, path.name)) if path.name else []
    if not found and "/" not in asked and os.path.lexists(path):
        return [Place("elsewhere", path.parent, path.name)]
    return found or sorted(_by_order(config, asked), key=_age)


def _age(place: Place) -> tuple[bool, int]:
    """Return by what the files of an order are sorted: whether one is done with, and when it came where it is."""
    came = 0
    with suppress(OSError):  # it may have gone on since
        came = os.lstat(place.path).st_ctime_ns
    return place.room not in {"drop", "work"}, came


def closed(config: Config) -> list[Path]:
    """Return the folders into which this user may not look."""
    folders = (config.drop_dir, config.work_dir, config.failed_dir, config.done_dir)
    return [one for one in folders if os.path.lexists(one) and not os.access(one, os.R_OK | os.X_OK)]


def _room_of(folder: Path, config: Config) -> Room:
    for room, own in _rooms(config):
        with suppress(OSError):
            if os.path.samefile(folder, own):
                return room
    return "elsewhere"


def _rooms(config: Config) -> Iterator[tuple[Room, Path]]:
    """Yield the folders, those in which something waits first."""
    yield "drop", config.drop_dir
    yield "work", config.work_dir
    yield "failed", config.failed_dir
    try:
        yield from (("done", folder) for folder in shelves_of(config.done_dir))
    except FolderError:
        yield "done", config.done_dir


def _by_name(config: Config, name: str) -> Iterator[Place]:
    for room, folder in _rooms(config):
        if room == "work":
            claimed = (one for one in _claimed(folder) if name in {one, original_name(one)})
            yield from (Place("work", folder, one) for one in claimed)
        elif os.path.lexists(folder / name) or (room != "drop" and os.path.lexists(f"{folder / name}{SUFFIX}")):
            yield Place(room, folder, name)


def _by_order(config: Config, order_id: str) -> Iterator[Place]:
    naming = naming_of(config)
    for room, folder in _rooms(config):
        for name in _claimed(folder) if room == "work" else _names(folder):
            if room == "work" and (note := note_of(config, name)):
                is_of_order = note.order_id == order_id
            elif room != "drop" and is_numbered(name) and name.startswith(order_id + "."):
                is_of_order = _is_filed_for(folder, name, order_id)
            else:
                is_of_order = naming.read(original_name(name) if room == "work" else name).order_id == order_id
            if is_of_order and not name.endswith(SUFFIX):
                yield Place(room, folder, name)


def _is_filed_for(folder: Path, name: str, order_id: str) -> bool:
    with suppress(FolderError):
        found = filing(folder, name)
        return found is not None and found.receipt is not None and found.receipt.order_id == order_id
    return False


def _claimed(work: Path) -> Iterator[str]:
    """Yield the documents in the work folder."""
    return filter(is_document, _names(work))


def _names(folder: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries)
