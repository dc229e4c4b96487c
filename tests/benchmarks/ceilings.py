"""What limits any sender: documents that are there already are uploaded, not watched for, not moved, nothing recorded.

Two of them: a bare loop around requests (`peers/bare.py`) with as many threads as the daemon has workers, and `curl
-Z`. Their rate counts from the first request's head to the last answer, so what they take to start costs them nothing.
Raises VoidError when one fails or does not send every document once: its own fault, or that of a machine without curl.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoice_watcher.escaping import escape
from tests.benchmarks import load
from tests.benchmarks.load import SIZE, VoidError
from tests.benchmarks.measure import delivered
from tests.benchmarks.peers import API_CODE, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.sink import Sink

_BARE = Path(__file__).resolve().parent / "peers" / "bare.py"
_LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class Stock:
    """Documents to be uploaded.

    Attributes:
        folder: where they lie, and nothing else.
        names: their orders.
        size: bytes of each.
    """

    folder: Path
    names: Sequence[str]
    size: int = SIZE


def stocked(folder: Path, names: Sequence[str], size: int = SIZE) -> Stock:
    """Make a folder with the documents of these orders."""
    folder.mkdir(parents=True)
    load.burst(folder, names, size)
    return Stock(folder, names, size)


def bare(stock: Stock, sink: Sink, threads: int) -> float:
    """Return the documents a second of a bare requests loop."""
    return _rate([sys.executable, str(_BARE), str(stock.folder), sink.base_url, API_CODE, str(threads)], stock, sink)


def curl(stock: Stock, sink: Sink, threads: int) -> float:
    """Return the documents a second of `curl -Z` with so many transfers at once."""
    if shutil.which("curl") is None:
        raise VoidError("curl not installed")
    listing = stock.folder.with_suffix(".curl")
    listing.write_text("next\n".join(_transfer(stock.folder / f"{order}.pdf", sink) for order in stock.names))
    many = ["-Z", "--parallel-immediate", "--parallel-max", str(threads)]
    return _rate(["curl", "-q", "--no-progress-meter", *many, "-K", str(listing)], stock, sink)


CEILINGS: dict[str, Callable[[Stock, Sink, int], float]] = {"bare requests loop": bare, "curl -Z": curl}


def _transfer(path: Path, sink: Sink) -> str:
    return (
        f'url = "{sink.base_url}/order/{path.stem}/invoice"\nform = "File=@{path}"\nfail\noutput = "/dev/null"\n'
        f'header = "ApiCode: {API_CODE}"\nheader = "Accept: application/json"\nheader = "Expect:"\n'
    )


def _rate(command: list[str], stock: Stock, sink: Sink) -> float:
    sink.arrivals()
    try:
        subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=_LONGEST)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise VoidError(f"it ended with status {error.returncode}: {escape(said)}") from None
    except subprocess.TimeoutExpired:
        raise VoidError(f"it took more than {_LONGEST:g} s") from None
    arrivals = delivered(sink, stock.names, stock.size).values()
    first, last = min(arrival.at for arrival in arrivals), max(arrival.whole for arrival in arrivals)
    return len(arrivals) / ((last - first) / 1e9 + sink.latency)
