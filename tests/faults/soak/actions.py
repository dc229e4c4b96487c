"""What people do to the share, and a record of it that no race can falsify.

The program takes files out of the drop folder at any moment, so each action finds out from the kernel what it did:
whether a name was still there to be removed, renamed, or written over. Raises AssertionError where the program did
something to the share that it must not.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from tests.faults.soak.ground import Ground
from tests.faults.soak.papers import Paper, make
from tests.integration.place import documents, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.soak.moody import MoodyApi
    from tests.integration.place import Place


class Share(Ground):
    """The four folders, and all that people did to them.

    Attributes:
        papers: every file that was dropped whole, in this order.
        deaths: how often the program was killed.
        torn: the documents whose sidecar a person deleted.
    """

    def __init__(self, place: Place, api: MoodyApi) -> None:
        super().__init__(place)
        self.api = api
        self.papers: list[Paper] = []
        self.deaths = 0
        self.torn: set[Path] = set()
        self._count = 0
        self._lying: dict[str, Paper] = {}
        self._writing: tuple[Paper, IO[bytes], int] | None = None

    @property
    def writing_name(self) -> str:
        """The name of the slow copy that is under way."""
        return self._writing[0].name if self._writing else ""

    @property
    def is_writing(self) -> bool:
        """Whether a slow copy is under way."""
        return self._writing is not None

    def drop(self, kind: str, way: str, order: str = "") -> str:
        """Drop a new file, for an order of its own where none is named; returns its name."""
        paper = self._new(kind, order)
        if old := self._lying.get(paper.name):
            return self._put_over(old, paper, way)
        self._dropped(paper)
        self.place.put(paper.name, paper.content, way)
        return paper.name

    def replace(self, number: int, way: str) -> str:
        """Drop another file under a name that is, or was, there."""
        old = self._pick(number)
        return self._put_over(old, self._another(old), way) if old else "nothing"

    def withdraw(self, number: int) -> str:
        """Delete a dropped file, if the program has not taken it."""
        paper = self._pick(number)
        with suppress(FileNotFoundError):
            if paper is not None:
                os.unlink(self.place.drop / paper.name)
                paper.gone = True
                del self._lying[paper.name]
                return paper.name
        return "nothing"

    def rename(self, number: int) -> str:
        """Give a dropped file the name of another order, if the program has not taken it."""
        paper = self._pick(number)
        with suppress(FileNotFoundError):
            if paper is not None:
                order = self._new_order()
                name = order + os.path.splitext(paper.name)[1]
                os.rename(self.place.drop / paper.name, self.place.drop / name)
                told = f"{paper.name} to {name}"
                self._named(paper, name, order)
                self._lying[name] = paper
                return told
        return "nothing"

    def order_of(self, number: int) -> str:
        """Return the order of one of the files that were dropped; empty for none."""
        orders = [paper.order for paper in self.papers if paper.order is not None]
        return orders[number % len(orders)] if orders else ""

    def begin_copy(self, kind: str) -> str:
        """Begin to copy a file slowly."""
        paper = self._new(kind, "")
        file = open(self.place.drop / paper.name, "wb", buffering=0)  # noqa: SIM115 - `end_copy` closes it
        self._writing = (paper, file, 0)
        self.go_on_copying()
        return paper.name

    def go_on_copying(self) -> None:
        """Write the next quarter of it."""
        assert self._writing is not None
        paper, file, written = self._writing
        file.write(paper.content[written : written + len(paper.content) // 4])
        self._writing = (paper, file, written + len(paper.content) // 4)

    def end_copy(self) -> None:
        """Write the rest of it; from the closing on it is dropped whole."""
        if self._writing is not None:
            paper, file, written = self._writing
            self._dropped(paper)
            file.write(paper.content[written:])
            file.close()
            self._writing = None

    def close(self) -> None:
        """Break off the copy that is under way."""
        if self._writing is not None:
            self._writing[1].close()

    def move_back(self, number: int) -> str:
        """Move a failed document back into the drop folder; its sidecar stays."""
        failed = self.folder("failed")
        known = {paper.content: paper for paper in self.papers if paper.content and not paper.gone}
        found = [(failed / name, known.get((failed / name).read_bytes())) for name in documents(failed)]
        movable = [(path, paper) for path, paper in found if paper and not (self.place.drop / path.name).exists()]
        if not movable:
            return "nothing"
        path, paper = movable[number % len(movable)]
        paper.before.add(paper.order)
        self._named(paper, path.name, self._order_in(path, paper))
        self._dropped(paper)
        os.rename(path, self.place.drop / path.name)
        return path.name

    def tear(self, number: int) -> str:
        """Delete the sidecar of a document that is done or failed."""
        pairs = [path for which in ("done", "failed") for path in self._with_sidecar(self.folder(which))]
        if not pairs:
            return "nothing"
        path = pairs[number % len(pairs)]
        os.unlink(f"{path}.json")
        self.torn.add(path)
        return path.name

    def _put_over(self, old: Paper, new: Paper, way: str) -> str:
        """Drop a file under a name under which another was dropped; what becomes of that, the kernel tells."""
        self._dropped(new)
        with suppress(FileNotFoundError), open(self.place.drop / old.name, "r+b" if way == "copy" else "rb") as file:
            if way == "copy":
                file.truncate()
                file.write(new.content)
                old.gone = True
            else:
                self.place.put(new.name, new.content, way)
                old.gone = os.fstat(file.fileno()).st_nlink == 0
            return f"{new.name}, the old one {'is no more' if old.gone else 'had been taken'}"
        self.place.put(new.name, new.content, way)
        return f"{new.name}, the old one had been taken"

    @staticmethod
    def _order_in(path: Path, paper: Paper) -> str | None:
        """Return the order for which a failed document is: its receipt says so where its name was given by us."""
        stem = path.name.rpartition(".")[0]
        if "." not in stem:
            return paper.order
        return paper.order if os.path.exists(f"{path}.json") else None

    def _named(self, paper: Paper, name: str, order: str | None) -> None:
        self._lying = {known: one for known, one in self._lying.items() if one is not paper}
        paper.name, paper.order = name, order
        paper.names.add(name)

    def _with_sidecar(self, folder: Path) -> Iterator[Path]:
        found = names(folder)
        return (folder / name for name in documents(folder) if f"{name}.json" in found)

    def _new_order(self) -> str:
        self._count += 1
        return f"order-{self._count}"

    def _new(self, kind: str, order: str) -> Paper:
        return make(kind, order or self._new_order(), self._next())

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _another(self, old: Paper) -> Paper:
        """Make another file of the same name; a sound one where the name is that of an invoice."""
        kinds = {".PDF": "PDF", ".docx": "docx", ".url": "url", ".txt": "foreign"}
        paper = make(kinds.get(os.path.splitext(old.name)[1], "pdf"), "", self._next())
        paper.name, paper.order = old.name, old.order
        return paper

    def _dropped(self, paper: Paper) -> None:
        """Write down that it is dropped now; before it is, for the program is fast."""
        paper.since, paper.deaths = len(self.api.history), self.deaths
        paper.names.add(paper.name)
        if paper.name.count(".") == 1:  # what a numbered name means depends on the receipt that lies there just then
            self._lying[paper.name] = paper
        if paper not in self.papers:
            self.papers.append(paper)

    def _pick(self, number: int) -> Paper | None:
        lying = sorted(self._lying)
        return self._lying[lying[number % len(lying)]] if lying else None
