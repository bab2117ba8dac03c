"""The gRPC port: its services, its start and its graceful shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2_grpc

from inventory_job import __version__
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.grpc.health import HEALTH_SERVICE, HealthServicer
from inventory_job.transport.grpc.reflection import add_reflection
from inventory_job.transport.limiter import Limiter
from inventory_job.transport.listening import PortInUse, PortOptions, address_of, free_addresses
from inventory_job.transport.servicer import JobServicer
from inventory_job.transport.tls import server_credentials

JOB = job_pb2.DESCRIPTOR.services_by_name["Job"]
"""The descriptor of the Job service."""
_SERVER_INFO_SERVICE = server_info_pb2.DESCRIPTOR.services_by_name["ServerInfo"].full_name
_LAST_SECONDS = 5.0
"""How long clients may take to receive responses once no call of the Job service is held."""
_HANG_UP_SECONDS = 1.0
"""How long gRPC may take to close connections."""


class GrpcServer:
    """One port of `server`, which already has its services, in the running event loop. `limiter`
    knows how many calls are held."""

    serving: asyncio.Task[bool]
    """Ends when the port is stopped, or when serving has failed."""

    def __init__(self, server: grpc.aio.Server, options: PortOptions, limiter: Limiter) -> None:
        self._server = server
        self._options = options
        self._limiter = limiter
        self._log = structlog.get_logger(__name__)

    async def start(self) -> int:
        """Listens; returns the port number. Raises listening.PortInUse and tls.InvalidTls."""
        host, port = self._options.host, self._options.port
        # gRPC does not report why it cannot listen, accepts a name if it can listen on some of its
        # addresses, and resolves localhost differently from the system.
        for address in free_addresses(host, port):
            port = self._listen(address, port)
        await self._server.start()
        self.serving = asyncio.create_task(self._server.wait_for_termination())
        return port

    def _listen(self, address: str, port: int) -> int:
        target, tls = address_of(address, port), self._options.tls
        try:
            if tls is None:
                return self._server.add_insecure_port(target)
            return self._server.add_secure_port(target, server_credentials(tls))
        except RuntimeError as error:
            raise PortInUse(address, port, "gRPC has found it in use", "port") from error

    async def stop(self) -> None:
        """Graceful shutdown: accepts no more calls, and lets calls finish within the grace period.

        Once no call of the Job service is held, clients have `_LAST_SECONDS` to receive responses.
        Then it ends what gRPC would still wait for: streams (health, reflection), calls whose
        request message never arrives, and connections of unresponsive clients.
        """
        grace = self._options.grace_seconds
        stopping = asyncio.ensure_future(self._server.stop(grace))
        await self._limiter.wait_idle(grace)
        await asyncio.wait([stopping], timeout=min(grace, _LAST_SECONDS))
        if not stopping.done():
            hanging_up = asyncio.ensure_future(self._server.stop(None))
            _, left = await asyncio.wait([stopping, hanging_up], timeout=_HANG_UP_SECONDS)
            if left:
                self._log.warning("connections left open")


class _ServerInfoServicer(server_info_pb2_grpc.ServerInfoServicer):
    async def get_version(  # type: ignore[override]  # type stubs have only threaded servers
        self, request: Empty, context: grpc.aio.ServicerContext[Any, Any]
    ) -> server_info_pb2.VersionInfo:
        return server_info_pb2.VersionInfo(version=__version__)


def add_services(aio_server: grpc.aio.Server, jobs: JobServicer, health: HealthServicer) -> None:
    """Adds the Job service, health, ServerInfo (the version), and reflection to a server."""
    server: Any = aio_server  # the type stubs have only servers with threads
    job_pb2_grpc.add_JobServicer_to_server(jobs, server)
    server_info_pb2_grpc.add_ServerInfoServicer_to_server(_ServerInfoServicer(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    add_reflection(server, (JOB.full_name, _SERVER_INFO_SERVICE, HEALTH_SERVICE))
