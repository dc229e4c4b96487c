"""The demo: the whole program on a temporary folder and the local sandbox, with nothing configured.

`show` plays the acts of `script` on a `stage`, prints what the daemon says as it says it, and then what is left: the
folders, one sidecar, and a verdict. Guarantees: it ends by itself within half a minute, and with status 0 only if
everything went as it should. Raises DemoError when it cannot begin.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from invoice_watcher.demo.script import EXPECTED, acts, filed, waiting
from invoice_watcher.demo.stage import stage
from invoice_watcher.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoice_watcher.demo.stage import Stage

_STYLES = {"delivered": "green", "rejected": "red", "deferred": "yellow"}
_SHOWN = "E103.pdf"


def show() -> ExitStatus:
    """Play the demo; returns OK only if every file ended where it should."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def say(event: dict[str, str]) -> None:
        style = _STYLES.get(event.get("OUTCOME", ""), "cyan" if event.get("level") == "INFO" else "yellow")
        console.print(Text(f"  {time.monotonic() - began:5.1f} s  {event.get('message', '')}", style))

    with stage(say) as scene:
        console.print(Text(f"The configuration:\n\n{scene.config}", "dim"))
        for act in acts():
            console.print(Text(act.words, "bold"))
            act.play(scene)
            if left := waiting(scene):
                console.print(Text(f"           {len(left)} wait where they were dropped: {', '.join(left)}", "dim"))
        _show_folders(console, scene)
        _show_sidecar(console, scene)
        faults = list(_faults(scene))
    return _verdict(console, faults, time.monotonic() - began)


def _show_folders(console: Console, scene: Stage) -> None:
    tree = Tree(Text(str(scene.drop), "bold"))
    for folder in ("done", "failed"):
        branch = tree.add(Text(f"{folder}/", "bold"))
        for path in sorted((scene.drop / folder).iterdir()):
            branch.add(Text(path.name, "dim" if path.suffix == ".json" else ""))
    console.print("\nThe folders now:", tree, sep="\n")


def _show_sidecar(console: Console, scene: Stage) -> None:
    console.print(f"\nWhat failed/{_SHOWN}.json tells the clerk:", style="bold")
    sidecar = scene.drop / "failed" / f"{_SHOWN}.json"
    console.print(Text(sidecar.read_text(encoding="utf-8") if sidecar.exists() else "(it is not there)"))


def _verdict(console: Console, faults: list[str], seconds: float) -> ExitStatus:
    for fault in faults:
        console.print(Text(f"not as it should be: {fault}", "red"))
    if faults:
        return ExitStatus.FAILED
    done = sum(one.folder == "done" for one in EXPECTED.values())
    text = f"{done} delivered, {len(EXPECTED) - done} rejected, nothing lost, each accepted once, in {seconds:.0f} s."
    console.print(Text(text, "bold green"))
    return ExitStatus.OK


def _faults(scene: Stage) -> Iterator[str]:
    """Yield whatever is not as the script says."""
    places = filed(scene)
    for name, expected in EXPECTED.items():
        if places.get(name) != expected.folder:
            yield f"{name} is not in {expected.folder}/"
        elif expected.reason != _reason(scene, name, expected.folder):
            yield f"{name} was rejected for another reason than {expected.reason}"
    yield from (f"{name} was not expected" for name in places.keys() - EXPECTED.keys())
    yield from (f"{name} is still in the drop folder" for name in waiting(scene))
    yield from _unsent(scene)


def _unsent(scene: Stage) -> Iterator[str]:
    """Yield what did not reach the API whole, and exactly once."""
    accepted = [row["sha256"] for row in scene.received() if row["status"] == 200 and row["sha256"]]  # noqa: PLR2004
    for path in (scene.drop / "done").iterdir():
        if path.suffix not in {".json", ".url"}:
            times = accepted.count(hashlib.sha256(path.read_bytes()).hexdigest())
            if times != 1:
                yield f"{path.name} was accepted {times} times by the API"


def _reason(scene: Stage, name: str, folder: str) -> str | None:
    error = json.loads((scene.drop / folder / f"{name}.json").read_text(encoding="utf-8"))["error"]
    return error["reason"] if error else None
