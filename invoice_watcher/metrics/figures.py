"""The figures themselves, by the names on which dashboards and alerts rely.

Counters and the histogram are of this process, and survive a reload. Every label value exists from the start, at 0, so
that `rate()` sees the first increase; no label ever holds what came from outside. A gauge whose value is not known (the
folders are away, or were not looked at yet) has no sample: none is better than a false one. Guarantees: counting takes
microseconds and never raises, and may happen in another thread than asking. The only module that knows
prometheus-client.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from invoice_watcher import __version__
from invoice_watcher.audience import Result
from invoice_watcher.moments import seconds
from invoice_watcher.outcome import API_CODES, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from invoice_watcher.audience import Attempt
    from invoice_watcher.standing import Standing

OTHER = "other"  # an error code that the API document does not name
# From a small invoice in the same building to the longest that an attempt may take by default.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)


class Figures:
    """All figures of one process.

    Attributes:
        standing: how things stand, as far as that was told.
        failed: how many documents lie in the failed folder; None when that is not known.
        last_delivery: seconds since the epoch; 0 when there was never one, None when that is not known.
    """

    def __init__(self) -> None:
        """Begin at 0."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for each, which nobody asks for
        self.standing: Standing | None = None
        self.failed: int | None = None
        self.last_delivery: float | None = None
        self._registry = CollectorRegistry()
        self._machine = CollectorRegistry()
        self._machine.register(_Footprint(self))
        self._make_counters(self._registry)
        self._registry.register(_Gauges(self))

    def count(self, attempt: Attempt) -> None:
        """Count what came of one attempt."""
        if attempt.filed is not None:
            self._invoices.labels(attempt.filed).inc()
        if attempt.filed == "delivered":
            self.last_delivery = time.time()
        if attempt.result is None:
            return
        self._attempts.labels(attempt.result).inc()
        if attempt.problem is not None and attempt.problem.source is Source.API:
            code = attempt.problem.code
            self._errors.labels(str(code) if code in API_CODES else OTHER).inc()
        if attempt.seconds is not None:
            self._seconds.observe(attempt.seconds)

    def text(self, *, machine: bool) -> bytes:
        """Return all of them as Prometheus reads them.

        Args:
            machine: with the processor time, memory and open files of this process; not for node_exporter, which has
                figures of these names itself.
        """
        return generate_latest(self._registry) + (generate_latest(self._machine) if machine else b"")

    def _make_counters(self, registry: CollectorRegistry) -> None:
        self._invoices = Counter(
            "invoice_watcher_invoices",
            "Invoices filed since the program started, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._attempts = Counter(
            "invoice_watcher_attempts", "Uploads, by what came of them.", ["result"], registry=registry
        )
        self._errors = Counter(
            "invoice_watcher_api_errors",
            "Errors that the API answered, by its own code.",
            ["code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "invoice_watcher_upload_seconds",
            "How long uploads took, those that failed included.",
            registry=registry,
            buckets=BUCKETS,
        )
        Info("invoice_watcher_build", "The program's version.", registry=registry).info({"version": __version__})
        for outcome in ("delivered", "rejected"):
            self._invoices.labels(outcome)
        for result in get_args(Result):
            self._attempts.labels(result)
        for code in (*API_CODES, OTHER):
            self._errors.labels(str(code))


class _Gauges(Collector):
    """What is not counted but asked for: made anew each time, so that an age is always that of now."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield each, without a sample where its value is not known."""
        figures, standing = self._figures, self._figures.standing
        away = None if standing is None else bool(standing.trouble)
        seen = None if away else standing
        yield _gauge(
            "invoice_watcher_waiting_files",
            "Files that wait, those being sent included.",
            seen.waiting if seen else None,
        )
        yield _gauge(
            "invoice_watcher_oldest_waiting_seconds",
            "How long the file has waited that waits longest; 0 when none does.",
            _age(seen.oldest) if seen else None,
        )
        yield _gauge(
            "invoice_watcher_paused", "1 while the queue is paused, else 0.", seen.pause is not None if seen else None
        )
        yield _gauge(
            "invoice_watcher_folders_away", "1 while the program waits for its folders to come back, else 0.", away
        )
        yield _gauge(
            "invoice_watcher_failed_files", "Documents in the failed folder, for a person to look at.", figures.failed
        )
        yield _gauge(
            "invoice_watcher_last_delivery_timestamp_seconds",
            "When an invoice was last delivered, in seconds since the epoch; 0 for never.",
            figures.last_delivery,
        )


class _Footprint(Collector):
    """Figures of this process, by the names that Prometheus' own libraries give them.

    prometheus-client's collector shows none in the shipped unit, which hides from it when the machine was booted
    (ProcSubset=pid).
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield each; the start once it was told."""
        yield CounterMetricFamily("process_cpu_seconds", "Processor time used, in seconds.", value=time.process_time())
        if (standing := self._figures.standing) is not None:
            started_at = seconds(standing.started_at)
            yield _gauge("process_start_time_seconds", "When it started, in seconds since the epoch.", started_at)
        with suppress(OSError):
            yield _gauge("process_resident_memory_bytes", "Memory that it holds.", _resident())
        with suppress(OSError):
            yield _gauge(
                "process_open_fds", "Files and connections that it has open.", len(os.listdir("/proc/self/fd"))
            )
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield _gauge("process_max_fds", "How many it may have open.", limit)


def _resident() -> int:
    """Return the bytes of memory that the process holds: the second field of statm, in pages (proc_pid_statm(5))."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=None if value is None else float(value))


def _age(since: str | None) -> float:
    return max(0.0, time.time() - seconds(since)) if since else 0.0
