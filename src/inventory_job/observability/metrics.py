"""The metrics that Prometheus scrapes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    make_asgi_app,
)
from prometheus_client.registry import Collector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """The metrics of one process. Names begin with `inventory_job_`, except those of the process
    metrics (`process_…`), which are the same in every Prometheus client. `kept_elsewhere` is a
    collector of further metrics, read at each scrape."""

    def __init__(self, kept_elsewhere: Collector | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        calls = Counter(
            "inventory_job_calls",
            "Calls answered, by full method name, status code and transport (grpc or http).",
            ["method", "code", "transport"],
            registry=self._registry,
        )
        call_seconds = Histogram(
            "inventory_job_call_duration_seconds",
            "Seconds from the arrival of the message (over HTTP of the headers) to the response.",
            ["method", "transport"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        database_seconds = Histogram(
            "inventory_job_database_duration_seconds",
            "Seconds that the database work of a call took, by operation (get, list, …).",
            ["operation"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        if kept_elsewhere is not None:
            self._registry.register(kept_elsewhere)
        ProcessCollector(registry=self._registry)
        # Cached, as looking up a metric by its labels costs more than incrementing it.
        self._count_of = lru_cache(1000)(calls.labels)
        self._call_seconds_of = lru_cache(1000)(call_seconds.labels)
        self._database_seconds_of = lru_cache(100)(database_seconds.labels)

    def count_call(self, method: str, code: str, transport: str, seconds: float) -> None:
        """Counts a finished call and observes its duration."""
        self._count_of(method, code, transport).inc()
        self._call_seconds_of(method, transport).observe(seconds)

    def count_query(self, operation: str, seconds: float) -> None:
        """Observes the duration of the database work of a call."""
        self._database_seconds_of(operation).observe(seconds)

    def app(self) -> Any:
        """The ASGI application that answers a scrape."""
        return make_asgi_app(self._registry)
