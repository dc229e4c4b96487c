"""Pages for tests and for pictures: how things may stand, and what may lie in the folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from invoice_watcher.archive import FailedNow, Filing
from invoice_watcher.hints import cure_for, hint_for
from invoice_watcher.languages import load
from invoice_watcher.naming import Naming
from invoice_watcher.outcome import Source
from invoice_watcher.receipt import Error, Receipt, timestamp
from invoice_watcher.standing import Paused, Sent, Standing, Waiter
from invoice_watcher.status_page.rendering import render
from invoice_watcher.status_page.wording import Places, Sources, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoice_watcher.status_page.view import View

DROP = Path("/srv/invoices")
NOW = 1_795_511_700.0  # 24 November 2026, 10:15 in Berlin


def at(seconds_ago: float, now: float = NOW) -> str:
    """Return a moment as a record tells it."""
    return timestamp(now - seconds_ago)


def standing(now: float = NOW, **changes: Any) -> Standing:  # noqa: ANN401 - the fields are of many types
    """Return how things stand when all is well, but for these changes."""
    recent = tuple(
        Sent(at(140 + 700 * i, now), str(48211 - i), f"{48211 - i}.{'pdf' if i % 3 else 'docx'}") for i in range(6)
    )
    well = Standing(
        program="0.1.0",
        pid=1,
        drop_dir=str(DROP),
        started_at=at(8000, now),
        as_of=at(0, now),
        delivered=214,
        recent=recent,
    )
    return msgspec.structs.replace(well, **changes)


def paused(reason: str, message: str, fault: str, now: float = NOW) -> Paused:
    """Return a pause of one hour."""
    return Paused(
        reason=reason,
        message=message,
        hint=hint_for(reason),
        cure=cure_for(reason),
        fault=fault,
        since=at(3660, now),
        next_try=at(-90, now),
    )


def waiter(name: str, now: float = NOW, **changes: Any) -> Waiter:  # noqa: ANN401 - the fields are of many types
    """Return a file that waits for its turn, but for these changes."""
    ready = Waiter(
        name=name,
        order_id=name.partition(".")[0],
        folder="drop",
        size=30211,
        since=at(60, now),
        state="ready",
        text="is ready, and its turn comes",
    )
    return msgspec.structs.replace(ready, **changes)


def failed(  # noqa: PLR0913 - what a receipt tells
    name: str,
    reason: str,
    message: str,
    *,
    order: str | None = None,
    code: int | None = None,
    ago: float = 900,
    now: float = NOW,
    hint: str | None = None,
) -> Filing:
    """Return a file that failed."""
    error = Error(Source.API, code, reason, message, hint_for(reason) if hint is None else hint)
    receipt = Receipt(
        state="failed",
        order_id=order,
        file=name,
        size=30211,
        sha256=None,
        owner="anna",
        received_at=at(ago + 5, now),
        finished_at=at(ago, now),
        attempts=1,
        in_doubt=False,
        http_status=400,
        error=error,
        response=None,
    )
    return Filing(DROP / "failed", name, name, receipt, 30211, now - ago)


def page_view(
    language: str = "en",
    told: Standing | None = None,
    fails: Sequence[Filing] = (),
    count: int | None = None,
    earlier: Sequence[Filing] = (),
) -> View:
    """Return what stands on the page."""
    sources = Sources(
        standing=told or standing(),
        failed=FailedNow(len(fails) if count is None else count, tuple(fails)),
        earlier=earlier,
        troubled_at=NOW - 600,
        places=Places(DROP, DROP / "failed", DROP / "done"),
        naming=Naming.of(r"[A-Za-z0-9_-]{1,64}"),
    )
    return said(sources, load(language))


def page(
    language: str = "en",
    told: Standing | None = None,
    fails: Sequence[Filing] = (),
    count: int | None = None,
    now: float = NOW,
) -> str:
    """Return the page, written at `now`."""
    return render(page_view(language, told, fails, count), load(language), now)


def trouble(language: str = "en", now: float = NOW) -> str:
    """Return a page on a bad day: paused for the administrator, with files that wait, and some that failed."""
    message = "The API answered 401 Unauthorized"
    files = (
        waiter("48217.pdf", now, since=at(4300, now), state="deferred", attempts=3, next_try=at(-90, now),
               problem=Error(Source.HTTP, None, "access_denied", message, hint_for("access_denied"))),
        waiter("48219.pdf", now, since=at(3400, now), state="paused"),
        waiter("48219.docx", now, since=at(3100, now), state="behind", behind="48219.pdf"),
        waiter("48220.xlsx", now, since=at(300, now), state="paused"),
        waiter("48223.pdf", now, since=at(20, now), state="settling", text="is still open for writing"),
    )  # fmt: skip
    fails = [
        failed("48213.pdf", "order_closed", "Order is already shipped or cancelled", order="48213", code=103, now=now),
        failed("Invoice Smith final (2).pdf", "bad_name", "The file's name is not an order ID", ago=5200, now=now),
        failed("48190.docx", "content_mismatch", "The file is a PDF, though its name ends in .docx", order="48190",
               ago=90_000, now=now),
    ]  # fmt: skip
    told = standing(now, waiting=12, files=files, pause=paused("access_denied", message, "operator", now), rejected=3)
    return page(language, told, fails, now=now)
