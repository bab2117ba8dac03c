"""Health of the process and of the Job service (grpc.health.v1).

The empty name is the process itself: serving until it stops. The Job service is serving while
the database answers, so that traffic goes elsewhere when it does not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthServicer(health_pb2_grpc.HealthServicer):
    """grpc.health.v1.Health, in one event loop.

    That of the library keeps everybody waiting for a watcher who does not take what he is sent.
    """

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._is_stopping = False

    def set(self, service: str, status: int) -> None:
        """From now on this is the status of `service`, unless all of them stop."""
        if self._is_stopping:
            return
        self._statuses[service] = status
        self._tell()

    def stop(self) -> None:
        """Nothing is serving from now on."""
        self._is_stopping = True
        self._statuses = dict.fromkeys(self._statuses, _NOT_SERVING)
        self._tell()

    async def Check(  # noqa: N802  as in the proto
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """The status of a service; NOT_FOUND for one that is not known."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return _response(status)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """The status of a service, and again whenever it has changed."""
        told = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, _UNKNOWN)
            if status != told:
                await context.write(_response(status))
                told = status
            await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _response(status: int) -> health_pb2.HealthCheckResponse:
    return health_pb2.HealthCheckResponse(status=status)


class Health:
    """Asks `is_usable` every `interval` seconds in a thread of its own, and has `servicer` say so
    in its event loop."""

    def __init__(self, service: str, is_usable: Callable[[], bool], interval: float = 2.0) -> None:
        self._service = service
        self._is_usable = is_usable
        self._interval = interval
        self.servicer = HealthServicer()
        self.servicer.set("", _SERVING)
        self.servicer.set(service, _NOT_SERVING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._usable: bool | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)
        self._log = structlog.get_logger(__name__)

    @property
    def is_ready(self) -> bool:
        """Whether the Job service is serving."""
        return bool(self._usable) and not self._stopping.is_set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to watch the database, for the servicer in `loop`."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Answers NOT_SERVING from now on, for good."""
        self._stopping.set()
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.servicer.stop)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            usable = self._is_usable()
            if usable != self._usable and self._loop and not self._stopping.is_set():
                status = _SERVING if usable else _NOT_SERVING
                self._loop.call_soon_threadsafe(self.servicer.set, self._service, status)
                self._log.info("database is usable" if usable else "database is not usable")
                self._usable = usable
            self._stopping.wait(self._interval)
