"""What is noted of every call, however it came: a line in the log, a count and a span; and of its
work in the database: the time, and the shape of what took long."""

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
    # An extra, which need not be installed.
    from inventory_job.observability.tracing import OpenTelemetryTracing

_PROBES = "/grpc."
"""How the full names of methods begin that are called all the time: health and reflection."""

MetadataPairs = tuple[tuple[str, str | bytes], ...]


@dataclass(slots=True)
class CallRecord:
    """How a call ends: `code` is the name of its status."""

    code: str = "OK"


class CallLog:
    """Records calls; `metrics` count them."""

    def __init__(self, metrics: Metrics, tracing: OpenTelemetryTracing | None = None) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._log = structlog.get_logger(__name__)

    @contextmanager
    def record(
        self, method: str, transport: str, metadata: MetadataPairs, request_id: str = ""
    ) -> Iterator[CallRecord]:
        """A call of the full `method` name, from its beginning to its end, in a context of its own.

        The line about it holds the `request_id`, if there is one, and what is bound within
        (structlog's context variables).
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
    """Notes the database work of calls; in the log, of what takes longer than `slow_seconds`,
    which may be 0 for nothing, and at the level debug of all."""

    def __init__(self, metrics: Metrics, slow_seconds: float) -> None:
        self._metrics = metrics
        self._slow_seconds = slow_seconds
        self._log = structlog.get_logger(__name__)

    def observe(self, operation: str, plan: Plan, seconds: float) -> None:
        """One call's work, done or not; within the call. No value of the query is logged."""
        self._metrics.count_query(operation, seconds)
        if 0 < self._slow_seconds < seconds:
            self._log.warning("slow_query", **_entry(operation, plan, seconds))
        elif self._log.is_enabled_for(logging.DEBUG):
            self._log.debug("query", **_entry(operation, plan, seconds))


def _entry(operation: str, plan: Plan, seconds: float) -> dict[str, Any]:
    return {"operation": operation, "seconds": round(seconds, 3), "shape": shape_of(plan)}
