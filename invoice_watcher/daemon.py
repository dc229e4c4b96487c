"""The loop: recover, look, send, file away; wait for a hint, a report, a question, a deadline, or a signal.

Everything that is decided happens in the one thread that runs `Daemon.run`; workers only make attempts, and they, the
watch, the signals and the control socket only post a message. Guarantees: a run ends within the grace period and some
seconds, with every document in one of the four folders, and each report of its workers taken. Raises FolderError and
FolderInUseError where the folders cannot be had at the start, FolderError when they are not what they were; and what a
worker raises, which is a bug.
"""

from __future__ import annotations

import logging
import random
import time
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from invoice_watcher import affinity, signals
from invoice_watcher.audience import Audience
from invoice_watcher.backoff import RetryRules
from invoice_watcher.census import Census
from invoice_watcher.complaints import Complaints
from invoice_watcher.control import Question
from invoice_watcher.delivery import Delivery
from invoice_watcher.ending import Attempted, Filed, Fit, NotReady, Report, Waiting
from invoice_watcher.errors import FolderError
from invoice_watcher.heartbeat import Heartbeat
from invoice_watcher.journey import attempt_of, completed_attempt, log_completed, log_pause, log_report, log_suspect
from invoice_watcher.lookout import Lookout
from invoice_watcher.mailbox import Mailbox, Signal
from invoice_watcher.naming import naming_of
from invoice_watcher.once import Once, Result
from invoice_watcher.outcome import Delivered
from invoice_watcher.queue import Queue
from invoice_watcher.resumption import resumed
from invoice_watcher.settling import Unready
from invoice_watcher.spool import Completed, Folders, Spool
from invoice_watcher.tally import Tally
from invoice_watcher.uploader import Uploader
from invoice_watcher.validation import Limits
from invoice_watcher.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from invoice_watcher.config import Config, Secret
    from invoice_watcher.schedule import Task
    from invoice_watcher.service import Supervisor

_AFTER_GRACE = 10.0

_log = logging.getLogger(__name__)


Posted: TypeAlias = Attempted | Question


class End(Enum):
    """How a run ended: it was asked to stop, or had nothing more to do; or another configuration is to follow it."""

    STOPPED = "stopped"
    RELOAD = "reload"


