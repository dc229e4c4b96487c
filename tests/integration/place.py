"""A drop folder with its configuration, what can be dropped into it, and what came of that.

Raises AssertionError where what is waited for does not come.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.program import API_CODE, ROOT, Finished, run, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAMPLES = ROOT / "tests" / "samples"


class Place:
    """A drop folder, and a configuration for it with little patience.

    Attributes:
        root: what lies beside the drop folder, on the same file system.
        config: the configuration file.
    """

    def __init__(self, root: Path, base_url: str) -> None:
        self.root = root
        self.drop, self.config = root / "drop", root / "config.yaml"
        self.done, self.failed, self.work = (self.drop / name for name in ("done", "failed", ".processing"))
        self.drop.mkdir()
        self._settings: dict[str, Any] = {
            "drop_dir": str(self.drop),
            "api.base_url": base_url,
            "api.api_code": API_CODE,
            "status_page": None,  # so that only what was dropped lies there; test_status_page has it
            "settle.quiet": 0,
            "retry.initial": "50ms",
            "retry.max": "100ms",
        }
        self.configure()

    def configure(self, **changes: object) -> None:
        """Write the configuration anew with these keys changed: `settle__quiet=1` is `settle.quiet`."""
        self._settings.update({key.replace("__", "."): value for key, value in changes.items()})
        nested: dict[str, Any] = {}
        for key, value in self._settings.items():
            section, _, name = key.rpartition(".")
            (nested.setdefault(section, {}) if section else nested)[name] = value
        self.write_config(json.dumps(nested, indent=2))

    def write_config(self, text: str) -> None:
        """Write the configuration as it stands here, for its owner alone to read."""
        self.config.touch(mode=0o600)
        self.config.write_text(text, encoding="utf-8")

    def put(self, name: str | bytes, content: bytes, way: str = "move") -> Path:
        """Drop a file: by "copy", by "rename" of a temporary name, or by "move" from another folder, at once."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.drop), os.fsencode(name))))
        first = {
            "copy": path,
            "rename": self.drop / f"~{len(content)}-{time.monotonic_ns()}.tmp",
            "move": self.root / f"outside-{time.monotonic_ns()}",
        }[way]
        first.write_bytes(content)
        if first != path:
            first.rename(path)
        return path

    def put_all(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Drop these files, each at once; returns them, by name."""
        for name, content in files.items():
            self.put(name, content)
        return dict(files)

    def put_after(self, before: Path, name: str, content: bytes) -> Path:
        """Drop a file that is surely younger than another, whatever the file system's clock ticks in."""

        def put() -> Path | None:
            path = self.put(name, content)
            return path if path.stat().st_ctime_ns > before.stat().st_ctime_ns else None

        path = until(put, f"a file that is younger than {before.name}")
        assert path is not None
        return path

    def once(self, **env: str) -> Finished:
        """Run `run --once` here."""
        return run("run", "--once", "-c", self.config, env=env)

    def waiting(self) -> list[str]:
        """The documents in the drop folder and the work folder."""
        return sorted(names(self.drop) + documents(self.work))

    def note_of(self, name: str) -> dict[str, Any]:
        """Wait for the sidecar of a document that waits in the work folder, and return it."""
        until(lambda: f"{name}.json" in names(self.work), f"a note of {name}")
        return sidecar(self.work / name)

    def until_done(self, *wanted: str) -> None:
        """Wait until all of these documents lie in the done folder, and none of them where it was before."""
        self._until_filed(self.done, wanted)

    def until_failed(self, *wanted: str) -> None:
        """Wait until all of these documents lie in the failed folder, and none of them where it was before."""
        self._until_filed(self.failed, wanted)

    def is_filed(self, folder: Path, *wanted: str) -> bool:
        """Whether the last step was made: the note in the work folder goes after the document has its place."""
        there = {name for one in with_months(folder) for name in names(one)}
        before = {*names(self.drop), *names(self.work)}
        return set(wanted) <= there and before.isdisjoint({*wanted, *(f"{name}.json" for name in wanted)})

    def delivered(self) -> dict[str, Path]:
        """The documents in the done folder and in those for months, by their names; of several of a name, the last."""
        return {name: folder / name for folder in with_months(self.done) for name in documents(folder)}

    def _until_filed(self, folder: Path, wanted: Sequence[str]) -> None:
        until(lambda: self.is_filed(folder, *wanted), f"{wanted} in {folder.name}/, which holds {names(folder)}")


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder; none when it is not there."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir())
    except FileNotFoundError:
        return []


def with_months(folder: Path) -> list[Path]:
    """Return a folder, and those for months in it (`done_layout: month`)."""
    return [folder, *(path for path in sorted(folder.glob("????-??")) if path.is_dir() and not path.is_symlink())]


def documents(folder: Path) -> list[str]:
    """Return the names of the documents: neither sidecars nor what is hidden."""
    return [name for name in names(folder) if not name.endswith(".json") and not name.startswith(".")]


def sidecar(document: Path) -> dict[str, Any]:
    """Return the sidecar beside a document, in the order of its fields."""
    with open(os.fspath(document) + ".json", "rb") as file:
        parsed: dict[str, Any] = json.load(file)
    return parsed


def pdf(content: str = "", size: int = 0) -> bytes:
    """Return a PDF, as far as one can tell by its beginning and its end, with something in it, of `size` bytes."""
    head, tail = b"%PDF-1.7\n% " + content.encode(), b"\nstartxref\n0\n%%EOF\n"
    return head + b"x" * (size - len(head) - len(tail)) + tail


def invoices(orders: Iterable[object]) -> dict[str, bytes]:
    """Return a PDF for each order, unlike the others, by its name."""
    return {f"{order}.pdf": pdf(f"{order}") for order in orders}


def sample(name: str) -> bytes:
    """Return one of the sample invoices."""
    return (SAMPLES / name).read_bytes()


def samples() -> Sequence[str]:
    """Return the names of all sample documents, shortcuts left out."""
    kinds = {".pdf", ".doc", ".docx", ".xls", ".xlsx"}
    return sorted(path.name for path in SAMPLES.iterdir() if path.suffix in kinds)
