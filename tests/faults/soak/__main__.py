"""Drive the program at random for as long as is asked, with a new seed every few seconds: `make soak MINUTES=30`.

Prints each seed as it begins and, at the end, what was done in all; stops at the first failure, with the story and the
command that tells it again. Exit status 0 when all held, 1 when something did not.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter

from tests.faults.soak.machine import run_machine

_LARGEST_SEED = 10**6


def main() -> int:
    """Run until the minutes are over, or something does not hold; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, help="play this seed alone, once")
    chosen = parser.parse_args()
    totals: Counter[str] = Counter()
    end = time.monotonic() + 60 * chosen.minutes
    number = chosen.seed if chosen.seed is not None else random.randrange(_LARGEST_SEED)
    while _plays(number, totals):
        if chosen.seed is not None or time.monotonic() >= end:
            _say(f"all held: {_told(totals)}")
            return 0
        number = random.randrange(_LARGEST_SEED)
    _say(f'seed {number} failed, after {_told(totals)}\nplay it again: make soak ARGS="--seed {number}"')
    return 1


def _plays(number: int, totals: Counter[str]) -> bool:
    _say(f"seed {number}")
    try:
        run_machine(number, totals)
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
        traceback.print_exc()
        return False
    totals["seeds"] += 1
    return True


def _told(totals: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(totals.items()))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - it is a command


if __name__ == "__main__":
    sys.exit(main())
