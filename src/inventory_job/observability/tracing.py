"""OpenTelemetry traces: a span for every call, and one for every command to MongoDB.

Needs the extra `otel`. Where spans go is said by the standard variables, such as
OTEL_EXPORTER_OTLP_ENDPOINT; names and attributes follow the semantic conventions for RPC.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.pymongo import CommandTracer
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from inventory_job.observability.call_log import CallRecord, MetadataPairs

_CLOSE_SECONDS = 2.0
_FAILURES = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


class _CallsCommandTracer(CommandTracer):
    """As its parent, within calls: others, such as the change stream's, would be a trace each."""

    def started(self, event: Any) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            super().started(event)


def _name_failure(span: Span, event: Any) -> None:
    """Has the failure's name alone: the database's sentence may quote values of the query."""
    span.set_status(Status(StatusCode.ERROR, str(event.failure.get("codeName", "failed"))))


class OpenTelemetryTracing:
    """Makes spans and sends them with `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("inventory_job")

    def command_listener(self) -> Any:
        """A listener for a connection to MongoDB, which makes a span of every command of a call;
        without what the command is about."""
        return _CallsCommandTracer(self._tracer, failed_hook=_name_failure)

    @contextmanager
    def server_span(
        self, method: str, metadata: MetadataPairs, record: CallRecord
    ) -> Iterator[None]:
        """The span of a call of the full `method` name, within the caller's trace if there is one
        (W3C trace context); log lines of the call hold its ids."""
        name = method.lstrip("/")
        service, _, short = name.partition("/")
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        with self._tracer.start_as_current_span(
            name,
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": short},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            context = span.get_span_context()
            structlog.contextvars.bind_contextvars(
                trace_id=f"{context.trace_id:032x}", span_id=f"{context.span_id:016x}"
            )
            try:
                yield
            finally:
                status = grpc.StatusCode[record.code]
                number: int = status.value[0]
                span.set_attribute("rpc.grpc.status_code", number)
                if status in _FAILURES:
                    span.set_status(Status(StatusCode.ERROR, record.code))

    def close(self) -> None:
        """Sends what is left to send, if that is soon done."""
        # Without a collector it would take as long as an export may.
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)


def exporting_provider(version: str) -> TracerProvider:
    """Sends spans in batches to an OpenTelemetry collector (OTLP over gRPC); OTEL_SERVICE_NAME and
    OTEL_RESOURCE_ATTRIBUTES go before what is said here of the service."""
    named = Resource.create({"service.name": "inventory-job", "service.version": version})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
