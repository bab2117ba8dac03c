"""Records each call, over gRPC or HTTP: a log entry, metrics and a span; and its database work: a
metric of its duration, and a log entry with the shape of a slow query."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from inventory_job.observability.metrics import Metrics
from inventory_job.query.plans import Plan
from inventory_job.query.shape import shape_of

if TYPE_CHECKING:
    # Part of an extra, which may not be installed.
    from inventory_job.observability.tracing import OpenTelemetryTracing

_PROBES = "/grpc."
"""Prefix of the methods of health and reflection, logged at level debug while they succeed."""

Metadata = tuple[tuple[str, str | bytes], ...]
"""The metadata of a call, with keys in lower case."""


@dataclass(slots=True)
class CallRecord:
    """The outcome of a call; `code` is the name of its gRPC status code."""

    code: str = "OK"


class CallLog:
    """Records calls in the log, in `metrics` and, if given, in `tracing`."""

    def __init__(self, metrics: Metrics, tracing: OpenTelemetryTracing | None = None) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._log = structlog.get_logger(__name__)

    @contextmanager
    def record(
        self, method: str, transport: str, metadata: Metadata, request_id: str = ""
    ) -> Iterator[CallRecord]:
        """Records the call made within this context manager; `method` is its full name.

        The log entry holds the `request_id`, if there is one, and structlog's context variables
        bound within. Those stay bound, so each call needs a task or contextvars.Context of its own.
        """
        if request_id:
            structlog.contextvars.bind_contextvars(request_id=request_id)
        begun = time.perf_counter()
        record = CallRecord()
        tracing = self._tracing
        with tracing.server_span(method, metadata, record) if tracing else nullcontext():
            try:
                yield record
            finally:
                seconds = time.perf_counter() - begun
                self._metrics.count_call(method, record.code, transport, seconds)
                is_probe = record.code == "OK" and method.startswith(_PROBES)
                self._log.log(
                    logging.DEBUG if is_probe else logging.INFO,
                    "call",
                    method=method,
                    status=record.code,
                    milliseconds=round(seconds * 1000, 1),
                    transport=transport,
                )


class QueryLog:
    """Records the database work of calls in `metrics` and in the log: a warning if it took longer
    than `slow_seconds` (0 for no warnings), else an entry of level debug."""

    def __init__(self, metrics: Metrics, slow_seconds: float) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_seconds
        self._log = structlog.get_logger(__name__)

    def observe(self, operation: str, plan: Plan, seconds: float) -> None:
        """Records one call's work, finished or not, during the call. Logs no value of the query."""
        self._metrics.count_query(operation, seconds)
        if 0 < self._slow_seconds < seconds:
            self._log.warning("slow_query", **_entry(operation, plan, seconds))
        elif self._log.is_enabled_for(logging.DEBUG):
            self._log.debug("query", **_entry(operation, plan, seconds))


def _entry(operation: str, plan: Plan, seconds: float) -> dict[str, Any]:
    return {"operation": operation, "seconds": round(seconds, 3), "shape": shape_of(plan)}
