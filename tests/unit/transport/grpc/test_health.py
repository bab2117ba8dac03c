"""What watchers of the health service get at a stop."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from inventory_job.transport.grpc.health import HealthServicer
from tests.support.loops import in_loop

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Aborted(Exception):
    """What a context raises where it aborts a call."""


class Context:
    """Stands for gRPC's, of a client that takes its time: the server stops as the first status is
    being written."""

    def __init__(self, servicer: HealthServicer) -> None:
        self._servicer = servicer
        self.written: list[int] = []

    def write(self, answer: health_pb2.HealthCheckResponse) -> None:
        self.written.append(answer.status)
        self._servicer.stop()

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise Aborted(code, details)


async def watched(servicer: HealthServicer, context: Any) -> None:
    async for answer in servicer.Watch(health_pb2.HealthCheckRequest(), context):
        context.write(answer)


@in_loop
async def test_a_stop_while_a_status_is_written_is_reported_before_the_stream_ends() -> None:
    servicer = HealthServicer("service")
    context = Context(servicer)

    with pytest.raises(Aborted):
        await watched(servicer, context)

    assert context.written == [SERVING, NOT_SERVING]
