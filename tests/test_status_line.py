"""The line in `systemctl status`: what waits, since when, why, and whether anything goes through."""

from __future__ import annotations

import time

from invoice_watcher.receipt import timestamp
from invoice_watcher.standing import Paused, Sent, Standing
from invoice_watcher.status_line import sentence

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
HOUR = 3600.0
PAUSED = Paused(
    reason="access_denied",
    message="The API does not accept the API code",
    hint="",
    cure="",
    fault="operator",
    since=timestamp(NOON - 2 * HOUR),
    next_try=None,
)


def standing(**known: object) -> Standing:
    """Give the standing of a program that was looked at at noon."""
    fixed = {"pid": 1, "drop_dir": "/srv/invoices", "started_at": timestamp(0.0), "as_of": timestamp(NOON)}
    return Standing(**{**fixed, **known})  # type: ignore[arg-type]


def sent(at: float) -> tuple[Sent, ...]:
    """Give the deliveries of a program that delivered last at this moment."""
    return (Sent(timestamp(at), "12345", "12345.pdf"),)


def test_a_quiet_day() -> None:
    """Nothing waits: the line says so, what was delivered, and when the last time."""
    quiet = standing(delivered=40, recent=sent(NOON - 3 * HOUR))
    assert sentence(quiet) == "nothing waiting; 40 delivered, last at 09:00"


def test_a_bad_day() -> None:
    """Things wait: how many, since when the oldest, and why."""
    oldest = timestamp(NOON - 12.3)
    bad = standing(delivered=1, rejected=2, waiting=3, oldest=oldest, pause=PAUSED, recent=sent(NOON - 27 * HOUR))
    assert sentence(bad) == (
        "3 waiting, oldest 12 s; paused since 10:00: The API does not accept the API code; "
        "1 delivered, last at 2026-11-21 09:00; 2 rejected"
    )


def test_folders_that_are_away_come_first() -> None:
    """While there are no folders nothing else matters."""
    assert sentence(standing(trouble="/srv/invoices is gone")) == "waiting for the folders: /srv/invoices is gone"
