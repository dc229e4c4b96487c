"""Counting system calls: what strace writes becomes names; and a quick run of the part."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import calls
from tests.benchmarks.needed import NEEDED
from tests.benchmarks.part import Bench
from tests.benchmarks.parts.calls import measure

if TYPE_CHECKING:
    from pathlib import Path

needs_tools = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("strace") or not shutil.which("perf"),
    reason="strace or perf is not installed, or this is not root",
)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('openat(3</srv/drop>, "10000001.pdf", O_RDONLY) = 7</srv/drop/10000001.pdf>', "openat /srv/drop/N.pdf"),
        ('newfstatat(7</srv/drop/10000001.pdf>, "",  <unfinished ...>', "newfstatat </srv/drop/N.pdf>"),
        ('newfstatat(AT_FDCWD</>, "/srv/drop", {st_mode=S_IFDIR|0755, ...}, 0) = 0', "newfstatat /srv/drop"),
        ('pwrite64(8</srv/.receipt-12>, "{"..., 393, 0) = 393', "pwrite64 </srv/.receipt>"),
        ("close(8</srv/10000001.pdf.json>(deleted)) = 0", "close </srv/N.pdf.json>"),
        ("fcntl(7</srv/10000001.pdf>, F_SETLEASE, F_UNLCK) = 0", "fcntl </srv/N.pdf> F_SETLEASE, F_UNLCK"),
        ("poll([{fd=9<socket:[77]>, events=POLLIN}], 1, 0) = 0 (Timeout)", "poll <socket> POLLIN"),
        ("sendto(9<socket:[10000001]>, ...) = 30", "sendto <socket>"),
        (
            'linkat(4</w>, "10000001.pdf.json", 5</d>, "10000001.pdf.json", 0) = 0',
            "linkat /w/N.pdf.json → /d/N.pdf.json",
        ),
    ],
)
def test_a_call_is_named_by_what_it_is_on(line: str, name: str) -> None:
    """A reader of the table sees on what each call was; what differs between documents is left out."""
    assert [calls._name(*found) for found in calls._BEGUN.findall(f"123 {line}")] == [name]


def test_the_second_half_of_a_call_is_no_call() -> None:
    """A call that strace tells in two lines, because another thread came between, counts once."""
    assert calls._BEGUN.findall("9 <... openat resumed>) = 7</x>\n9 +++ exited with 0 +++\n9 --- SIGIO {} ---") == []


@needs_tools
def test_a_quick_run_counts_and_names_every_call(tmp_path: Path) -> None:
    """A maintainer gets the sum, and for each call on a document how often and what for."""
    result = measure(Bench(tmp_path, 1, quick=True))
    (row,), (table,) = result.rows, result.tables
    assert row.reached > 30
    assert {f"{line[0]} {line[1]}" for line in table.lines} >= NEEDED.keys()
