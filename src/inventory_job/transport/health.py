"""Health of the process and of the Job service (grpc.health.v1).

The empty name is the process itself: serving until it stops. The Job service is serving while
the database answers, so that traffic goes elsewhere when it does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Answers health checks, asking `is_usable` every `interval` seconds in a thread of its own."""

    def __init__(self, service: str, is_usable: Callable[[], bool], interval: float = 2.0) -> None:
        self._service = service
        self._is_usable = is_usable
        self._interval = interval
        self._servicer = health.HealthServicer()
        self._servicer.set("", _SERVING)
        self._servicer.set(service, _NOT_SERVING)
        self._usable: bool | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)
        self._log = structlog.get_logger(__name__)

    @property
    def is_ready(self) -> bool:
        """Whether the Job service is serving."""
        return bool(self._usable) and not self._stopping.is_set()

    def register(self, server: grpc.Server) -> None:
        """Adds the health service to `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def start(self) -> None:
        """Begins to watch the database."""
        self._thread.start()

    def stop(self) -> None:
        """Answers NOT_SERVING from now on, for good."""
        self._stopping.set()
        self._servicer.enter_graceful_shutdown()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            usable = self._is_usable()
            if usable != self._usable:
                self._servicer.set(self._service, _SERVING if usable else _NOT_SERVING)
                self._log.info("database is usable" if usable else "database is not usable")
                self._usable = usable
            self._stopping.wait(self._interval)
