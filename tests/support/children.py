"""A part of a test in a process of its own: as another user, with other limits, or ended in the middle."""

from __future__ import annotations

import encodings.ascii  # noqa: F401 - /proc is read so, and another user may not be allowed to read Python's own files
import errno
import os
import pickle
import resource
import subprocess
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.support.kernel import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Result = TypeVar("Result")

NOBODY = 65534
KILLED = 137  # the exit status of a child that was ended at a call
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users, mounts and file attributes")


def fork() -> int:
    """Fork; the child must end in os._exit."""
    with warnings.catch_warnings():
        # Python 3.12 warns where other threads run (a server of a test); the child uses none of what they hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(work: Callable[[], Result], *, uid: int | None = None, groups: Sequence[int] = ()) -> Result:
    """Return what `work` returns in a forked process, which becomes the user `uid`, in these groups, first."""
    reading, writing = os.pipe()
    if (pid := fork()) == 0:
        _answer(work, uid, groups, writing)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(pid, 0)
    assert raw, "the child died"
    result: Result
    result, trace = pickle.loads(raw)  # noqa: S301 - our own child wrote it
    assert not trace, trace
    return result


def use_up_descriptors() -> None:
    """Leave this process, a child, without a free descriptor, also between those that it inherited."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    with suppress(OSError):
        while True:
            os.dup(0)


@contextmanager
def meanwhile(work: Callable[[], object], *, uid: int, groups: Sequence[int] = ()) -> Iterator[None]:
    """Let a forked process, as another user, do `work` and hold what that returned until the block ends."""
    (done, doing), (ending, end) = os.pipe(), os.pipe()
    if (pid := fork()) == 0:
        os.close(end)
        held: list[object] = []
        _answer(lambda: held.append(work()), uid, groups, doing)
        os.read(ending, 1)
        os._exit(0)
    os.close(doing)
    os.close(ending)
    try:
        with open(done, "rb") as pipe:
            _, trace = pickle.load(pipe)  # noqa: S301 - our own child wrote it
        assert not trace, trace
        yield
    finally:
        os.close(end)
        os.waitpid(pid, 0)


def killed_at(call: int, work: Callable[[], object]) -> bool:
    """Run `work` in a forked process that dies at its `call`-th system call; False when it got through."""
    if (pid := fork()) == 0:
        try:
            with interrupted(call, lambda: os._exit(KILLED)):
                work()
        except BaseException:  # noqa: BLE001 - the child must not go on as a second test run
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in {0, KILLED}, "the child's traceback is on stderr"
    return status == KILLED


def unshared(mounts: str, program: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run shell commands that mount, then Python, both where nobody else sees the mounts; `$1` is the first argument.

    Skips the test where the system does not allow that.
    """
    script = f'set -e; {mounts}\nexec "$0" -c "$PROGRAM" "$@"'
    environment = {**os.environ, "PROGRAM": program}
    command = ["unshare", "--mount", "sh", "-c", script, sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)
    if "unshare failed" in done.stderr or os.strerror(errno.EPERM).lower() in done.stderr.lower():
        pytest.skip(f"no mounts in this environment: {done.stderr.strip()}")
    return done


def _answer(work: Callable[[], object], uid: int | None, groups: Sequence[int], pipe: int) -> None:
    """Write to the pipe what `work` returns as that user, or how it failed, and close it."""
    try:
        if uid is not None:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        raw = pickle.dumps((work(), ""))
    except BaseException:  # noqa: BLE001 - told by the parent
        raw = pickle.dumps((None, traceback.format_exc()))
    with open(pipe, "wb") as file:
        file.write(raw)
