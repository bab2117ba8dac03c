"""What the server tells a Prometheus about itself.

With several workers (PROMETHEUS_MULTIPROC_DIR is set by their supervisor) each keeps its figures in
files, and whichever is asked answers for all.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    make_asgi_app,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Counted:
    """A number that only grows, kept elsewhere: its name without `_total`, what it is, where."""

    name: str
    help: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Level:
    """A number that goes up and down, kept elsewhere; `of_workers` is what becomes of those of
    several workers."""

    name: str
    help: str
    read: Callable[[], float]
    of_workers: Literal["livesum", "livemin"] = "livesum"


class Metrics:
    """The metrics of one process. All names begin with `inventory_job_`, but those of the process
    itself, which have the names that every Prometheus client gives them.

    `sources` are read once a second, since files cannot ask. What calls tell is counted then, too,
    or when somebody asks: many at once take a fraction of the time of one by one.
    """

    def __init__(self, sources: tuple[Counted | Level, ...] = ()) -> None:
        # Files have none of them, and names are to be the same with one process and several.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._is_shared = MULTIPROCESS_VARIABLE in os.environ
        self._calls = Counter(
            "inventory_job_calls",
            "Calls answered, by full method name, status code and transport (grpc or http).",
            ["method", "code", "transport"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "inventory_job_call_duration_seconds",
            "Seconds that a call took, from its headers to its answer.",
            ["method", "transport"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._database_seconds = Histogram(
            "inventory_job_database_duration_seconds",
            "Seconds that the database work of a call took, by operation (get, list, …).",
            ["operation"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._calls_told: deque[tuple[str, str, str, float]] = deque()
        self._work_told: deque[tuple[str, float]] = deque()
        self._counting = threading.Lock()
        self._samples = [self._count, *map(self._sampled, sources)]
        process = ProcessCollector(registry=None if self._is_shared else self.registry)
        if self._is_shared:
            figures = _ProcessFigures(process)
            self._samples += [figures.read, *map(self._sampled, figures.sources)]
        self._log = structlog.get_logger(__name__)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_sampling, name="metrics", daemon=True)
        # Looking up a metric by its labels costs more than counting.
        self._count_of = lru_cache(1000)(self._calls.labels)
        self._call_seconds_of = lru_cache(1000)(self._call_seconds.labels)
        self._database_seconds_of = lru_cache(100)(self._database_seconds.labels)

    def start(self) -> None:
        """Begins to read the sources."""
        self._thread.start()

    def close(self) -> None:
        """Reads them a last time."""
        self._stopping.set()
        self._thread.join()

    def called(self, method: str, code: str, transport: str, seconds: float) -> None:
        """Counts a call that is over."""
        self._calls_told.append((method, code, transport, seconds))

    def asked(self, operation: str, seconds: float) -> None:
        """Counts the time that the database work of a call took."""
        self._work_told.append((operation, seconds))

    def app(self) -> Any:
        """The ASGI application that answers a scrape, for all workers."""
        scraped = make_asgi_app(self._answering())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self._count()
            await scraped(scope, receive, send)

        return app

    def text(self) -> str:
        """What a scrape is answered."""
        self._count()
        return generate_latest(self._answering()).decode()

    def _answering(self) -> CollectorRegistry:
        if not self._is_shared:
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry

    def _count(self) -> None:
        """Counts what was told so far."""
        with self._counting:
            for _ in range(len(self._calls_told)):
                method, code, transport, seconds = self._calls_told.popleft()
                self._count_of(method, code, transport).inc()
                self._call_seconds_of(method, transport).observe(seconds)
            for _ in range(len(self._work_told)):
                operation, seconds = self._work_told.popleft()
                self._database_seconds_of(operation).observe(seconds)

    def _sampled(self, source: Counted | Level) -> Callable[[], None]:
        if isinstance(source, Level):
            gauge = Gauge(
                source.name,
                source.help,
                multiprocess_mode=source.of_workers,
                registry=self.registry,
            )
            return lambda: gauge.set(source.read())
        counter = Counter(source.name, source.help, registry=self.registry)
        seen = 0.0

        def count() -> None:
            nonlocal seen
            now = source.read()
            counter.inc(now - seen)
            seen = now

        return count

    def _keep_sampling(self) -> None:
        self._sample()
        while not self._stopping.wait(_SAMPLE_SECONDS):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        for sample in self._samples:
            try:
                sample()
            except Exception as error:  # noqa: BLE001  the others go on, and so does what is told
                self._log.warning("metric not read", error=type(error).__name__)


class _ProcessFigures:
    """What a ProcessCollector tells of this process, as sources: several cannot share one."""

    def __init__(self, collector: ProcessCollector) -> None:
        self._collector = collector
        self._values: dict[str, float] = {}
        self.sources = tuple(map(self._source, collector.collect()))
        """Of the values last read."""

    def read(self) -> None:
        """Reads all values."""
        self._values |= {
            sample.name: sample.value
            for family in self._collector.collect()
            for sample in family.samples
        }

    def _source(self, family: Metric) -> Counted | Level:
        [name] = [sample.name for sample in family.samples]
        if family.type == "counter":
            return Counted(family.name, family.documentation, partial(self._value, name))
        first = name == "process_start_time_seconds"
        return Level(
            name,
            family.documentation,
            partial(self._value, name),
            of_workers="livemin" if first else "livesum",
        )

    def _value(self, name: str) -> float:
        return self._values.get(name, 0.0)
