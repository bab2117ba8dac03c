"""Health of the process and of the Job service (grpc.health.v1).

The empty name is the process itself: serving until it stops. The Job service is serving while
the database answers, so that traffic goes elsewhere when it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HEALTH_SERVICE = "grpc.health.v1.Health"

# The published types know nothing of List.
_messages: Any = health_pb2

STARTING = "the database has not answered yet"
STOPPING = "the server is stopping"
REASON = "not-serving-reason-bin"
"""The name of the trailing metadata of Check, UTF-8, that says why a service is not serving."""


class HealthServicer(health_pb2_grpc.HealthServicer):
    """grpc.health.v1.Health, in one event loop; `service` is not serving until `set` says so.

    With the library's own servicer a watcher that does not read keeps all others waiting.
    """

    def __init__(self, service: str) -> None:
        # Why each is not serving; None if it is.
        self._unready: dict[str, str | None] = {"": None, service: STARTING}
        self._service = service
        self._changed = asyncio.Event()
        self._is_stopping = False

    def set(self, unready: str | None) -> None:
        """The service is serving, or not for this reason, until the process stops."""
        if not self._is_stopping:
            self._unready[self._service] = unready
            self._notify()

    @property
    def unready(self) -> str | None:
        """Why the service is not serving; None if it is."""
        return self._unready[self._service]

    def stop(self) -> None:
        """Nothing is serving from now on, which watchers receive before their streams end."""
        self._is_stopping = True
        self._unready = dict.fromkeys(self._unready, STOPPING)
        self._notify()

    async def Check(  # noqa: N802  as in the proto
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """The status of a service; NOT_FOUND for one that is not known. Why one is not serving goes
        along in the trailing metadata `REASON`."""
        if request.service not in self._unready:
            context.set_code(grpc.StatusCode.NOT_FOUND)
        elif reason := self._unready[request.service]:
            context.set_trailing_metadata(((REASON, reason.encode()),))
        return self._status(request.service)

    async def List(  # noqa: N802
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Any:
        """The status of everything that Check knows."""
        statuses = {name: self._status(name) for name in self._unready}
        return _messages.HealthListResponse(statuses=statuses)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The status of a service, and again whenever it has changed."""
        sent = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != sent:
                yield status
                sent = status
                continue  # it may have changed meanwhile
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
