"""What the server tells a Prometheus about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    make_asgi_app,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class Counted:
    """A number that only grows, kept elsewhere: its name without `_total`, what it is, where."""

    name: str
    help: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Level:
    """A number that goes up and down, kept elsewhere."""

    name: str
    help: str
    read: Callable[[], float]


class Metrics:
    """The metrics of one process. All names begin with `inventory_job_`, but those of the process
    itself, which have the names that every Prometheus client gives them. `sources` are read when
    a scrape comes."""

    def __init__(self, sources: Iterable[Counted | Level] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        calls = Counter(
            "inventory_job_calls",
            "Calls answered, by full method name, status code and transport (grpc or http).",
            ["method", "code", "transport"],
            registry=self.registry,
        )
        call_seconds = Histogram(
            "inventory_job_call_duration_seconds",
            "Seconds that a call took, from its headers to its answer.",
            ["method", "transport"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        database_seconds = Histogram(
            "inventory_job_database_duration_seconds",
            "Seconds that the database work of a call took, by operation (get, list, …).",
            ["operation"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Sources(tuple(sources)))
        ProcessCollector(registry=self.registry)
        # Looking up a metric by its labels costs more than counting.
        self._count_of = lru_cache(1000)(calls.labels)
        self._call_seconds_of = lru_cache(1000)(call_seconds.labels)
        self._database_seconds_of = lru_cache(100)(database_seconds.labels)

    def count_call(self, method: str, code: str, transport: str, seconds: float) -> None:
        """Counts a call that is over."""
        self._count_of(method, code, transport).inc()
        self._call_seconds_of(method, transport).observe(seconds)

    def count_query(self, operation: str, seconds: float) -> None:
        """Counts the time that the database work of a call took."""
        self._database_seconds_of(operation).observe(seconds)

    def app(self) -> Any:
        """The ASGI application that answers a scrape."""
        return make_asgi_app(self.registry)

    def text(self) -> str:
        """What a scrape is answered."""
        return generate_latest(self.registry).decode()


class _Sources(Collector):
    """Reads the sources at each scrape."""

    def __init__(self, sources: tuple[Counted | Level, ...]) -> None:
        self._sources = sources
        self._log = structlog.get_logger(__name__)

    def collect(self) -> Iterator[Metric]:
        """The values now; a source that fails is logged, and the others are there."""
        for source in self._sources:
            try:
                value = float(source.read())
            except Exception as error:  # noqa: BLE001  the others are still wanted
                self._log.warning("metric not read", name=source.name, error=type(error).__name__)
                continue
            if isinstance(source, Counted):
                yield CounterMetricFamily(source.name, source.help, value)
            else:
                yield GaugeMetricFamily(source.name, source.help, value)
