"""What a delivered document costs a program in work: instructions and allocations of memory, counted by Callgrind.

Counted, not timed, so a busy machine changes little. Callgrind (valgrind) runs the program, watches from a steady
state on (the start would take it a minute), and counts every instruction outside the kernel, and every call of
malloc, realloc and calloc, which Python is told to use for each object. Documents are written straight into the drop
folder, which every contender sees.

Raises VoidError when a program does not deliver, or valgrind cannot be asked for its counts.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import load
from tests.benchmarks.arrivals import await_all_filed
from tests.benchmarks.calls import SETTLED
from tests.benchmarks.load import VoidError
from tests.benchmarks.service import started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.peers import Peer, Place
    from tests.benchmarks.service import Service

# The order of a set of strings is chosen at random otherwise, and with it a little of the work.
_PYTHON = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}
_ALLOCATIONS = ("malloc", "calloc", "realloc")
_CANARIES = range(9_000, 9_060)
_CANARY_EVERY = 1.0
_WARM = 20
# Watchdog holds back what it tells of a move for half a second, and that is work too.
_REST = 1.5
_FUNCTION = re.compile(r"^(c?)fn=\((\d+)\)(?: (.*))?$|^calls=(\d+) ", re.MULTILINE)


class Work(NamedTuple):
    """What one document costs."""

    instructions: float
    allocations: float


def work(peer: Peer, place: Place, documents: int, more: Mapping[str, str] | None = None) -> Work:
    """Return what a document costs a peer, as the average of so many dropped at once.

    Args:
        peer: the program.
        place: where it works; made anew.
        documents: how many.
        more: environment variables beside the usual ones.
    """
    place.done.mkdir(parents=True)
    counts = place.root / "callgrind"
    valgrind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={counts}"]
    with started([*valgrind, *peer.command(place)], place.root / "log", {**_PYTHON, **(more or {})}) as service:
        _warm(service, place)
        _ask(service, "instrumentation on")
        _deliver(service, place, range(documents))
        time.sleep(_REST)
        _ask(service, "dump")
    text = counts.with_suffix(".1").read_text(errors="replace")
    instructions = int(re.findall(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)[-1])
    return Work(instructions / documents, sum(_called(text)[name] for name in _ALLOCATIONS) / documents)


def _warm(service: Service, place: Place) -> None:
    """Deliver until everything was done before: modules loaded, threads started, connections open."""
    for number in _CANARIES:
        load.burst(place.drop, load.orders(number, 1))
        time.sleep(_CANARY_EVERY)
        service.check()
        if load.filed(place.done):
            break
    else:
        raise VoidError("it delivered nothing in its first minute")
    _deliver(service, place, range(8_000, 8_000 + _WARM))
    time.sleep(SETTLED)


def _deliver(service: Service, place: Place, numbers: range) -> None:
    names = load.orders(numbers.start, len(numbers))
    load.burst(place.drop, names)
    await_all_filed(service, place, names)


def _ask(service: Service, request: str) -> None:
    """Tell Callgrind what to do; it has done that when vgdb ends."""
    answer = subprocess.run(["vgdb", f"--pid={service.pid}", request], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise VoidError(f"vgdb {request}: {answer.stderr.strip()}")


def _called(text: str) -> Counter[str]:
    """Return how often each function was called, by Callgrind's file of counts.

    A function is named where it is first seen, and told by its number from then on (the manual of Callgrind's format).
    """
    names: dict[str, str] = {}
    calls: Counter[str] = Counter()
    callee = ""
    for is_callee, number, name, times in _FUNCTION.findall(text):
        if times:
            calls[callee] += int(times)
            continue
        if name:
            names[number] = name
        if is_callee:
            callee = number
    return Counter({names[number]: times for number, times in calls.items()})
