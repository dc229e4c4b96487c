"""Why a file has not been uploaded yet, or what became of it, in plain sentences, the most important one first.

The running program is asked, and the file itself is looked at; what lies in done or failed is told from its receipt.
Guarantees: nothing is changed; what may not be seen is said. Sentences hold text from outside: whoever shows them
escapes them. Raises nothing for any state of folders and program.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from invoice_watcher.archive import filing
from invoice_watcher.errors import ExitStatus, FolderError
from invoice_watcher.escaping import encodable
from invoice_watcher.inquiry.backlog import note_of
from invoice_watcher.inquiry.examination import examine
from invoice_watcher.inquiry.whereabouts import Place, closed, whereabouts
from invoice_watcher.inquiry.word import Word, advice_for, word_of
from invoice_watcher.moments import moment, seconds, span
from invoice_watcher.receipt import SUFFIX
from invoice_watcher.spool.names import original_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from invoice_watcher.archive import Filing
    from invoice_watcher.config import Config
    from invoice_watcher.receipt import Error
    from invoice_watcher.standing import Paused, Waiter

MOST_PLACES = 10
_SOON = 120.0  # seconds; what is further off is told by the clock, too
_ROOMS = {
    "drop": "in the drop folder",
    "work": "claimed, in the work folder",
    "failed": "in the failed folder",
    "done": "in the done folder",
    "elsewhere": "elsewhere",
}


class Explanation(NamedTuple):
    """What there is to say of one place.

    Attributes:
        what: the file's path, and what that means; or what was asked for, when it lies nowhere; or how many more
            places there are.
        sentences: why it is so.
        status: 0 it could be explained; 1 it is nowhere; 75 the running program was asked and did not answer.
    """

    what: str
    sentences: tuple[str, ...]
    status: ExitStatus


def explain(config: Config, config_path: Path, asked: str) -> Iterator[Explanation]:
    """Explain everything that is meant by it, but no more than 10 places.

    Args:
        config: whose folders are looked at.
        config_path: where it was read.
        asked: a path, a name, or the id of an order.
    """
    places = whereabouts(config, asked)
    if not places:
        yield _nowhere(config, config_path, asked)
    word: Word | None = None
    for place in places[:MOST_PLACES]:
        what = f"{place.path}, {_ROOMS[place.room]}"
        if place.room not in {"drop", "work"}:
            yield Explanation(what, tuple(_of_filed(place, config)), ExitStatus.OK)
            continue
        if word is None or word.answer:  # else it need not be asked again
            name = original_name(place.name) if place.room == "work" else place.name
            word = word_of(config.drop_dir, encodable(name))
        service = tuple(_of_service(word, config_path))
        reasons = _of_dropped if place.room == "drop" else _of_claimed
        yield Explanation(what, tuple(reasons(place, config, word, service)), _status(word))
    if (more := len(places) - MOST_PLACES) > 0:
        yield Explanation(f"and {more} more", (), ExitStatus.OK)


def _status(word: Word) -> ExitStatus:
    is_mute = word.state == "hanging" or (word.answer is not None and word.answer.busy)
    return ExitStatus.WAITING if is_mute else ExitStatus.OK


def _nowhere(config: Config, config_path: Path, asked: str) -> Explanation:
    """Say that it is nowhere; unless the program knows of it, in a folder into which this user may not look."""
    word = word_of(config.drop_dir, encodable(asked.rpartition("/")[2]))
    if word.answer and word.answer.file:
        sentences = (*_of_waiter(word.answer.file), *_of_service(word, config_path))
        return Explanation(f"{asked}, {_ROOMS[word.answer.file.folder]}", sentences, _status(word))
    shut = [f"{path} may not be searched by this user; it may lie there." for path in closed(config)]
    text = f"There is no such file in {config.drop_dir}, nor was one of that name or order delivered or rejected."
    if shut:  # then the half of that is not known
        text = "No such file was found."
    return Explanation(asked, (text, *shut), _status(word) or ExitStatus.FAILED)


def _of_dropped(place: Place, config: Config, word: Word, service: tuple[str, ...]) -> Iterator[str]:
    found = examine(place.path, config)
    yield from found.left_alone
    if found.left_alone:
        return
    waiter = word.answer.file if word.answer else None
    if waiter and waiter.folder != "drop":
        yield f"It waits behind an earlier file of the same name, which {waiter.text}."
    said = tuple(_of_waiter(waiter)) if waiter and waiter.folder == "drop" else ()
    # What was seen here as well is said here, in more words.
    yield from (one for one in said if not any(seen.startswith(one[:-1]) for seen in found.obstacles))
    yield from found.obstacles
    if not waiter and not found.obstacles:
        yield "Nothing about the file itself keeps it from being sent."
        yield from ["The service has not come to look at it yet."] if word.state == "flowing" else []
    yield from service
    yield from found.facts


def _of_claimed(place: Place, config: Config, word: Word, service: tuple[str, ...]) -> Iterator[str]:
    waiter = word.answer.file if word.answer else None
    if waiter and waiter.folder == "work":
        yield from _of_waiter(waiter)
    else:
        yield from _of_note(place, config)
    yield from service


def _of_note(place: Place, config: Config) -> Iterator[str]:
    """Say how a claimed document stands by its note, for there is no program that could say more."""
    note = note_of(config, place.name)
    if note is None:
        yield "It was about to be sent when the service stopped, and is sent (again) as soon as it runs."
    elif note.state != "waiting":
        yield f"What became of it is decided ({note.state}), and it is put there as soon as the service runs."
    else:
        yield "It is sent again as soon as the service runs."
        yield from _of_attempts(note.attempts, note.error)
        if note.in_doubt:
            yield "An earlier attempt may have reached the API without an answer."


def _of_waiter(waiter: Waiter) -> Iterator[str]:
    """Say how a file stands by the program's own word."""
    due = f": {_in(waiter.next_try)}" if waiter.next_try and waiter.state != "settling" else ""
    yield f"It {waiter.text}{due}."
    yield from _of_attempts(waiter.attempts, waiter.problem)


