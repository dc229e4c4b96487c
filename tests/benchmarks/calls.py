"""What the daemon asks of the kernel: its system calls while documents are delivered, counted and named.

`named` follows it with strace, which tells each call and what it was on; that makes every call a hundred times
dearer, so the threads fight for the interpreter, and the calls by which they hand it to each other (futex) are left
out. `counted` counts those too, in the kernel (perf), at no cost to the daemon. Both look at a running daemon for the
length of a block, so its start does not count.

Nobody but root may look into the daemon. Raises VoidError when the counting program is not there, or refuses.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.load import VoidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# A folder's modification time tells nothing while it is younger than this, so a new failed folder is listed again and
# again; nor is the first document yet like any other.
SETTLED = 3.0
# What is made less often than for every tenth document is not made for a document.
_RARE = 0.1
_EVENTS = {"raw_syscalls:sys_enter": "every", "syscalls:sys_enter_futex": "futex"}
_ATTACHING = 10.0
# What `-y` adds: the path behind a descriptor; behind a folder's descriptor stands a name in it, or nothing.
_OBJECT = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>(?:\(deleted\))?(?:, "([^"]*)")?')
_BEGUN = re.compile(r"^\d+ +(\w+)\((.*?)(?:\) += .*)?$", re.MULTILINE)
_TAKES_NAME = re.compile(r"at2?$")
_HOW = re.compile(r"\b(F_\w+(?:, F_\w+)?|FIO\w+|events=\w+)")
# No two documents, receipts or sockets are alike, and all of them are.
_ALIKE = ((re.compile(r":\[\d+\]"), ""), (re.compile(r"\.receipt-\d+"), ".receipt"), (re.compile(r"\d{8}"), "N"))


@dataclass(slots=True)
class Kernel:
    """What the kernel counted.

    Attributes:
        every: system calls of all kinds.
        futex: those by which threads wait for each other, and wake each other.
    """

    every: int = 0
    futex: int = 0


@contextmanager
def named(pid: int, root: Path) -> Iterator[Counter[str]]:
    """Count the calls of a process and of all its threads by name, but for futex.

    Args:
        pid: the process.
        root: the folder in which it works; what lies in it is told by its path from there.

    Yields:
        the counts, complete once the block has ended: `openat drop/N.pdf` is a call on a name, `read <drop/N.pdf>` one
        on what is open, under the name it has at that time.
    """
    _require("strace")
    calls: Counter[str] = Counter()
    trace = root / "trace"
    command = ["strace", "-f", "-y", "-s", "1", "-e", "trace=!futex", "-o", str(trace), "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            if "attached" not in (line := strace.stderr.readline()):
                raise VoidError(f"strace could not follow it: {line.strip()}")
            yield calls
        finally:
            _end(strace, signal.SIGTERM)
    begun = _BEGUN.findall(trace.read_text(errors="replace"))
    calls.update(_name(call, rest).replace(f"{root.resolve()}/", "") for call, rest in begun)


@contextmanager
def counted(pid: int, root: Path) -> Iterator[Kernel]:
    """Count the calls of a process and of all its threads, in the kernel; complete once the block has ended."""
    _require("perf")
    kernel = Kernel()
    counts = root / "counts"
    events = ",".join(_EVENTS)
    (read_orders, orders), (answers, write_answers) = os.pipe(), os.pipe()
    command = ["perf", "stat", "-x", ";", "-e", events, "-p", str(pid), "-o", str(counts), "--delay", "-1"]
    control = ["--control", f"fd:{read_orders},{write_answers}"]
    with subprocess.Popen(
        [*command, *control], pass_fds=(read_orders, write_answers), stderr=subprocess.PIPE, text=True
    ) as perf:
        os.close(read_orders)
        os.close(write_answers)
        try:
            _order(orders, answers, "enable")
            yield kernel
            _order(orders, answers, "disable")
        finally:
            os.close(orders)
            os.close(answers)
            _end(perf, signal.SIGINT)
    for number, event in re.findall(r"^(\d+);;([\w:]+);", counts.read_text(), re.MULTILINE):
        setattr(kernel, _EVENTS[event], int(number))


def per_document(calls: Mapping[str, int], documents: int) -> dict[str, float]:
    """Return how often a document costs each call, without what happens now and then whatever is delivered."""
    return {name: count / documents for name, count in calls.items() if count / documents > _RARE}


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise VoidError(f"{program} is not installed")
    if os.geteuid() != 0:
        raise VoidError("system calls are counted by root only: the daemon lets nobody else look into it")


def _order(orders: int, answers: int, word: str) -> None:
    """Tell perf what to do and wait until it did."""
    try:
        os.write(orders, f"{word}\n".encode())
        answer = os.read(answers, 100)
    except BrokenPipeError:
        answer = b""
    if not answer.startswith(b"ack"):
        raise VoidError("perf could not count here: it needs a kernel with tracepoints for system calls")


def _end(program: subprocess.Popen[str], how: signal.Signals) -> None:
    """Have it let go; strace 6.1 may wait for ever for a thread that is gone."""
    program.send_signal(how)
    try:
        program.communicate(timeout=_ATTACHING)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()


def _name(call: str, rest: str) -> str:
    """Return a call and what it was on, without what differs from one document to the next."""
    takes_name = _TAKES_NAME.search(call)
    objects = [_object(path, name if takes_name else "") for path, name in _OBJECT.findall(rest)]
    how = [found[1].removeprefix("events=")] if (found := _HOW.search(rest)) else []
    words = " ".join([call, " → ".join(objects), *how])
    for each, same in _ALIKE:
        words = each.sub(same, words)
    return words


def _object(path: str, name: str) -> str:
    if name.startswith("/"):
        return name
    return f"{path}/{name}" if name else f"<{path}>"
