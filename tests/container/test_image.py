"""The container example without an engine: the image's command, as PID 1, as an unprivileged user, on a read-only root.

What an engine does is done here with unshare(1), mount(8), chroot(1) and setpriv(1). The interpreter is that of the
tests; all else (command, environment, configuration, paths in the container) is read from the files of the example.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.answers import Answer
from tests.integration.conftest import api, start
from tests.integration.place import Place, pdf
from tests.integration.program import API_CODE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Start
    from tests.integration.program import Program
    from tests.integration.stand_in import StandIn

__all__ = ["api", "start"]

EXAMPLE = ROOT / "packaging" / "container"
STEPS = re.findall(
    r"^([A-Z]+) (.*(?:\n    .*)*)", (EXAMPLE / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE
)
USER = 10001

# BESIDE is the folder in which the drop folder lies, CODE the folders of the tests' own Python and of this checkout.
_ENTER = """
set -e
root=$BESIDE/root
mkdir "$root"
mount -t tmpfs -o mode=755 none "$root"
for top in bin etc lib lib64 sbin usr; do
    if [ -L /$top ]; then cp -P /$top "$root/"
    elif [ -d /$top ]; then mkdir "$root/$top"; mount --bind /$top "$root/$top"; fi
done
mkdir "$root/tmp"
mount -t tmpfs none "$root/tmp"  # before the code, which may lie below it
for folder in $CODE; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; done
cd "$root"
mkdir -p proc dev config run/secrets invoices
mount -t proc proc proc
for device in null urandom; do touch dev/$device; mount --bind /dev/$device dev/$device; done
cp "$BESIDE/config.yaml" config/
cp --preserve "$BESIDE/api-code" run/secrets/
mount --bind "$BESIDE/drop" invoices
mount -o remount,bind,ro "$root"
exec chroot . setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \\
    --inh-caps=-all --ambient-caps=-all --bounding-set=-all env -i "$ENVIRONMENT" "$0" -I "$@"
"""


def step(name: str) -> str:
    """Return what follows the one step of this name in the image's recipe."""
    (rest,) = (str(rest) for word, rest in STEPS if word == name)
    return rest


def _may_contain() -> bool:
    tried = ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(tried, capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(not _may_contain(), reason="only root may have mounts and a PID 1 of its own")


class Container:
    """The example, set up: a folder for the invoices, the configuration as it stands, the API code in a file."""

    def __init__(self, place: Place, api: StandIn, start: Start) -> None:
        self.place, self._start = place, start
        os.chown(place.drop, USER, USER)
        example = (EXAMPLE / "config.yaml").read_text(encoding="utf-8")
        place.config.write_text(example.replace("api:\n", f"api:\n  base_url: {api.base_url}\n"), encoding="utf-8")
        place.config.chmod(0o644)
        self.api_code = place.root / "api-code"
        self.api_code.touch(mode=0o400)
        self.api_code.write_text(API_CODE, encoding="utf-8")
        os.chown(self.api_code, USER, USER)

    def run(self, *arguments: str) -> Program:
        """Start the image's command, or another, as an engine would."""
        code = shlex.join(sorted({sys.prefix, sys.base_prefix, str(ROOT)}))
        where = {"CODE": code, "BESIDE": str(self.place.root), "ENVIRONMENT": step("ENV")}
        within = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER]
        return self._start(*(arguments or json.loads(step("CMD"))), within=within, **where)

    def drops(self, name: str, content: bytes) -> None:
        """Drop a document that belongs to the container's user."""
        path = self.place.root / name
        path.write_bytes(content)
        os.chown(path, USER, USER)
        path.rename(self.place.drop / name)


def first_process(program: Program) -> int:
    """Return the process, as this machine counts, that is PID 1 in the container."""
    (child,) = children(program.pid)
    return child


def children(pid: int) -> list[int]:
    """Return the processes that a process started and has not taken leave of."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def messages(program: Program) -> list[dict[str, Any]]:
    """Return what was logged; a line that is no JSON fails the test."""
    return [json.loads(line) for line in program.lines]


@pytest.fixture
def place(api: StandIn) -> Iterator[Place]:
    """Make a drop folder that no other user is kept away from by the folders above it."""
    with tempfile.TemporaryDirectory(prefix="invoice-watcher-") as root:
        Path(root).chmod(0o755)
        yield Place(Path(root), api.base_url)


@pytest.fixture
def container(place: Place, api: StandIn, start: Start) -> Container:
    """Set up the example; nothing runs yet."""
    return Container(place, api, start)


def test_it_is_made_of_what_the_program_needs() -> None:
    """The image has Debian's build of every dependency, and no other Python package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {f"python3-{re.split('[>=]', one)[0].removeprefix('py')}" for one in project["dependencies"]}
    assert set(re.findall(r"python3-[a-z0-9-]+", step("RUN"))) == wanted
    assert step("COPY").split()[0] == "invoice_watcher"
    assert json.loads(step("ENTRYPOINT")) == ["/usr/bin/python3", "-I", "-m", "invoice_watcher"]
    assert step("USER") == f"{USER}:{USER}"


@needs_namespaces
def test_it_delivers_and_logs_in_json(api: StandIn, container: Container) -> None:
    """The image's command delivers, as any user, and logs one JSON object a line; PID 1 has no process to reap."""
    program = container.run()
    program.says("ready: watching /invoices")
    container.drops("1.pdf", pdf("1"))
    container.place.until_done("1.pdf")
    assert api.of("1")[0].api_code == API_CODE
    first = first_process(program)
    status = Path(f"/proc/{first}/status").read_text(encoding="utf-8")
    assert re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)
    assert re.search(rf"^Uid:\t{USER}\t{USER}\t", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert children(first) == []
    os.kill(first, signal.SIGTERM)
    assert program.wait() == 0
    (delivered,) = (one for one in messages(program) if one.get("OUTCOME") == "delivered")
    assert (delivered["ORDER_ID"], delivered["FILE_NAME"], delivered["level"]) == ("1", "1.pdf", "INFO")


@needs_namespaces
def test_it_is_stopped_while_uploading(api: StandIn, container: Container) -> None:
    """The kernel keeps SIGTERM from a PID 1 that did not ask for it: this one ends its upload, then itself, with 0."""
    hold = threading.Event()
    api.script("1", Answer(hold=hold))
    program = container.run()
    program.says("ready: watching /invoices")
    container.drops("1.pdf", pdf("1"))
    api.wait_for(1)
    os.kill(first_process(program), signal.SIGTERM)
    program.says("uploads under way, which may finish: 1")
    hold.set()
    assert program.wait() == 0
    assert container.place.is_filed(container.place.done, "1.pdf")
    assert messages(program)


@needs_namespaces
def test_a_reload(container: Container) -> None:
    """SIGHUP to the container has the mounted configuration read anew."""
    program = container.run()
    program.says("ready: watching /invoices")
    os.kill(first_process(program), signal.SIGHUP)
    program.says("ready: watching /invoices", times=2)
    os.kill(first_process(program), signal.SIGTERM)
    assert program.wait() == 0


@needs_namespaces
def test_a_secret_that_is_mounted_for_everyone(container: Container) -> None:
    """As many engines mount it, with mode 0444, the API code is refused: with 78, and a word on what would mend it."""
    container.api_code.chmod(0o444)
    program = container.run()
    assert program.wait() == 78
    assert "/run/secrets/api-code: api.api_code_file: can be read by everyone" in program.err
