"""OpenTelemetry traces: a span for every call, and one for every MongoDB command within a call.

Needs the extra `otel`. The standard variables, such as OTEL_EXPORTER_OTLP_ENDPOINT, configure the
exporter. Names and attributes of spans follow the semantic conventions for RPC.
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

from inventory_job.observability.call_log import CallRecord, Metadata

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
    """Skips commands outside of calls, such as the change stream's: each would be its own trace."""

    def started(self, event: Any) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            super().started(event)


def _name_failure(span: Span, event: Any) -> None:
    """Sets only the error's code name as status: MongoDB's message may quote query values."""
    span.set_status(Status(StatusCode.ERROR, str(event.failure.get("codeName", "failed"))))


class OpenTelemetryTracing:
    """Creates spans, which `provider` exports."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("inventory_job")

    def command_listener(self) -> Any:
        """A pymongo command listener that creates a span for every command of a call. The span
        does not hold the command's contents."""
        return _CallsCommandTracer(self._tracer, failed_hook=_name_failure)

    @contextmanager
    def server_span(self, method: str, metadata: Metadata, record: CallRecord) -> Iterator[None]:
        """Creates the span of a call; `method` is its full name. The span continues the caller's
        trace, if there is one (W3C trace context). Log entries of the call hold both ids."""
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
        """Exports the remaining spans, for `_CLOSE_SECONDS` at most."""
        # Without a collector, shutdown would block for the whole timeout of an export.
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)


def exporting_provider(version: str) -> TracerProvider:
    """A provider that exports spans in batches to an OpenTelemetry collector (OTLP over gRPC).
    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override the service name and `version`."""
    named = Resource.create({"service.name": "inventory-job", "service.version": version})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
