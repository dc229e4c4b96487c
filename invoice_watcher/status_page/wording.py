"""Every word of the page, in one language, out of how things stand.

Whatever came from outside (names, messages, paths, what a receipt says) is escaped and cut to a bounded length here;
the template only places it, and escapes it for HTML. Guarantees: a page is bounded, however many files wait or failed;
two pages that say the same are equal, whenever they were made. Pure but for the zone; raises nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.archive import order_of
from invoice_watcher.escaping import escape
from invoice_watcher.moments import seconds
from invoice_watcher.record import Record
from invoice_watcher.status_page.view import Delivery, Moment, State, Tone, Trouble, View, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from invoice_watcher.archive import FailedNow, Filing
    from invoice_watcher.languages import Card, Counted, Language
    from invoice_watcher.naming import Naming
    from invoice_watcher.receipt import Error
    from invoice_watcher.standing import Paused, Standing, Waiter

MOST_FAILED, MOST_LEFT_ALONE, MOST_WAITING, MOST_DELIVERED = 20, 10, 20, 10
_LONGEST_NAME, _LONGEST_TEXT = 300, 400
_TONES: dict[str, Tone] = {"world": "attention", "operator": "trouble", "ours": "trouble"}


class Places(NamedTuple):
    """The folders of which a page tells."""

    drop: Path
    failed: Path
    done: Path


class Sources(Record, frozen=True, kw_only=True):
    """What a page is made of.

    Attributes:
        earlier: what was delivered before the program started, the newest first.
        troubled_at: since when the folders are away, seconds since the epoch.
        naming: how an order is read from a name, where no receipt tells it.
    """

    standing: Standing
    failed: FailedNow
    earlier: Sequence[Filing]
    troubled_at: float
    places: Places
    naming: Naming


def said(sources: Sources, language: Language) -> View:
    """Say how things stand."""
    standing, page = sources.standing, language.page
    places, failed = sources.places, sources.failed
    now = seconds(standing.as_of)
    shown = tuple(_trouble(one, sources.naming, language, now) for one in failed.newest[:MOST_FAILED])
    waiting = () if standing.trouble else standing.files[:MOST_WAITING]
    left_alone = standing.left_alone[:MOST_LEFT_ALONE]
    return View(
        language=language.tag,
        is_last=standing.is_over,
        state=_state(sources, language, now),
        failed=shown,
        failed_total=None if failed.count is None else language.number(failed.count),
        failed_more=_more(page.failed_more, (failed.count or 0) - len(shown), language),
        left_alone=tuple(map(shown_name, left_alone)),
        left_alone_total=language.number(len(standing.left_alone)),
        left_alone_more=_more(page.left_alone_more, len(standing.left_alone) - len(left_alone), language),
        waiting=tuple(_wait(one, language, now) for one in waiting),
        waiting_total=language.number(standing.waiting),
        waiting_more=_more(page.waiting_more, standing.waiting - len(waiting), language),
        delivered=_delivered(sources, language, now),
        mend=page.mend.format(folder=_folder(places.failed, places.drop)),
        legend=tuple(text.format(done=_folder(places.done, places.drop)) for text in page.legend_texts),
        zone=page.zone.format(zone=language.zone(now)),
        program=page.program.format(version=standing.program, folder=shown_name(standing.drop_dir)),
    )


def shown_name(text: str) -> str:
    """Return a name fit to be shown."""
    return _cut(text, _LONGEST_NAME)


def shown_text(text: str) -> str:
    """Return a message fit to be shown."""
    return _cut(" ".join(text.split()), _LONGEST_TEXT)


def _cut(text: str, most: int) -> str:
    safe = escape(text[: most + 1])
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def _moment(at: float, language: Language, now: float) -> Moment:
    return Moment(language.moment(at, now), datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"))


def _folder(path: Path, drop: Path) -> str:
    """Return a folder's path, as people at the share see it."""
    return shown_name(str(path.relative_to(drop) if path.is_relative_to(drop) else path))


def _more(sentence: Counted, number: int, language: Language) -> str | None:
    return language.counted(sentence, number) if number > 0 else None