def _of_attempts(attempts: int, problem: Error | None) -> Iterator[str]:
    if problem is None:
        return
    code = f" (code {problem.code})" if problem.code is not None else ""
    times = "once" if attempts == 1 else f"{attempts} times"
    yield f"It was tried {times}, and the last attempt came to: {problem.message}{code}."


def _of_service(word: Word, config_path: Path) -> Iterator[str]:
    """Say what keeps everything from being sent."""
    if word.state == "stopped":
        yield f"The service does not run, so nothing is taken; {advice_for('stopped', config_path)}"
    elif word.trouble:
        yield f"Of the service: {word.trouble}; {advice_for(word.state, config_path)}."
    elif word.answer and word.answer.busy:
        yield "The service did not come to say what it knows of this file: it is busy. Ask again in a moment."
    if word.answer and (pause := word.answer.standing.pause):
        yield from _of_pause(pause)


def _of_pause(pause: Paused) -> Iterator[str]:
    since = moment(seconds(pause.since), time.time())
    yield f"Nothing is sent since {since}: {pause.message}. {pause.cure}"
    yield f"One file is tried {_in(pause.next_try)}." if pause.next_try else "One file is being tried now."


def _in(when: str) -> str:
    at, now = seconds(when), time.time()
    return f"in {span(at - now)}" + (f", at {moment(at, now)}" if at - now > _SOON else "")


def _of_filed(place: Place, config: Config) -> Iterator[str]:
    if place.room == "elsewhere":
        yield f"It lies in none of the service's folders: to have it sent, drop it into {config.drop_dir}."
        return
    try:
        found = filing(place.folder, place.name)
    except FolderError as error:
        yield f"It cannot be looked at: {error}."
        return
    document = place.name.removesuffix(SUFFIX)
    if found is None and document != place.name:
        yield f"It is the receipt of {document}."
        found = filing(place.folder, document)
    yield from _of_filing(found, place.room) if found else ["It is no regular file, and none of the service's."]


def _of_filing(found: Filing, room: str) -> Iterator[str]:
    receipt, now = found.receipt, time.time()
    verb = "delivered" if room == "done" else "rejected"
    if receipt is None:
        yield f"It was {verb}, or put there by somebody, {span(now - found.changed)} ago at the latest."
        yield f"No more is known, for {found.fault or 'it has no receipt'}."
        return
    at = moment(seconds(receipt.finished_at or ""), now)
    order = f" for order {receipt.order_id}" if receipt.order_id else ""
    how = f"by attempt {receipt.attempts}" if receipt.attempts else "before anything was sent"
    yield f"It was {verb}{order} at {at}, {how}."
    if receipt.error:
        code = f" (code {receipt.error.code})" if receipt.error.code is not None else ""
        yield f"Because: {receipt.error.message}{code}. {receipt.error.hint}"
    if found.name is None:
        yield "The document itself was taken away since then; its receipt is still there."
    elif receipt.size != found.size:
        yield "The document was changed since then: it has another size than what was sent."
