"""Traces: a span for each call within the caller's trace, and the database's commands within it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from inventory_job.observability import tracing
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.running import server_of

LIST = "spaceone.api.inventory.v1.Job/list"
DOCUMENT = Path(__file__).parents[3] / "docs/operations.md"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
CALLER = (("x_domain_id", "domain-1"), ("traceparent", f"00-{TRACE}-{PARENT}-01"))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where the server's spans go."""
    exporter = InMemorySpanExporter()

    def collecting(version: str) -> TracerProvider:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider

    monkeypatch.setattr(tracing, "exporting_provider", collecting)
    return exporter


@pytest.fixture
def stub(settings: Settings, spans: InMemorySpanExporter) -> Iterator[job_pb2_grpc.JobStub]:
    traced = settings.model_copy(update={"tracing": True})
    with server_of(traced) as server, grpc.insecure_channel(server.address) as channel:
        yield job_pb2_grpc.JobStub(channel)


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    [span] = [span for span in spans.get_finished_spans() if span.name == name]
    return span


def id_of(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def test_a_call_is_a_span_of_its_callers_trace_and_the_log_names_it(
    stub: job_pb2_grpc.JobStub, spans: InMemorySpanExporter
) -> None:
    with capture_logs() as entries:
        stub.list(job_pb2.JobsQuery(), metadata=CALLER, timeout=10)

    span = named(spans, LIST)
    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert id_of(span)[0] == TRACE
    assert dict(span.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "spaceone.api.inventory.v1.Job",
        "rpc.method": "list",
        "rpc.grpc.status_code": 0,
    }
    assert "call" in [entry["event"] for entry in entries]


def test_what_a_call_asks_of_the_database_is_a_span_within_it(
    stub: job_pb2_grpc.JobStub, spans: InMemorySpanExporter
) -> None:
    stub.list(job_pb2.JobsQuery(), metadata=CALLER, timeout=10)

    call = named(spans, LIST)
    within = [
        span
        for span in spans.get_finished_spans()
        if span.kind is SpanKind.CLIENT and id_of(span)[0] == TRACE
    ]
    assert within
    for span in within:
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == id_of(call)[1]


def test_a_callers_mistake_is_no_failure_of_the_span(
    stub: job_pb2_grpc.JobStub, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(grpc.RpcError):
        stub.get(job_pb2.JobRequest(job_id="job-none"), metadata=CALLER, timeout=10)

    span = named(spans, "spaceone.api.inventory.v1.Job/get")
    assert (span.attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert span.status.status_code is StatusCode.UNSET


def await_ready(channel: grpc.Channel) -> None:
    """Waits until the server has had an answer to a ping of its own."""
    request = health_pb2.HealthCheckRequest(service="spaceone.api.inventory.v1.Job")
    stub: Any = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(request, timeout=20)
    next(answer for answer in watch if answer.status == health_pb2.HealthCheckResponse.SERVING)
    watch.cancel()


def test_what_the_server_asks_for_itself_makes_no_spans(
    settings: Settings, spans: InMemorySpanExporter
) -> None:
    traced = settings.model_copy(update={"tracing": True})

    with server_of(traced) as server, grpc.insecure_channel(server.address) as channel:
        await_ready(channel)
        job_pb2_grpc.JobStub(channel).list(job_pb2.JobsQuery(), metadata=CALLER, timeout=10)

    commands = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert commands
    assert all(span.parent is not None for span in commands)


def test_a_command_that_fails_records_its_error_and_not_the_databases_sentence(
    stub: job_pb2_grpc.JobStub, spans: InMemorySpanExporter
) -> None:
    pattern = {"key": "plugin_id", "value": "(", "operator": "regex"}
    request = ParseDict({"query": {"filter": [pattern]}}, job_pb2.JobsQuery())

    with pytest.raises(grpc.RpcError):
        stub.list(request, metadata=CALLER, timeout=10)

    failed = [
        span
        for span in spans.get_finished_spans()
        if span.kind is SpanKind.CLIENT and span.status.status_code is StatusCode.ERROR
    ]
    assert {span.status.description for span in failed} == {"Location51091"}


def test_the_attributes_of_spans_are_documented(
    stub: job_pb2_grpc.JobStub, spans: InMemorySpanExporter
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("<!-- spans: begin -->")[2].partition("<!-- spans: end -->")[0]
    documented = set(re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", table))

    stub.list(job_pb2.JobsQuery(), metadata=CALLER, timeout=10)

    recorded = {name for span in spans.get_finished_spans() for name in span.attributes or ()}
    assert recorded == documented
