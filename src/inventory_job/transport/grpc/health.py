"""Health of the process and of the Job service (grpc.health.v1).

The empty service name stands for the process: SERVING until it stops. The Job service is SERVING
while the database answers, so that traffic goes elsewhere when it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HEALTH_SERVICE = "grpc.health.v1.Health"

# The published type stubs lack List.
_messages: Any = health_pb2

STARTING = "the database has not answered yet"
STOPPING = "the server is stopping"
REASON = "not-serving-reason-bin"
"""The key of trailing metadata of Check with the reason, in UTF-8, why a service is not serving."""


class HealthServicer(health_pb2_grpc.HealthServicer):
    """grpc.health.v1.Health, for one event loop; `service` is NOT_SERVING until `set(None)`.

    It replaces the library's servicer, in which a watcher that does not read blocks all others.
    """

    def __init__(self, service: str) -> None:
        # By service: why it is not serving; None if it is.
        self._unready: dict[str, str | None] = {"": None, service: STARTING}
        self._service = service
        self._changed = asyncio.Event()
        self._is_stopping = False

    def set(self, unready: str | None) -> None:
        """Sets why the service is not serving, None if it is; ignored after `stop`."""
        if not self._is_stopping:
            self._unready[self._service] = unready
            self._notify()

    @property
    def unready(self) -> str | None:
        """Why the service is not serving; None if it is."""
        return self._unready[self._service]

    def stop(self) -> None:
        """Sets all to NOT_SERVING for good; watchers receive that before their streams end."""
        self._is_stopping = True
        self._unready = dict.fromkeys(self._unready, STOPPING)
        self._notify()

    async def Check(  # noqa: N802  as in the proto
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """The status of a service; NOT_FOUND for an unknown one. The trailing metadata `REASON` has
        the reason if it is not serving."""
        if request.service not in self._unready:
            context.set_code(grpc.StatusCode.NOT_FOUND)
        elif reason := self._unready[request.service]:
            context.set_trailing_metadata(((REASON, reason.encode()),))
        return self._status(request.service)

    async def List(  # noqa: N802
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Any:
        """The status of every service that Check knows."""
        statuses = {name: self._status(name) for name in self._unready}
        return _messages.HealthListResponse(statuses=statuses)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Streams the status of a service: now, and whenever it changes."""
        sent = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != sent:
                yield status
                sent = status
                continue  # the status may have changed during the yield
            if self._is_stopping:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The server is stopping.")
            await changed.wait()

    def _status(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._unready:
            return health_pb2.HealthCheckResponse(status="SERVICE_UNKNOWN")
        is_serving = self._unready[service] is None
        return health_pb2.HealthCheckResponse(status="SERVING" if is_serving else "NOT_SERVING")

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
