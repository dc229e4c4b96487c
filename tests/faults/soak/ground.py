"""Where people drop, and what befalls it: a full disk, a folder that is shut or gone. All of it can be mended.

Raises AssertionError where the program made a folder anew that went away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.place import Place

FOLDERS = ("drop", "done", "failed", "work")


class Ground:
    """The four folders and their disk.

    Attributes:
        is_full: whether people filled the disk.
        shut: the folders in which the program may not write.
        lost: the folder that is gone.
        mishaps: how often a folder was shut or lost: what could not be written down then may be asked again.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.is_full = False
        self.shut: set[str] = set()
        self.lost = ""
        self.mishaps = 0

    @property
    def is_open(self) -> bool:
        """Whether people can drop something."""
        return not self.is_full and self.lost != "drop" and "drop" not in self.shut

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with the folders and the disk."""
        return not (self.is_full or self.shut or self.lost)

    @property
    def is_at_hand(self) -> bool:
        """Whether people can reach all folders, though there may be no room for more."""
        return not (self.shut or self.lost)

    def folder(self, which: str) -> Path:
        """Return where a folder lies at the moment."""
        lost = self.place.root / "lost"
        if which == self.lost:
            return lost
        drop = lost if self.lost == "drop" else self.place.drop
        paths = {"done": self.place.done, "failed": self.place.failed, "work": self.place.work}
        return drop / paths[which].name if which in paths else drop

    def fill(self, left: int) -> None:
        """Let people fill the disk, but for so many pages."""
        self.is_full = True
        with open(self.place.root / "ballast", "wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                continue
        size = max(0, (self.place.root / "ballast").stat().st_size - left * 4096)
        os.truncate(self.place.root / "ballast", size)

    def free(self) -> None:
        """Let people clear it up."""
        self.is_full = False
        (self.place.root / "ballast").unlink(missing_ok=True)

    def shut_folder(self, which: str) -> None:
        """Take away the right to write in a folder."""
        self.shut.add(which)
        self.mishaps += 1
        self.folder(which).chmod(0o555)

    def lose(self, which: str) -> None:
        """Rename a folder away."""
        if self.folder(which).exists():
            os.rename(self.folder(which), self.place.root / "lost")
            self.lost = which
            self.mishaps += 1

    def mend(self) -> None:
        """Give back folders, rights and room."""
        if self.lost:
            lost, self.lost = self.lost, ""
            assert not self.folder(lost).exists(), "a folder that went away was made anew"
            os.rename(self.place.root / "lost", self.folder(lost))
        for which in self.shut:
            self.folder(which).chmod(0o770)
        self.shut.clear()
        self.free()