class Daemon:
    """One configuration at work on one set of folders."""

    def __init__(  # noqa: PLR0913 - it joins these parts and has none of its own
        self,
        config: Config,
        api_code: Secret,
        mailbox: Mailbox[Posted],
        supervisor: Supervisor,
        *,
        audience: Audience | None = None,
        create: bool = True,
        kept: Mapping[str, Task] | None = None,
        tally: Tally | None = None,
    ) -> None:
        """Open and lock the folders, and start the threads.

        Args:
            config: what to do.
            api_code: the secret.
            mailbox: where signals, hints, reports and questions arrive.
            supervisor: the service manager, which is told how things stand.
            audience: who hears how things stand, and of every attempt.
            create: make missing folders.
            kept: what the run before had in its `kept`, on these same folders.
            tally: what was filed in the runs before, to go on with.
        """
        self._config, self._mailbox, self._supervisor = config, mailbox, supervisor
        self._naming = naming_of(config)
        folders = Folders(config.drop_dir, config.done_dir, config.failed_dir, config.work_dir, create=create)
        self._spool = Spool(folders, largest=config.max_size, receipts=config.receipts, layout=config.done_layout)
        self._complaints = Complaints(2 * config.settle.rescan_for(polling=True))
        self._lookout = Lookout(
            self._spool, folders.drop.path, config.settle, self._naming, self._complaints, on_hint=mailbox.hint
        )
        rules = RetryRules(config.retry.initial, config.retry.max, config.retry.max_attempts)
        self._queue = Queue(rules, config.api.workers, config.max_size)
        self._uploader = Uploader(config.api, api_code)
        self._delivery = Delivery(self._spool, self._uploader, Limits.of(config), mailbox.place_freed)
        self._workers = Workers(self._queue.most_under_way, self._attempt, self._post)
        self._audience = audience or Audience()
        self._heartbeat = Heartbeat(supervisor)
        self._kept = kept or {}
        self._once = Once(self._queue, self._lookout, config.settle.incomplete_after)
        self._tally = tally or Tally()
        self._census = Census(config.drop_dir, self._queue, self._lookout, self._tally)
        self.was_ready = self.is_over = self._is_stopping = self._reload_again = False

    def run(self, *, once: bool = False, reload: Callable[[], bool] = lambda: False) -> End:
        """Work until a signal says otherwise; then wind down and let go of everything (`is_over` tells whether).

        Args:
            once: end when nothing more can be done now.
            reload: called on SIGHUP; True to end this run, for another configuration is ready.
        """
        try:
            end = self._work(once=once, reload=reload)
            self._wind_down()  # after a FolderError too: through the folders that were opened
        finally:
            self._close()
        if self._is_stopping:
            self._audience.tell_now(self._census.standing(is_over=True))
            return End.STOPPED
        if isinstance(end, FolderError):
            raise end
        return end

    @property
    def kept(self) -> dict[str, Task]:
        """What was decided of and could not be filed yet, by its name in the work folder."""
        return {**self._kept, **{task.work_name: task for task in self._queue.schedule.claimed() if task.decision}}

    @property
    def result(self) -> Result:
        """What it came to so far, all runs with the same tally included."""
        return Result(self._tally.delivered, self._tally.rejected, self._census.waiting, self._is_stopping)

    def _work(self, *, once: bool, reload: Callable[[], bool]) -> End | FolderError:
        try:
            self._recover()
            if not once:
                self._lookout.start()
            return self._loop(once=once, reload=reload)
        except FolderError as error:
            return error

    def _loop(self, *, once: bool, reload: Callable[[], bool]) -> End:
        while True:
            now = time.monotonic()
            if now >= self._lookout.due_at(busy=self._is_busy()):
                self._lookout.look(self._queue.schedule, busy=self._is_busy())
            self._start_what_may(now)
            if not self.was_ready:
                self._supervisor.ready()
                _log.info("ready: watching %s", self._config.drop_dir)
                self.was_ready = True
            if once and self._once.is_done():
                self._supervisor.stopping()
                return End.STOPPED
            self._audience.tell(now, self._census.changing(), self._census.standing)
            if now >= self._heartbeat.due:
                self._heartbeat.beat(now, self._expected())
            message = self._mailbox.next(self._patience())
            if message is Signal.STOP:
                self._stop()
                return End.STOPPED
            if message is Signal.RELOAD and reload():
                return End.RELOAD
            self._take(message)

    def _attempt(self, task: Task) -> Report:
        with affinity.spread(task.signature.size if task.signature else affinity.LARGE):
            return self._delivery.attempt(task, hold_wrong_api_code=self._queue.may_hold)

    def _post(self, task: Task, report: Report | BaseException) -> None:
        self._mailbox.post(Attempted(task, report))

    def _start_what_may(self, now: float) -> None:
        """Begin what may begin; nothing, once somebody has asked for a stop."""
        while not (self._queue.is_full or self._mailbox.holds_stop or signals.is_stop_sent()):
            if (task := self._queue.next(now, expects_more=self._lookout.expects_more())) is None:
                return
            self._workers.give(task)

    def _take(self, message: Signal | Posted | None) -> None:
        match message:
            case Signal.HINT:
                self._lookout.hinted()
            case Question(name=name):
                message.answer(self._census.standing(), self._census.waiter(name) if name else None)
            case Attempted(task, report):
                if isinstance(report, BaseException):
                    self._queue.schedule.finished(task)
                    raise report
                self._take_report(task, report)

    def _take_report(self, task: Task, report: Report) -> None:
        before = self._queue.pause
        self._queue.report(task, report, time.monotonic(), random.random())  # noqa: S311 - jitter
        if isinstance(report, NotReady) and task.claimed:
            self._complaints.about(task.invoice.name, report.unready.reason, time.monotonic())
        elif isinstance(report, NotReady):
            self._lookout.not_ready(task, report.unready)
        elif isinstance(report, Waiting) and not task.claimed:
            self._lookout.not_ready(task, Unready(f"has to wait: {report.outcome.problem.message}"))
        elif isinstance(report, Filed):
            self._complaints.over(task.invoice.name)
            self._tally.count(task.invoice, report.name, delivered=isinstance(report.outcome, Delivered))
        if not isinstance(report, NotReady | Fit):
            self._once.moved()
        log_report(task, report)
        log_pause(before, self._queue.pause)
        if self._audience.attempts and (attempt := attempt_of(task, report, self._census.waiting)):
            self._audience.attempted(attempt)

    def _is_busy(self) -> bool:
        return self._queue.schedule.ready > self._config.api.workers * 2

    def _patience(self) -> float:
        """Seconds until something is due by itself."""
        due = min(self._lookout.due_at(busy=self._is_busy()), self._audience.due, self._heartbeat.due)
        if (wake := self._queue.wake_at()) is not None:
            due = min(due, wake)
        return max(0.0, due - time.monotonic())

    def _expected(self) -> dict[str, float | None]:
        """When each part should have moved, for the service manager's watchdog."""
        given_at, deadline = self._workers.oldest, 1.1 * self._config.api.deadline  # see `deadlines`
        return {
            "the scan of the drop folder": self._lookout.due_at(busy=self._is_busy()),
            "the wait for the next file's turn": None if self._mailbox.holds_stop else self._queue.wake_at(),
            "an attempt to deliver": None if given_at is None else given_at + deadline,
        }

    def _recover(self) -> None:
        """Take up what an earlier run left in the work folder."""
        for found in self._spool.recover():
            if isinstance(found, Completed):
                self._take_completed(found)
            elif (task := self._kept.get(found.work_name)) is not None:
                self._queue.resume(task, died=False)
            else:
                task = resumed(found, self._naming, self._spool.filed_for)
                self._queue.resume(task, died=found.died)
                if found.died:
                    log_suspect(task)
        self._kept = {}

    def _take_completed(self, found: Completed) -> None:
        """Count and tell what an earlier run decided and did not come to file: nobody else has heard of it."""
        invoice = self._naming.read(found.name, found.receipt.order_id)
        self._tally.count(invoice, found.name, delivered=found.receipt.state == "done")
        log_completed(found)
        self._audience.attempted(completed_attempt(found))

    def _wind_down(self) -> None:
        """Start nothing new; let what is under way end by itself, then end it."""
        self._lookout.stop()
        if under_way := self._queue.schedule.under_way:
            _log.info("ending; uploads under way, which may finish: %d", under_way)
        if not self._drain(signals.GRACE):
            _log.warning("breaking off what did not end by itself: %d", self._queue.schedule.under_way)
            self._uploader.stop()
            self._drain(_AFTER_GRACE)

    def _stop(self) -> None:
        self._is_stopping = True
        self._supervisor.stopping()

    def _drain(self, patience: float) -> bool:
        """Take reports until nothing is under way; False when patience ran out, or a second stop came."""
        end = time.monotonic() + patience
        while self._queue.schedule.under_way:
            now = time.monotonic()
            self._heartbeat.beat(now, {})  # all of this has its end
            message = self._mailbox.next(max(0.0, min(end, self._heartbeat.due) - now))
            if (message is None and now >= end) or (message is Signal.STOP and self._is_stopping):
                return False
            if message is Signal.STOP:
                self._stop()
            self._reload_again |= message is Signal.RELOAD
            with suppress(FolderError):
                self._take(message)
        return True

    def _close(self) -> None:
        self._lookout.stop()
        self._uploader.stop()
        self.is_over = self._workers.stop(patience=1.0)
        if self.is_over:  # a descriptor that a thread still uses must not be given to another file
            self._drain(0.0)  # what was reported since: the next run does not know these tasks
            self._uploader.close()
            self._spool.close()
        if self._reload_again:
            self._mailbox.post(Signal.RELOAD)