def _state(sources: Sources, language: Language, now: float) -> State:
    standing, cards, page = sources.standing, language.cards, language.page
    if standing.is_over:
        return _card("over", cards.over, page.since.format(time=language.moment(now, now)))
    if standing.trouble:
        since = page.since.format(time=language.moment(sources.troubled_at, now))
        return _card("trouble", cards.trouble, since, small=(shown_text(standing.trouble),))
    if standing.pause:
        return _paused(standing.pause, language, now)
    started = language.moment(seconds(standing.started_at), now)
    on_their_way = (language.counted(page.on_their_way, standing.waiting),) if standing.waiting else ()
    facts = (*on_their_way, page.running_since.format(n=language.number(standing.delivered), time=started))
    return (
        _card("attention", cards.attention, None, facts)
        if sources.failed.count or standing.left_alone
        else _card("well", cards.well, None, facts)
    )


def _paused(pause: Paused, language: Language, now: float) -> State:
    page = language.page
    cards = {"world": language.cards.world, "operator": language.cards.operator, "ours": language.cards.ours}
    hint = language.hints.get(pause.reason, pause.hint)
    cure = language.cures.get(pause.reason) or (pause.cure if pause.cure != pause.hint else "")
    message, original = _message(pause.reason, pause.message, language)
    small = [message, *([f"{page.message}: {original}"] if original else []), cure]
    if pause.next_try:
        small.append(page.next_try.format(time=language.moment(seconds(pause.next_try), now)))
    since = page.since.format(time=language.moment(seconds(pause.since), now))
    tone = _TONES.get(pause.fault, "trouble")
    facts = (shown_text(hint),) if tone == "trouble" else ()
    card = cards.get(pause.fault, language.cards.operator)
    return _card(tone, card, since, facts, tuple(filter(None, small)))


def _card(tone: Tone, card: Card, since: str | None, facts: tuple[str, ...] = (), small: tuple[str, ...] = ()) -> State:
    return State(tone=tone, title=card.title, since=since, text=card.text, facts=facts, small=small)


def _message(reason: str, message: str, language: Language) -> tuple[str, str | None]:
    """Return what happened in this language, and as it was said where these are two."""
    said = shown_text(message)
    own = language.messages.get(reason)
    return (said, None) if own is None else (own, said)


def _trouble(filing: Filing, naming: Naming, language: Language, now: float) -> Trouble:
    page, receipt = language.page, filing.receipt
    error = receipt.error if receipt else None
    order = order_of(filing, naming)
    message, original = _message(error.reason, error.message, language) if error else (page.unexplained, None)
    return Trouble(
        order=page.no_order if order is None else page.order.format(id=shown_name(order)),
        name=shown_name(filing.name or filing.file),
        at=_moment(filing.changed, language, now),
        message=message,
        original=original,
        hint=_hint(error, in_doubt=receipt.in_doubt, language=language) if error and receipt else page.unexplained_cure,
    )


def _hint(error: Error, *, in_doubt: bool, language: Language) -> str:
    own = language.hints.get(error.reason)
    if own is None:
        return _cut(error.hint, 2 * _LONGEST_TEXT)
    return own + (language.doubt if in_doubt and error.reason == "order_closed" else "")


def _wait(waiter: Waiter, language: Language, now: float) -> Wait:
    page, problem = language.page, None
    if waiter.problem:
        happened = _message(waiter.problem.reason, waiter.problem.message, language)[0].rstrip(".")
        problem = f"{happened} ({language.counted(page.sent, waiter.attempts)})" if waiter.attempts else happened
    return Wait(
        name=shown_name(waiter.name),
        why=_why(waiter, language, now),
        problem=problem,
        since=_moment(seconds(waiter.since), language, now),
    )


def _why(waiter: Waiter, language: Language, now: float) -> str:
    page = language.page
    if waiter.state == "settling":
        text = language.phrase(waiter.text)
        return shown_text(text[:1].upper() + text[1:])
    if waiter.state == "behind" and waiter.behind is not None:
        return page.behind.format(name=shown_name(waiter.behind))
    if waiter.state == "deferred" and waiter.next_try is not None:
        return page.again.format(time=language.moment(seconds(waiter.next_try), now))
    return language.states.get(waiter.state, shown_text(waiter.text))


def _delivered(sources: Sources, language: Language, now: float) -> tuple[Delivery, ...]:
    """Return the last deliveries: this program's own, and then those of the time before it started."""
    standing = sources.standing
    found = [(seconds(sent.at), sent.order_id, sent.name) for sent in standing.recent]
    for filing in sources.earlier:
        order = order_of(filing, sources.naming)
        if filing.name is not None and filing.changed < seconds(standing.started_at):
            found.append((filing.changed, order, filing.name))
    return tuple(
        Delivery(at=_moment(at, language, now), order=shown_name(order or "-"), name=shown_name(name))
        for at, order, name in found[:MOST_DELIVERED]
    )
